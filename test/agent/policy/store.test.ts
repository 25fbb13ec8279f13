import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PolicyStore } from '../../../agent/policy/policy-store.ts'
import { nothingPending } from '../../../agent/policy/stored.ts'
import { recordingLog, until } from '../mqtt/listener.ts'
import { block, folder, id, ME, make, onRemove, quarantine, removeAll } from './desk.ts'

const NINE = { endpoint: '203.0.113.9' }

describe('Policy: what the store survives', function () {
  this.timeout(60_000)
  afterEach(removeAll)

  /** A folder with 200 rules, closed in order. */
  async function filled(): Promise<string> {
    const { policy, dir } = await make()
    await policy.setGroup({ id: 'g', name: 'g', device_ids: [id(1)] }, ME)
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        policy.order(block(1 + (n % 10), { endpoint: `2001:db8::${n + 1}` }), ME),
      ),
    )
    await policy.stop()
    return dir
  }

  it('nobody else can read its files', async () => {
    const dir = await filled()
    for (const name of ['policy.db', 'policy.json']) {
      assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
    }
    assert.deepEqual(readdirSync(dir).sort(), ['policy.db', 'policy.json'])
  })

  const damages: [string, (db: string) => void, kept: boolean][] = [
    ['garbage in the header', (db) => overwrite(db, 0, Buffer.alloc(100, 0x5a)), true],
    ['text instead of a database', (db) => writeFileSync(db, 'hello '.repeat(1000)), true],
    [
      'cut in the middle of a page',
      (db) => truncateSync(db, Math.floor(statSync(db).size / 2) + 100),
      true,
    ],
    ['cut to nothing', (db) => truncateSync(db, 0), false],
    ['gone', (db) => rmSync(db), false],
    ['a root page overwritten', (db) => overwrite(db, 4096, Buffer.alloc(4096 * 3, 0xff)), true],
    [
      'random pages overwritten',
      (db) => {
        for (let at = 4096; at < statSync(db).size - 4096; at += 12_288) overwrite(db, at, noise())
      },
      true,
    ],
    [
      'an older one put back',
      (db) => {
        const old = new DatabaseSync(db)
        old.exec(
          "DELETE FROM rule; UPDATE state SET record = json_set(record, '$.revision', 1) WHERE id = 'state'",
        )
        old.close()
      },
      false,
    ],
    [
      'garbage in the records',
      (db) => {
        const bad = new DatabaseSync(db)
        bad.exec("UPDATE rule SET record = '{}' WHERE id > '3'")
        bad.close()
      },
      false,
    ],
  ]
  for (const [name, damage, isKept] of damages) {
    it(`${name}: what is ordered comes back from the copy`, async () => {
      const dir = await filled()
      damage(join(dir, 'policy.db'))
      const began = performance.now()
      const { policy, kernel, lines } = await make({ dir })
      assert.ok(performance.now() - began < 10_000)
      assert.equal(policy.rules().length, 200, lines.join('\n'))
      assert.ok(policy.rules().every(({ state }) => state === 'active'))
      assert.equal(kernel.desired.devices.length, 10)
      assert.equal(policy.groups().length, 1)
      assert.match(lines.join('\n'), /recovered from its copy: 200 rules/)
      assert.equal(
        readdirSync(dir).some((one) => one.includes('.corrupt-')),
        isKept,
      )
      const { journal_seq } = await policy.order(block(1, NINE), ME)
      assert.equal(journal_seq, 202)
      await policy.undo({}, ME)
      await policy.undo({}, ME)
      assert.equal(policy.rules().length, 199)
      await policy.stop()
      rmSync(join(dir, 'policy.json'))
      const next = await make({ dir })
      assert.equal(next.policy.rules().length, 199)
    })
  }

  it('a record that is damaged comes back from the copy, however long ago that was written', async () => {
    let made = await make()
    const { dir, time } = made
    await made.policy.setGroup({ id: 'g', name: 'g', device_ids: [id(1)] }, ME)
    await made.policy.order(quarantine(1, 'full'), ME)
    await made.policy.order(quarantine(2, 'full', { forS: 864_000 }), ME)
    // The clocks are noted, and nothing is changed.
    for (let n = 0; n < 3; n++) {
      time.pass(61_000)
      await made.settle()
      made = await made.again()
    }
    await made.policy.stop()
    const db = new DatabaseSync(join(dir, 'policy.db'))
    db.exec("UPDATE rule SET record = 'x'; UPDATE home_group SET record = '{}'")
    db.close()
    const next = await make({ dir, time })
    assert.deepEqual(
      [1, 2].map((n) => next.kernel.level(id(n))),
      ['full', 'full'],
    )
    assert.equal(next.policy.groups().length, 1)
    assert.match(next.lines.join('\n'), /3 records .* can't be read.*recovered/s)
    await next.policy.stop()
    rmSync(join(dir, 'policy.json'))
    const last = await make({ dir, time })
    assert.equal(last.policy.rules().length, 2)
    assert.equal(last.lines.length, 0)
  })

  it('a copy that is garbage is passed over', async () => {
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"format":1,"state":{"revision":1e9}}',
      '{"format":1,"state":{"revision":999999,"seq":1,"closed":false},"rules":[{}, null, 3]}'.replace(
        '999999',
        '1',
      ),
    ]) {
      const dir = await filled()
      writeFileSync(join(dir, 'policy.json'), text)
      const { policy, lines } = await make({ dir })
      assert.equal(policy.rules().length, 200)
      assert.deepEqual(lines, [])
    }
  })

  it('a database that is damaged while it is used is begun anew with all that stands', async () => {
    const { policy, dir, lines } = await make()
    await Promise.all(
      Array.from({ length: 3000 }, (_, n) =>
        policy.order(block(1 + (n % 10), { endpoint: `2001:db8:${n + 1}::1` }), ME),
      ),
    )
    const db = join(dir, 'policy.db')
    rmSync(`${db}-wal`)
    overwrite(db, 0, Buffer.alloc(statSync(db).size, 0xff))
    policy.journal(undefined, 5000)
    assert.match(lines.join('\n'), /damaged; it is kept as/)
    const { not_stored } = await policy.order(block(1, NINE), ME)
    assert.equal(not_stored, undefined, lines.join('\n'))
    await policy.stop()
    rmSync(join(dir, 'policy.json'))
    const next = await make({ dir })
    assert.equal(next.policy.rules().length, 3001)
  })

  it('a file of a newer Homespin is left alone', async () => {
    const dir = await filled()
    const db = new DatabaseSync(join(dir, 'policy.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    await assert.rejects(make({ dir }), /newer Homespin/)
  })

  it('what can not be read at all is not taken for nothing', async () => {
    const dir = await filled()
    rmSync(join(dir, 'policy.json'))
    const other = new DatabaseSync(join(dir, 'policy.db'))
    onRemove(() => other.close())
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    await assert.rejects(make({ dir }), /can't be read: .*locked/)
    other.exec('ROLLBACK')
  })

  it('a full disk: carried out, told as not stored, and stored once there is room', async function () {
    const dir = mountSmallDisk()
    if (dir === undefined) return void this.skip()
    const { policy, kernel, lines, time, settle } = await make({ dir })
    await policy.order(quarantine(1, 'full'), ME)
    await until(() => readdirSync(dir).includes('policy.json'))
    const filler = join(dir, 'filler')
    fillUp(filler)
    let notStored: string | undefined
    for (let n = 0; n < 100 && notStored === undefined; n++) {
      const { not_stored } = await policy.order(block(2, { endpoint: `2001:db8::${n + 1}` }), ME)
      notStored = not_stored
    }
    assert.match(notStored ?? '', /disk is full/)
    const { not_stored, rules } = await policy.order(quarantine(3, 'full'), ME)
    assert.match(not_stored ?? '', /disk is full/)
    assert.equal(rules[0]?.state, 'active')
    assert.equal(kernel.level(id(3)), 'full')
    assert.match(policy.problems.join(), /disk is full/)
    const count = policy.rules().length
    const journal = policy.journal(undefined, 1000)
    assert.equal(journal.entries.length, journal.total)
    await policy.undo({}, ME)
    assert.equal(kernel.level(id(3)), undefined)
    await policy.undo({ seq: (journal.entries[0]?.seq as number) + 1 }, ME)
    assert.equal(lines.filter((line) => line.startsWith('error')).length, 1, lines.join('\n'))
    rmSync(filler)
    time.pass(10_001)
    await settle()
    assert.deepEqual(policy.problems, [])
    await policy.stop()
    rmSync(join(dir, 'policy.json'))
    const next = await make({ dir, time })
    assert.equal(next.policy.rules().length, count)
    assert.equal(next.kernel.level(id(3)), 'full')
    assert.equal(next.policy.journal(undefined, 1000).total, journal.total + 2)
    await next.policy.stop()
  })

  it('what is newer than the copy is read from a disk that takes nothing', async function () {
    for (const stop of [true, false]) {
      const dir = mountSmallDisk()
      if (dir === undefined) return void this.skip()
      const { policy } = await make({ dir })
      await policy.order(quarantine(1, 'full'), ME)
      await until(() => readdirSync(dir).includes('policy.json'))
      const older = readFileSync(join(dir, 'policy.json'))
      await policy.order(quarantine(2, 'full'), ME)
      await until(() => !readFileSync(join(dir, 'policy.json')).equals(older))
      if (stop) await policy.stop()
      writeFileSync(join(dir, 'policy.json'), older)
      fillUp(join(dir, 'filler'))
      const { kernel, policy: next } = await make({ dir })
      assert.equal(kernel.level(id(2)), 'full', `stopped: ${stop}`)
      await next.stop()
      await policy.stop()
    }
  })

  it('what is recovered replaces what the database had', async () => {
    const dir = await filled()
    const first = await make({ dir })
    copyFileSync(join(dir, 'policy.db'), join(dir, 'older'))
    await first.policy.panic(ME)
    await first.policy.order(quarantine(1, 'full'), ME)
    await first.policy.stop()
    renameSync(join(dir, 'older'), join(dir, 'policy.db'))
    for (let n = 0; n < 2; n++) {
      const { policy } = await make({ dir })
      assert.equal(policy.rules().length, 1)
      await policy.stop()
      rmSync(join(dir, 'policy.json'), { force: true })
    }
  })

  it('a disk that is read-only: carried out, told as not stored', async function () {
    const dir = mountSmallDisk()
    if (dir === undefined) return void this.skip()
    const { policy, dir: _ } = await make({ dir })
    await policy.order(quarantine(1, 'full'), ME)
    await policy.stop()
    execFileSync('mount', ['-o', 'remount,ro', dir])
    const next = await make({ dir })
    assert.equal(next.kernel.level(id(1)), 'full')
    const { not_stored } = await next.policy.order(quarantine(2, 'full'), ME)
    assert.match(not_stored ?? '', /may not be written/)
    execFileSync('mount', ['-o', 'remount,rw', dir])
    const after = await next.policy.order(quarantine(3, 'full'), ME)
    assert.equal(after.not_stored, undefined)
    const last = await next.again()
    assert.equal(last.policy.rules().length, 3)
    await last.policy.stop()
  })

  it('the journal keeps 100 000 entries, and 64 MiB', () => {
    const dir = folder()
    const store = new PolicyStore(dir, recordingLog())
    store.load()
    let seq = 0
    const write = (count: number, reason: string): void => {
      const pending = nothingPending()
      for (let n = 0; n < count; n++) {
        seq++
        const actor = { kind: 'person', via: 'http' } as const
        pending.entries.set(seq, {
          seq,
          time_ms: seq,
          actor,
          verb: 'block',
          sentence: 's',
          reason,
          added: [],
          removed: [],
        })
      }
      assert.equal(store.write(pending, { revision: seq, seq, closed: false }), undefined)
    }
    for (let n = 0; n < 26; n++) write(4000, 'r')
    assert.ok(store.entries <= 100_000 && store.entries > 98_000, `${store.entries}`)
    assert.equal(store.journal(Number.MAX_SAFE_INTEGER, 200_000).length, store.entries)
    assert.equal(store.journal(Number.MAX_SAFE_INTEGER, 1)[0]?.seq, 104_000)
    for (let n = 0; n < 20; n++) write(10, 'x'.repeat(1_000_000))
    assert.ok(store.entries < 100_000)
    const { size } = statSync(join(dir, 'policy.db'))
    assert.ok(size < 400e6, `${size}`)
  })
})

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}

function noise(): Buffer {
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
