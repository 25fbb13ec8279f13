import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { count, FULL } from '../full.ts'
import { ipv4, ipv6, SYN, tcp, u, udp } from './packets.ts'
import { captures, frames, mutated, random } from './samples.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const SECONDS = count('FUZZ_SECONDS', 4, 60)
/** What is built in half the time does for what is run for seconds. */
const OPTIMIZE = FULL ? '-O1' : '-O0'

/** The targets, built once for each state of their sources. */
async function targets(): Promise<string> {
  const hash = createHash('sha256').update(OPTIMIZE)
  for (const folder of ['native/src', 'native/fuzz']) {
    for (const file of readdirSync(join(root, folder)).sort()) {
      if (/\.(cc|h)$|^Makefile$/.test(file))
        hash.update(file).update(readFileSync(join(root, folder, file)))
    }
  }
  const cache = join(root, '.cache/native-fuzz')
  const out = join(cache, hash.digest('hex').slice(0, 16))
  if (existsSync(out)) return out
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const building = mkdtempSync(join(cache, 'building-'))
  await run(
    'make',
    [
      '-s',
      '-j2',
      '-C',
      join(root, 'native/fuzz'),
      `OUT=${relative(join(root, 'native/fuzz'), building)}`,
      `OPTIMIZE=${OPTIMIZE}`,
    ],
    {
      maxBuffer: 1 << 24,
    },
  )
  if (existsSync(out)) rmSync(building, { recursive: true })
  else renameSync(building, out)
  return out
}

