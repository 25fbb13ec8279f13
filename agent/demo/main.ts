#!/usr/bin/env node
// The demo home as a program: writes the traffic of ten devices to standard output as pcap, live and without an end.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { GATEWAY } from './home.ts'
import { startHome } from './scenario.ts'
import { TruthCounter } from './truth.ts'

const USAGE = `Usage: node agent/demo/main.ts [options]
Writes the traffic of a made-up home as pcap to standard output.

  --seed N       another home for another number (default 1)
  --speed X      X times as fast as real time, or max (default 1); max needs --seconds
  --seconds S    end after S seconds of the home's time (default: never)
  --start MS     when the home begins, in milliseconds since the epoch (default: now, with --speed max 1790000000000)
  --truth FILE   at the end write to FILE, as JSON, what the capture holds
  --help         show this text
`

/** Standard output is written in pieces of at least this size when there is no hurry. */
const PIECE_BYTES = 65_536
const TICK_MS = 25
/** When this process was stopped for longer than that, the home skips the time instead of making up for it. */
const LONGEST_LAG_MS = 5000

interface Options {
  seed: number
  /** `Infinity`: as fast as possible. */
  speed: number
  seconds: number
  startMs: number
  truth: string | undefined
}

function parse(args: string[]): Options | undefined {
  const text = { type: 'string' } as const
  const options = { seed: text, speed: text, seconds: text, start: text, truth: text }
  const { values } = parseArgs({ args, options: { ...options, help: { type: 'boolean' } } })
  if (values.help) return undefined
  const number = (name: string, value: string, low: number): number => {
    const read = Number(value)
    if (!(read > low)) throw new RangeError(`--${name} must be a number above ${low}, not ${value}`)
    return read
  }
  const speed =
    values.speed === 'max' ? Number.POSITIVE_INFINITY : number('speed', values.speed ?? '1', 0)
  const seconds = values.seconds ? number('seconds', values.seconds, 0) : Number.POSITIVE_INFINITY
  if (speed === Number.POSITIVE_INFINITY && seconds === Number.POSITIVE_INFINITY)
    throw new RangeError('--speed max needs --seconds')
  const startMs = speed === Number.POSITIVE_INFINITY ? 1_790_000_000_000 : Date.now()
  return {
    seed: number('seed', values.seed ?? '1', -1),
    speed,
    seconds,
    startMs: values.start ? number('start', values.start, -1) : startMs,
    truth: values.truth,
  }
}

/** Header of a pcap file: microseconds, little endian, Ethernet. */
function fileHeader(): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(262_144, 16)
  header.writeUInt32LE(1, 20)
  return header
}

function packetHeader(us: number, frame: Buffer): Buffer {
  const header = Buffer.allocUnsafe(16)
  header.writeUInt32LE(Math.floor(us / 1e6), 0)
  header.writeUInt32LE(us % 1e6, 4)
  header.writeUInt32LE(frame.length, 8)
  header.writeUInt32LE(frame.length, 12)
  return header
}

async function write(pieces: Buffer[]): Promise<void> {
  if (pieces.length > 0 && !process.stdout.write(Buffer.concat(pieces)))
    await once(process.stdout, 'drain')
}

async function play({ seed, speed, seconds, startMs, truth }: Options): Promise<void> {
  const home = startHome(seed, startMs, (note) => counter.note(note))
  const counter = new TruthCounter(
    seed,
    GATEWAY.mac,
    home.devices.map(({ mac, hostname, v4, v6 }) => ({
      mac,
      hostname,
      ips: [v4.text, ...(v6 ? [v6.text] : [])],
    })),
  )
  const begun = performance.now()
  let skippedMs = 0
  let pieces: Buffer[] = [fileHeader()]
  let bytes = 0
  const flush = async (): Promise<void> => {
    const ready = pieces
    pieces = []
    bytes = 0
    await write(ready)
  }
  for (const packet of home.world.packets(startMs + seconds * 1000)) {
    if (speed !== Number.POSITIVE_INFINITY) {
      const dueMs = (packet.timeUs / 1000 - startMs) / speed + skippedMs
      const early = dueMs - (performance.now() - begun)
      if (early < -LONGEST_LAG_MS) skippedMs -= early
      if (early > TICK_MS) {
        await flush()
        await sleep(early)
      }
    }
    if (truth) counter.count(packet)
    // At real speed the home keeps to the time of day, also after a pause.
    const shiftUs = speed === 1 ? Math.round(skippedMs * 1000) : 0
    pieces.push(packetHeader(packet.timeUs + shiftUs, packet.frame), packet.frame)
    bytes += packet.frame.length
    if (bytes >= PIECE_BYTES) await flush()
  }
  await flush()
  if (truth) writeFileSync(truth, `${JSON.stringify(counter.result(), null, 1)}\n`)
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the capture has gone: that is how a live one ends.
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

try {
  const options = parse(process.argv.slice(2))
  if (options) await play(options)
  else process.stdout.write(USAGE)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
}
