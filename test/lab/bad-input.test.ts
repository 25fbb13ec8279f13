// Damaged captures: a clear sentence or counted as malformed; never a crash, never long, never much memory.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Summary } from '../../protocol/messages.ts'
import { below } from '../figure.ts'
import { cleanEnvironment, homespin } from './agent-process.ts'
import { drawSeed, generators } from './captures.ts'
import { makeFolder, removeFolder } from './folders.ts'
import type { MutantReport } from './mutants.ts'
import type { Ended } from './process.ts'
import { run } from './process.ts'

const MAX_MS = 1000
const MAX_BYTES = 200e6

/** Tells the peak memory of a Node program at its end; getrusage's would count the program that forked it, too. */
const TELL_MEMORY = `import { readFileSync } from 'node:fs'
process.on('exit', () => process.stderr.write(
  'peak ' + /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1] + '\\n'))`

interface Replayed extends Ended {
  summary?: Summary
  peakBytes: number
  ms: number
}

async function replay(file: string, input?: Buffer): Promise<Replayed> {
  const [program, ...args] = homespin(
    'replay',
    '--json',
    input ? '-' : file,
    '--lan',
    '192.0.2.0/24',
  )
  const watch = ['--import', `data:text/javascript,${encodeURIComponent(TELL_MEMORY)}`]
  const begun = performance.now()
  const options = { env: cleanEnvironment(), ...(input ? { input } : {}) }
  const ended = await run(program, [...watch, ...args], options)
  const ms = performance.now() - begun
  const last = ended.stdout.trim().split('\n').at(-1)
  const summary = last ? (JSON.parse(last) as Summary) : undefined
  const peakBytes = Number(/^peak (\d+)$/m.exec(ended.stderr)?.[1]) * 1024
  return { ...ended, peakBytes, ms, ...(summary === undefined ? {} : { summary }) }
}

describe('lab: damaged captures', function () {
  this.timeout(120_000)
  let folder = ''
  let whole: Buffer
  let startMs = 0
  before(async () => {
    folder = makeFolder()
    const generator = generators()[0]
    assert.ok(generator)
    const { file } = await generator.make(folder, 1)
    whole = readFileSync(file).subarray(0, 200_000)
    // What the program needs to start is not the capture's fault.
    startMs = (await replay(join(folder, 'none'))).ms
  })
  after(() => removeFolder(folder))

  it('cut at every byte, and thousands of mutants', async () => {
    const small = join(folder, 'small.pcap')
    writeFileSync(small, whole)
    const seed = drawSeed()
    const program = join(import.meta.dirname, 'mutants.ts')
    const options = { timeoutMs: 110_000 }
    const args = ['--expose-gc', program, small, folder, String(seed)]
    const ended = await run(process.execPath, args, options)
    assert.equal(ended.code, 0, `seed ${seed}: ${ended.signal} ${ended.stderr}`)
    const report = JSON.parse(ended.stdout) as MutantReport
    const { cuts, mutants, errors, malformed, slowestMs, peakBytes } = report
    const peak = `${(peakBytes / 1e6).toFixed(0)} MB`
    console.log(`      seed ${seed}: ${cuts} cuts, ${mutants} mutants: ${errors} errors,`)
    console.log(`      ${malformed} packets malformed, peak ${peak}`)
    assert.deepEqual(report.wrong, [])
    assert.ok(mutants >= 2000 && cuts > 2000)
    below('the slowest', slowestMs, MAX_MS)
    assert.ok(peakBytes < MAX_BYTES, peak)
  })

  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return bytes
  }
  const put = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(whole)
    word(value).copy(bytes, at)
    return bytes
  }
  const cases: { what: string; make: () => Buffer; says: RegExp }[] = [
    {
      what: 'nothing',
      make: () => Buffer.alloc(0),
      says: /empty|not a|no capture|no pcap|magic|short/i,
    },
    { what: 'text', make: () => Buffer.from('hello, world\n'.repeat(9)), says: /not|magic|pcap/i },
    { what: 'zeros', make: () => Buffer.alloc(5000), says: /not|magic|pcap/i },
    { what: 'half a head', make: () => whole.subarray(0, 11), says: /cut|short|ends|head/i },
    { what: 'half a packet', make: () => whole.subarray(0, 60), says: /cut|short|ends|packet/i },
    {
      what: 'a packet of 4 GB',
      make: () => put(24 + 8, 0xffffffff),
      says: /packet 1|length|large|long/i,
    },
    {
      what: 'a packet of 2 GB',
      make: () => put(24 + 8, 0x7fffffff),
      says: /packet 1|length|large|long/i,
    },
    { what: 'an unknown link type', make: () => put(20, 195), says: /802.?15.?4|link type/i },
    {
      what: 'a pcapng block of 4 GB',
      make: () =>
        Buffer.concat([word(0x0a0d0d0a), word(0xfffffffc), word(0x1a2b3c4d), Buffer.alloc(900)]),
      says: /block|length|large|long|section/i,
    },
  ]
  for (const { what, make, says } of cases) {
    it(`${what}: a clear sentence and exit code 1, by file and by standard input`, async () => {
      const file = join(folder, 'bad.pcap')
      const bytes = make()
      writeFileSync(file, bytes)
      for (const ended of [await replay(file), await replay('-', bytes)]) {
        const said = ended.stderr.replace(/^peak .*$/m, '').trim()
        assert.equal(ended.code, 1, `${ended.signal} ${said}`)
        assert.match(said, says)
        assert.doesNotMatch(said, /\n\s+at /, 'no stack for a person')
        assert.ok(ended.ms - startMs < 5 * MAX_MS, `${ended.ms} ms, ${startMs} of them to start`)
        assert.ok(ended.peakBytes < MAX_BYTES, `${ended.peakBytes} bytes`)
        if (!ended.summary) continue
        const { packets, decoded, malformed, unsupported } = ended.summary
        assert.equal(packets, decoded + malformed + unsupported)
      }
    })
  }

  it('what was before the damage is told all the same', async () => {
    const file = join(folder, 'cut.pcap')
    writeFileSync(file, whole.subarray(0, 100_001))
    const { code, summary, stderr } = await replay(file)
    assert.equal(code, 1, stderr)
    assert.ok(summary && summary.packets > 50 && summary.ip_bytes > 0, JSON.stringify(summary))
  })
})
