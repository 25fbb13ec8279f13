import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { device, until } from '../mqtt/listener.ts'
import { folder, make, onRemove, removeAll, second, traffic } from './store.ts'

describe('History: what it survives', function () {
  this.timeout(120_000)
  afterEach(removeAll)

  const whole = { resolution: 'minute', fromMs: 0, toMs: 4e12 } as const

  async function filled(minutes: number): Promise<string> {
    const dir = folder()
    const { history, clock } = await make({ dir }, 0)
    for (let m = 0; m < minutes; m++) {
      clock.at = m * 60_000
      const rows = Array.from({ length: 200 }, (_, n) => traffic(n % 5, `host-${n}.example.com`, 1))
      history.add(second(clock.at, rows))
      await history.flush()
    }
    await history.stop()
    return dir
  }

  async function sum(history: Awaited<ReturnType<typeof make>>['history']): Promise<number> {
    const { points } = await history.query(whole)
    return points.reduce((total, { sent_bytes }) => total + sent_bytes, 0)
  }

  it('loses at most five seconds to a power cut at any moment', async () => {
    const dir = folder()
    const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    onRemove(async () => {
      child.kill('SIGKILL')
      await ended
    })
    // The writer tells after each interval how many bytes it has added; its flushes come every 40 intervals.
    let added = 0
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      added = Number(text.trimEnd().split('\n').at(-1))
    })
    while (added === 0) await sleep(20)
    let checked = 0
    for (let cut = 0; cut < 40; cut++) {
      await sleep(Math.random() * 60)
      const into = folder()
      const before = added
      // The log first would be the other way round in time: a page of it may already be in the file, never the reverse.
      copyAtOneMoment(child.pid as number, dir, into)
      const db = new DatabaseSync(join(into, 'history.db'))
      assert.deepEqual(Object.values(db.prepare('PRAGMA integrity_check').get() ?? {}), ['ok'])
      db.close()
      const { history, lines } = await make({ dir: into }, 1)
      const found = await sum(history)
      assert.ok(found >= before - 60 * 10, `${found} of ${before} are left`)
      assert.deepEqual(lines, [])
      await history.stop()
      checked++
    }
    assert.equal(checked, 40)
  })

  /** Everything written before is in the copy, nothing after. */
  function copyAtOneMoment(pid: number, from: string, to: string): void {
    process.kill(pid, 'SIGSTOP')
    try {
      for (const name of ['history.db', 'history.db-wal']) {
        if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
      }
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  }

  describe('damaged files', () => {
    const damages: [string, (path: string) => void][] = [
      ['garbage in the header', (path) => overwrite(path, 0, Buffer.alloc(100, 0x5a))],
      ['text instead of a database', (path) => writeFileSync(path, 'hello '.repeat(1000))],
      [
        'cut in the middle of a page',
        (path) => truncateSync(path, Math.floor(statSync(path).size / 2) + 100),
      ],
      [
        'a root page overwritten',
        (path) => overwrite(path, 4096 * 3, Buffer.alloc(4096 * 4, 0xff)),
      ],
      [
        'every tenth page overwritten',
        (path) => {
          for (let at = 4096; at < statSync(path).size - 4096; at += 40_960)
            overwrite(path, at, randomBytes())
        },
      ],
    ]

    for (const [name, damage] of damages) {
      it(`${name}: it is kept, and a new one begun`, async () => {
        const dir = await filled(30)
        damage(join(dir, 'history.db'))
        const { history, lines } = await make({ dir }, 0)
        history.add(second(0, [traffic(1, 'a', 7)]))
        await history.flush()
        await sum(history)
        history.add(second(1000, [traffic(1, 'a', 7)]))
        await history.flush()
        await history.stop()
        const kept = readdirSync(dir).filter((one) => one.includes('.corrupt-'))
        assert.ok(kept.length >= 1, `${readdirSync(dir)}`)
        assert.equal(
          lines.filter((line) => /error the file of history is damaged; it is kept as/.test(line))
            .length,
          1,
          lines.join('\n'),
        )
        const again = await make({ dir }, 0)
        assert.equal(await sum(again.history), 14)
        assert.deepEqual(again.lines, [])
      })
    }

    it('a random page at run time, random bytes in the log, no log at all: it goes on', async () => {
      for (let round = 0; round < 10; round++) {
        const dir = await filled(5)
        const { history } = await make({ dir }, 300_000)
        const path = join(dir, round % 2 === 0 ? 'history.db' : 'history.db-wal')
        const pages = Math.max(1, Math.floor(statSync(path).size / 4096))
        overwrite(path, Math.floor(Math.random() * pages) * 4096, randomBytes())
        for (let s = 0; s < 5; s++) {
          history.add(second(300_000 + s * 60_000, [traffic(1, 'a', 1)]))
          await history.flush()
          await history.query(whole)
          await history.remotes(whole, 10)
        }
        await history.stop()
        if (round % 3 === 0) rmSync(join(dir, 'history.db-wal'), { force: true })
        writeFileSync(join(dir, 'history.db-shm'), randomBytes())
        const again = await make({ dir }, 1e6)
        again.history.add(second(1e6, [traffic(1, 'a', 1)]))
        await again.history.flush()
        assert.ok((await sum(again.history)) >= 1)
        await again.history.stop()
      }
    })

    it('an empty file: it is filled', async () => {
      const dir = folder()
      writeFileSync(join(dir, 'history.db'), '')
      const { history, lines } = await make({ dir }, 0)
      history.add(second(0, [traffic(1, 'a', 7)]))
      await history.flush()
      assert.equal(await sum(history), 7)
      assert.deepEqual(lines, [])
      assert.equal(statSync(join(dir, 'history.db')).mode & 0o777, 0o600)
    })

    it('keeps no more than two damaged copies', async () => {
      const dir = folder()
      for (let n = 0; n < 4; n++) {
        writeFileSync(join(dir, 'history.db'), 'x'.repeat(5000))
        const { history } = await make({ dir }, 0)
        await history.stop()
        await sleep(5)
      }
      const kept = readdirSync(dir).filter(
        (name) => name.startsWith('history.db.corrupt-') && !name.endsWith('-wal'),
      )
      assert.equal(kept.length, 2)
    })
  })

  it('leaves alone what a newer Homespin wrote, and says so', async () => {
    const dir = await filled(1)
    const db = new DatabaseSync(join(dir, 'history.db'))
    db.exec('PRAGMA user_version = 9')
    db.close()
    await assert.rejects(
      make({ dir }, 0),
      /history\.db was written by a newer Homespin \(schema 9, this one knows 1\): update/,
    )
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.includes('corrupt')),
      [],
    )
  })

  it('goes on by its timer where a newer Homespin wrote the file while it ran', async () => {
    const dir = folder()
    // Nothing can be opened yet.
    mkdirSync(join(dir, 'history.db'))
    const { history, lines, clock } = await make({ dir, flushMs: 20 }, 0)
    await until(() => history.problems.length === 1)
    rmdirSync(join(dir, 'history.db'))
    const newer = new DatabaseSync(join(dir, 'history.db'))
    newer.exec('PRAGMA user_version = 9')
    newer.close()
    clock.at = 60_000
    await until(() => lines.some((line) => line.includes('by a newer Homespin')))
    rmSync(join(dir, 'history.db'))
    clock.at = 120_000
    await until(() => history.problems.length === 0)
    history.add(second(120_000, [traffic(1, 'a', 5)]))
    await until(() => existsSync(join(dir, 'history.db-wal')))
    assert.equal(await sum(history), 5)
  })

  it('waits for a database that another program has locked, and loses nothing', async () => {
    const dir = await filled(1)
    const { history, lines } = await make({ dir }, 60_000)
    const before = await sum(history)
    const other = new DatabaseSync(join(dir, 'history.db'))
    other.exec('BEGIN IMMEDIATE')
    history.add(second(60_000, [traffic(1, 'a', 5)]))
    await history.flush()
    assert.match(
      lines.join('\n'),
      /warn history can't be stored now; another program has locked it/,
    )
    assert.equal(await sum(history), before + 5)
    other.exec('ROLLBACK')
    other.close()
    await history.flush()
    assert.match(lines.at(-1) ?? '', /info history is stored again/)
    assert.equal(await sum(history), before + 5)
    assert.equal(lines.length, 2)
  })

  it('goes on in memory on a full disk, says so once, and recovers by itself', async function () {
    const dir = mountSmallDisk()
    if (dir === undefined) return void this.skip()
    const { history, lines, clock } = await make({ dir }, 0)
    history.saveDevices([device(1)])
    const filler = join(dir, 'filler')
    writeFileSync(filler, '')
    fillUp(filler)
    let added = 0
    for (let s = 0; s < 300; s++) {
      clock.at = s * 1000
      const rows = Array.from({ length: 100 }, (_, n) => traffic(n % 5, `host-${n}.example.com`, 1))
      history.add(second(clock.at, rows))
      added += 100
      if (s % 4 === 0) await history.flush()
    }
    assert.equal(history.saveDevices(Array.from({ length: 200 }, (_, n) => device(n))), false)
    const about = (what: string): string[] => lines.filter((line) => line.includes(what))
    assert.equal(
      about("warn history can't be stored now; the disk is full").length,
      1,
      lines.join('\n'),
    )
    assert.equal(about('warn the list of devices').length, 1)
    assert.deepEqual(history.problems, [
      "history can't be stored now; the disk is full: free some space.",
      "the list of devices can't be stored now; the disk is full: free some space.",
    ])
    assert.equal(await sum(history), added)
    rmSync(filler)
    await history.flush()
    assert.equal(about('info history is stored again').length, 1)
    assert.equal(history.saveDevices([device(2)]), true)
    assert.deepEqual(history.problems, [])
    await history.stop()
    const again = await make({ dir }, clock.at)
    assert.equal(await sum(again.history), added)
    assert.deepEqual(
      again.history.loadDevices().map(({ id }) => id),
      [device(1).id, device(2).id],
    )
    await again.history.stop()
  })

  it('goes on in memory in a folder that it may not write, and begins when it may', async function () {
    const dir = mountSmallDisk()
    if (dir === undefined) return void this.skip()
    execFileSync('mount', ['-o', 'remount,ro', dir])
    const { history, lines, clock } = await make({ dir }, 0)
    history.add(second(0, [traffic(1, 'a', 5)]))
    await history.flush()
    assert.equal(await sum(history), 5)
    assert.equal(history.saveDevices([device(1)]), false)
    assert.equal(
      lines.filter((line) => /history can't be stored now; it may not be written/.test(line))
        .length,
      1,
      lines.join('\n'),
    )
    execFileSync('mount', ['-o', 'remount,rw', dir])
    clock.at = 40_000
    await history.flush()
    assert.match(lines.at(-1) ?? '', /stored again/)
    assert.equal(await sum(history), 5)
    await history.stop()
  })
})

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

function randomBytes(): Buffer {
  return Buffer.from(Array.from({ length: 4096 }, () => Math.floor(Math.random() * 256)))
}

/** A tmpfs of 2 MiB, unmounted afterwards; undefined where that can't be made. With CI=true that is an error. */
function mountSmallDisk(): string | undefined {
  const dir = folder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'homespin-test', dir], { stdio: 'pipe' })
  } catch (cause) {
    if (process.env.CI === 'true')
      throw new Error('a tmpfs must be mounted for this test: run it as root', { cause })
    return undefined
  }
  onRemove(() => {
    execFileSync('umount', [dir], { stdio: 'pipe' })
  })
  chmodSync(dir, 0o700)
  return dir
}

function fillUp(path: string): void {
  const file = openSync(path, 'a')
  try {
    for (const size of [65_536, 4096, 512]) {
      for (;;) {
        try {
          if (writeSync(file, Buffer.alloc(size)) < size) break
        } catch {
          break
        }
      }
    }
  } finally {
    closeSync(file)
  }
}