describe('native core under ASan and UBSan', function () {
  this.timeout(300_000)
  let folder = ''
  let built = ''

  before(async function () {
    if (spawnSync('clang++-14', ['--version']).status !== 0) {
      if (process.env.CI)
        throw new Error('clang-14 is missing; install the Debian package clang-14')
      this.skip()
    }
    built = await targets()
    folder = mkdtempSync(join(tmpdir(), 'homespin-fuzz-'))
  })
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true })
  })

  async function fuzz(target: string, corpus: Buffer[]): Promise<void> {
    const seeds = mkdtempSync(join(folder, 'corpus-'))
    corpus.forEach((bytes, i) => {
      writeFileSync(join(seeds, String(i)), bytes)
    })
    const limits = [
      `-max_total_time=${SECONDS}`,
      '-timeout=5',
      '-rss_limit_mb=1024',
      '-max_len=16384',
      '-seed=1',
    ]
    const { stderr } = await run(join(built, target), [...limits, seeds], {
      cwd: folder,
      maxBuffer: 1 << 26,
    })
    assert.match(stderr, /Done \d{3,} runs/)
  }

  it('reads captures and frames, generated and mutated', async () => {
    const next = random(1)
    const files = captures().flatMap((bytes) =>
      [0, 1, 4].map((mode) => Buffer.concat([u(1, mode), bytes])),
    )
    const framed = Buffer.concat(
      frames().flatMap((frame) => [u(2, frame.length), u(1, 1, 0), frame]),
    )
    const sound = [
      ...files,
      Buffer.concat([u(1, 3), framed]),
      ...frames().map((frame) => Buffer.concat([u(1, 2), u(2, frame.length), u(1, 1, 0), frame])),
    ]
    await fuzz('fuzz-capture', [
      ...sound,
      ...Array.from({ length: 300 }, (_, i) => mutated(sound[i % sound.length] ?? framed, next)),
    ])
  })

  it('reads netlink messages', async () => {
    const attribute = (type: number, body: Buffer): Buffer => {
      const head = Buffer.alloc(4)
      head.writeUInt16LE(body.length + 4)
      head.writeUInt16LE(type, 2)
      return Buffer.concat([head, body, Buffer.alloc((4 - (body.length % 4)) % 4)])
    }
    const message = (type: number, body: Buffer): Buffer => {
      const head = Buffer.alloc(16)
      head.writeUInt32LE(body.length + 16)
      head.writeUInt16LE(type, 4)
      return Buffer.concat([head, body])
    }
    const ip = Buffer.from([192, 0, 2, 1])
    const hop = Buffer.concat([Buffer.from([16, 0, 0, 0, 2, 0, 0, 0]), attribute(5, ip)])
    const link = [
      attribute(3, Buffer.from('br0\0')),
      attribute(1, Buffer.alloc(6)),
      attribute(18, attribute(1, Buffer.from('bridge\0'))),
    ]
    await fuzz('fuzz-route', [
      message(16, Buffer.concat([Buffer.alloc(16), ...link])),
      message(20, Buffer.concat([Buffer.alloc(8), attribute(2, ip), attribute(1, ip)])),
      message(
        28,
        Buffer.concat([
          Buffer.from([2]),
          Buffer.alloc(11),
          attribute(1, ip),
          attribute(2, Buffer.alloc(6)),
        ]),
      ),
      message(
        24,
        Buffer.concat([
          Buffer.from([2, 0, 0, 0, 0, 0, 0, 1]),
          Buffer.alloc(4),
          attribute(5, ip),
          attribute(9, hop),
        ]),
      ),
      message(3, Buffer.alloc(4)),
      message(2, Buffer.alloc(20)),
    ])
  })

  it('reads packets of a queue: first packets, and DNS over UDP and TCP', async () => {
    const next = random(3)
    const text = (name: string): Buffer =>
      Buffer.concat([
        ...name.split('.').flatMap((label) => [u(1, label.length), Buffer.from(label)]),
        u(1, 0),
      ])
    const dns = (flags: number, name: string, type: number, records: Buffer[] = []): Buffer =>
      Buffer.concat([
        u(2, 7, flags, 1, records.length, 0, 0),
        text(name),
        u(2, type, 1),
        ...records,
      ])
    const record = (name: string, type: number, data: Buffer): Buffer =>
      Buffer.concat([text(name), u(2, type, 1), u(4, 60), u(2, data.length), data])
    const names = ['x.ads.example', 'good.example', 'nas.lan', 'use-application-dns.net']
    const messages = names.flatMap((name) => [
      dns(0x0100, name, 1),
      dns(0x8180, name, 1, [
        record(name, 5, text('a.example')),
        record('a.example', 1, u(1, 203, 0, 113, 9)),
      ]),
      dns(0x8180, name, 65, [
        record(name, 65, Buffer.concat([u(2, 1), u(1, 0), u(2, 4, 4), u(4, 9)])),
      ]),
    ])
    const back = { src: '198.51.100.53', dst: '192.0.2.11' }
    const packets = messages.flatMap((message) => {
      const stream = Buffer.concat([u(2, message.length), message])
      const [head, tail] = [stream.subarray(0, 30), stream.subarray(30)]
      return [
        ipv4(udp(50_000, 53, message)),
        ipv4(udp(53, 50_000, message), back),
        ipv6(udp(53, 50_000, message)),
        ipv4(tcp(50_000, 53, { data: stream }), { protocol: 6 }),
        ipv4(tcp(53, 50_000, { data: head }), { ...back, protocol: 6 }),
        ipv4(tcp(53, 50_000, { data: tail, seq: 31 }), { ...back, protocol: 6 }),
        ipv4(tcp(50_001, 443, { flags: SYN }), { protocol: 6 }),
      ]
    })
    const waiting = (packet: Buffer): Buffer =>
      Buffer.concat([u(2, packet.length), u(1, 2, 1), packet])
    const whole = Buffer.concat(packets.map(waiting))
    const sound = [0, 0x80, 0x84].flatMap((mode) =>
      [0, 0x30, 0x7f].flatMap((what) => [
        Buffer.concat([u(1, mode, what), whole]),
        ...packets.map((packet) => Buffer.concat([u(1, mode, what), waiting(packet)])),
      ]),
    )
    const mutants = Array.from({ length: 200 }, (_, i) =>
      mutated(sound[i % sound.length] ?? whole, next),
    )
    await fuzz('fuzz-queue', [...sound, ...mutants])
  })
})
