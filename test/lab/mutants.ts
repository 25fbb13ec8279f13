// Feeds damaged captures to the native reader, one after the other, and checks what it says of each. Run as a program of its
// own, so that a crash is seen for what it is: `node mutants.ts CAPTURE FOLDER SEED`. Prints one line of JSON.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Batch } from '../../native/index.ts'
import { createCapture } from '../../native/index.ts'

/** What came of all of them. */
export interface MutantReport {
  cuts: number
  mutants: number
  /** How many ended with a sentence, and how many packets were malformed. */
  errors: number
  malformed: number
  slowestMs: number
  peakBytes: number
  /** Captures of which it said something impossible. */
  wrong: string[]
}

/** The first packets of a capture, as classic pcap. */
function shorten(capture: Buffer, packets: number): { bytes: Buffer; ends: number[] } {
  const ends: number[] = []
  let at = 24
  while (ends.length < packets && at + 16 <= capture.length) {
    at += 16 + capture.readUInt32LE(at + 8)
    ends.push(at)
  }
  return { bytes: Buffer.from(capture.subarray(0, at)), ends }
}

function block(type: number, body: Buffer): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(padded.length + 12)
  const kind = Buffer.alloc(4)
  kind.writeUInt32LE(type)
  return Buffer.concat([kind, size, padded, size])
}

/** The same packets as pcapng: one section, one Ethernet interface, enhanced packet blocks. */
function asPcapng({ bytes, ends }: { bytes: Buffer; ends: number[] }): {
  bytes: Buffer
  ends: number[]
} {
  const section = Buffer.from('4d3c2b1a01000000ffffffffffffffff', 'hex')
  const blocks = [block(0x0a0d0d0a, section), block(1, Buffer.from('0100000000000400', 'hex'))]
  let start = 24
  for (const end of ends) {
    const head = Buffer.alloc(20)
    bytes.copy(head, 12, start + 8, start + 12)
    bytes.copy(head, 16, start + 12, start + 16)
    blocks.push(block(6, Buffer.concat([head, bytes.subarray(start + 16, end)])))
    start = end
  }
  const sizes = blocks.map((one) => one.length)
  let at = (sizes[0] ?? 0) + (sizes[1] ?? 0)
  const newEnds = sizes.slice(2).map((size) => {
    at += size
    return at
  })
  return { bytes: Buffer.concat(blocks), ends: newEnds }
}

/** Numbers that look drawn by lot and come again with the same seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const NASTY = [0, 1, 0x7f, 0x80, 0xff]
const NASTY_WORDS = [0, 1, 15, 16, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff]

function mutate(original: Buffer, draw: (below: number) => number): Buffer {
  const bytes = Buffer.from(original)
  for (let changes = 1 + draw(4); changes > 0; changes--) {
    const at = draw(bytes.length - 4)
    const how = draw(4)
    if (how === 0) bytes[at] = draw(256)
    else if (how === 1) bytes[at] = NASTY[draw(NASTY.length)] ?? 0
    else if (how === 2) bytes.writeUInt32LE(NASTY_WORDS[draw(NASTY_WORDS.length)] ?? 0, at)
    else bytes.copy(bytes, at, draw(bytes.length))
  }
  return draw(4) === 0 ? bytes.subarray(0, draw(bytes.length)) : bytes
}

function read(path: string): Promise<Batch> {
  return new Promise((resolve, reject) => {
    try {
      const capture = createCapture({ names: ['dns', 'sni', 'mdns', 'dhcp4', 'quic', 'http'] })
      capture.readFile(path)
      capture.start(() => {
        const batch = capture.drain()
        if (!batch.ended) return
        capture.stop()
        resolve(batch)
      })
    } catch (error) {
      reject(error)
    }
  })
}

class Judge {
  readonly report: MutantReport = {
    cuts: 0,
    mutants: 0,
    errors: 0,
    malformed: 0,
    slowestMs: 0,
    peakBytes: 0,
    wrong: [],
  }
  readonly #path: string

  constructor(folder: string) {
    this.#path = join(folder, 'damaged')
  }

  async look(bytes: Buffer, title: string, expected?: { packets: number; whole: boolean }) {
    const { report } = this
    // Thousands of captures in one process: what each left is not the next one's.
    if ((report.cuts + report.mutants) % 50 === 0) globalThis.gc?.()
    const wrong = (what: string): void => {
      if (report.wrong.length < 20) report.wrong.push(`${title}: ${what}`)
    }
    writeFileSync(this.#path, bytes)
    const begun = performance.now()
    try {
      const { counters, error } = await read(this.#path)
      const { packets, decoded, malformed, unsupported } = counters
      report.malformed += malformed
      if (packets !== decoded + malformed + unsupported) wrong(`${packets} packets do not add up`)
      if (error !== undefined) report.errors++
      if (error !== undefined && error.length < 10) wrong(`says no more than ${error}`)
      if (expected && packets !== expected.packets) {
        wrong(`${packets} packets instead of ${expected.packets}`)
      }
      if (expected && expected.whole === (error !== undefined)) wrong(`error: ${error}`)
    } catch (error) {
      report.errors++
      if (!(error instanceof Error) || error.message.length < 10) wrong(`throws ${error}`)
      if (expected && (expected.packets > 0 || expected.whole)) wrong(`throws ${error}`)
    }
    report.slowestMs = Math.max(report.slowestMs, performance.now() - begun)
  }
}

async function main(file: string, folder: string, seed: number): Promise<void> {
  const judge = new Judge(folder)
  const draw = random(seed)
  const whole = readFileSync(file)
  const classic = shorten(whole, 14)
  for (const [kind, capture] of Object.entries({ pcap: classic, pcapng: asPcapng(classic) })) {
    const heads = kind === 'pcap' ? [24] : []
    for (let size = 0; size <= capture.bytes.length; size++) {
      const packets = capture.ends.filter((end) => end <= size).length
      // A capture that ends between two packets is whole; pcapng may also end after any block.
      const atEnd = capture.ends.includes(size) || heads.includes(size)
      const known = kind === 'pcap' ? { packets, whole: atEnd } : undefined
      await judge.look(capture.bytes.subarray(0, size), `${kind} cut at ${size}`, known)
      judge.report.cuts++
    }
    for (let i = 0; i < 2000; i++) {
      await judge.look(mutate(capture.bytes, draw), `${kind} mutant ${i}`)
      judge.report.mutants++
    }
  }
  const status = readFileSync('/proc/self/status', 'utf8')
  judge.report.peakBytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024
  console.log(JSON.stringify(judge.report))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [file, folder, seed] = process.argv.slice(2)
  if (file === undefined || folder === undefined)
    throw new Error('usage: mutants.ts CAPTURE FOLDER SEED')
  await main(file, folder, Number(seed))
}
