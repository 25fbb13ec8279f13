import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { count, FULL } from '../../full.ts'
import { folder, make, onRemove, removeAll } from './desk.ts'

/** Room for what some hundred orders leave; it is copied and compared at each cut. */
const IMAGE_BYTES = (FULL ? 96 : 32) << 20
const TIMES = count('TEST_CRASHES', 6, 200)

/** What an orderer said: what stands for sure, and what it had asked when it was last heard. */
class Told {
  readonly standing = new Set<string>()
  readonly asked = new Set<string>()
  answers = 0
  /** Characters so far. */
  heard = 0
  #rest = ''

  hear(text: string): void {
    this.heard += text.length
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const endpoint = line.slice(1)
      if (line.startsWith('?')) this.asked.add(endpoint)
      else {
        this.asked.delete(endpoint)
        this.answers++
        if (line.startsWith('+')) this.standing.add(endpoint)
        else this.standing.delete(endpoint)
      }
    }
  }

  /** Everything acknowledged is as it was acknowledged; what was only asked is either way. */
  check(found: readonly string[]): void {
    const there = new Set(found)
    assert.equal(there.size, found.length, 'a rule stands twice')
    const sure = (endpoint: string): boolean => !this.asked.has(endpoint)
    assert.deepEqual(
      [...this.standing].filter((one) => sure(one) && !there.has(one)),
      [],
      'lost',
    )
    assert.deepEqual(
      [...there].filter((one) => sure(one) && !this.standing.has(one)),
      [],
      'too much',
    )
  }
}

interface Orderer {
  pid: number
  /** Everything that it wrote was heard. */
  kill: () => Promise<void>
}

function orderer(dir: string, told: Told): Orderer {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'orderer.ts'), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => told.hear(text))
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  onRemove(kill)
  return { pid: child.pid as number, kill }
}

async function found(dir: string): Promise<string[]> {
  const { policy, lines } = await make({ dir })
  assert.deepEqual(lines, [])
  const endpoints = policy.rules().map(({ match }) => String(match?.endpoint))
  await policy.stop()
  return endpoints
}

describe('Policy: crashes', function () {
  this.timeout(30_000 + TIMES * 4000)
  afterEach(removeAll)

  it(`no acknowledged order is lost to ${TIMES} kills at random moments`, async () => {
    const dir = folder()
    const told = new Told()
    for (let n = 0; n < TIMES; n++) {
      const before = told.answers
      const { kill } = orderer(dir, told)
      for (let waited = 0; told.answers === before && waited < 10_000; waited += 10) await sleep(10)
      await sleep(Math.random() * 120)
      await kill()
      told.check(await found(dir))
      told.asked.clear()
      // What was asked when it died stands or not; from here on it is known.
      told.standing.clear()
      for (const endpoint of await found(dir)) told.standing.add(endpoint)
    }
    console.log(`      ${told.answers} orders acknowledged, ${TIMES} kills, 0 lost`)
    assert.ok(told.answers > TIMES * 5)
  })

  it(`no acknowledged order is lost to ${TIMES} power cuts: what was not synchronised is gone`, async function () {
    const disk = mountDisk()
    if (disk === undefined) return void this.skip()
    const told = new Told()
    const { pid } = orderer(disk.dir, told)
    for (let waited = 0; told.answers < 20 && waited < 10_000; waited += 10) await sleep(10)
    let checked = 0
    for (let cut = 0; cut < TIMES; cut++) {
      await sleep(Math.random() * 100)
      const image = join(inMemory(), 'disk')
      process.kill(pid, 'SIGSTOP')
      try {
        // What it said before it was stopped is in the pipe, and may take a busy machine some turns to read.
        for (let heard = -1; heard !== told.heard; await sleep(30)) heard = told.heard
        // A copy takes a while. One during which the kernel wrote would hold no moment of the disk at all.
        do copyFileSync(disk.image, image)
        while (!readFileSync(image).equals(readFileSync(disk.image)))
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      const snapshot = Object.assign(new Told(), {
        standing: new Set(told.standing),
        asked: new Set(told.asked),
      })
      const dir = mount(image)
      const db = new DatabaseSync(join(dir, 'policy.db'))
      assert.deepEqual(Object.values(db.prepare('PRAGMA integrity_check').get() ?? {}), ['ok'])
      db.close()
      snapshot.check(await found(dir))
      run('umount', dir)
      rmSync(image)
      checked++
    }
    console.log(`      ${told.answers} orders acknowledged, ${checked} power cuts, 0 lost`)
    assert.equal(checked, TIMES)
  })
})

/** An ext4 in a file: its image holds what was synchronised, and nothing that was only in memory. */
function mountDisk(): { dir: string; image: string } | undefined {
  const image = join(inMemory(), 'disk')
  const file = openSync(image, 'w')
  ftruncateSync(file, IMAGE_BYTES)
  closeSync(file)
  try {
    run('mkfs.ext4', '-q', '-F', image)
    const dir = mount(image)
    return { dir, image }
  } catch (cause) {
    if (process.env.CI === 'true')
      throw new Error('an ext4 in a file must be mounted for this test: run it as root', { cause })
    return undefined
  }
}

/** Images are copied by the dozen: not on a disk that others wait for. */
function inMemory(): string {
  if (!existsSync('/dev/shm')) return folder()
  const dir = mkdtempSync('/dev/shm/homespin-policy-')
  onRemove(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function mount(image: string): string {
  const dir = join(folder(), 'mnt')
  mkdirSync(dir)
  run('mount', '-o', 'loop', image, dir)
  onRemove(() => {
    if (isMounted(dir)) run('umount', dir)
  })
  return dir
}

function isMounted(dir: string): boolean {
  return existsSync('/proc/mounts') && readFileSync('/proc/mounts', 'utf8').includes(` ${dir} `)
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { timeout: 20_000 })
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`)
}
