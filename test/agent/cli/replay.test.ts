// homespin replay, the real program with the real addon, on the demo home and its truth.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceTruth, Truth } from '../../../agent/demo/truth.ts'
import type { Device, Dns, Flow, Summary } from '../../../protocol/messages.ts'
import type { Result } from './program.ts'
import { GENERATOR, homespin, PROGRAM } from './program.ts'

const ADDON = join(import.meta.dirname, '../../../native/build/Release/homespin_native.node')
const LAN = ['--lan', '192.0.2.0/24', '--lan', '2001:db8:1::/64']

interface Lines {
  flows: Flow[]
  dns: Dns[]
  devices: Device[]
  summary: Summary
}

function linesOf({ code, out, err }: Result, expectedCode = 0): Lines {
  assert.equal(code, expectedCode, err)
  const all = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string })
  const of = <T>(type: string): T[] => all.filter((line) => line.type === type) as T[]
  assert.equal(all.at(-1)?.type, 'summary', 'the summary is last')
  const devices = of<Device>('device')
  assert.deepEqual(all.slice(-1 - devices.length, -1), devices, 'devices are before it')
  return {
    flows: of('flow'),
    dns: of('dns'),
    devices,
    summary: of<Summary>('summary')[0] as Summary,
  }
}

function counts(names: (string | undefined)[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const name of names) if (name !== undefined) sums[name] = (sums[name] ?? 0) + 1
  return sums
}

/** The sums of a home that was recorded in pieces or twice are those of its parts. */
function totals(devices: readonly (Device | DeviceTruth)[]): Record<string, number[]> {
  return Object.fromEntries(
    devices
      .map((d): [string, number[]] =>
        'id' in d
          ? [d.mac ?? '', [d.sent_bytes, d.received_bytes, d.sent_packets, d.received_packets]]
          : [
              d.mac,
              [d.ip_bytes_sent, d.ip_bytes_received, d.ip_packets_sent, d.ip_packets_received],
            ],
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/**
 * In an order that does not depend on when batches were taken. When a device was seen last may be by an ARP message that
 * was said before, of which chance lets one through now and then.
 */
function sorted({ flows, dns, devices, summary }: Lines): unknown {
  const text = (lines: readonly unknown[]): string[] => lines.map((l) => JSON.stringify(l)).sort()
  const seen = devices.map(({ last_seen_ms: _, ...device }) => device)
  return { flows: text(flows), dns: text(dns), devices: text(seen), summary }
}

describe('homespin replay', function () {
  this.timeout(60_000)
  const seed = String(1 + Math.floor(Math.random() * 1e6))
  let folder = ''
  let capture = ''
  let pcap: Buffer
  let truth: Truth

  before(async function () {
    if (!existsSync(ADDON)) {
      if (process.env.CI === 'true')
        throw new Error('the native addon is not built: npm test builds it')
      this.skip()
    }
    folder = mkdtempSync(join(tmpdir(), 'homespin-replay-'))
    capture = join(folder, 'home.pcap')
    const truthFile = join(folder, 'truth.json')
    // A file as standard output: text would not hold the capture.
    const args = ['--speed', 'max', '--seconds', '240', '--seed', seed, '--truth', truthFile]
    const fd = openSync(capture, 'w')
    const made = spawnSync(process.execPath, [GENERATOR, ...args], {
      stdio: ['ignore', fd, 'pipe'],
    })
    assert.equal(made.status, 0, made.stderr?.toString())
    pcap = readFileSync(capture)
    truth = JSON.parse(readFileSync(truthFile, 'utf8')) as Truth
  })

  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true })
  })

  function isTrue(lines: Lines): void {
    const { summary, devices, flows, dns } = lines
    assert.equal(summary.packets, truth.packets)
    assert.equal(summary.decoded + summary.malformed + summary.unsupported, summary.packets)
    assert.deepEqual(
      [summary.bytes, summary.ip_packets, summary.ip_bytes, summary.flows, summary.dns_queries],
      [truth.bytes, truth.ip_packets, truth.ip_bytes, truth.flows, truth.dns_queries],
    )
    const home = devices.filter((device) => device.mac !== truth.gateway)
    assert.deepEqual(totals(home), totals(truth.devices))
    assert.equal(summary.devices, devices.length)
    assert.equal(flows.length, truth.flows)
    assert.equal(new Set(flows.map((flow) => flow.id)).size, flows.length)
    assert.equal(dns.length, truth.dns_queries)
    for (const device of truth.devices) {
      const id = device.mac.replaceAll(':', '')
      assert.deepEqual(
        counts(dns.filter((d) => d.device_id === id).map((d) => d.query)),
        device.dns,
        id,
      )
      assert.deepEqual(
        counts(flows.filter((f) => f.device_id === id).map((f) => f.sni)),
        device.sni,
        id,
      )
      const told = home.find((d) => d.id === id)
      for (const ip of device.ips) assert.ok(told?.ips.includes(ip), `${id} has ${ip}`)
    }
    for (const flow of flows) {
      assert.equal(flow.state, 'closed', flow.id)
      if (flow.sni !== undefined)
        assert.ok(flow.remote_name_source === 'dns' || flow.remote_name === flow.sni)
    }
  }

  it(`equals the truth with --lan and without (seed ${seed})`, async () => {
    const told = linesOf(await homespin(['replay', '--json', ...LAN, capture]))
    isTrue(told)
    const inferred = linesOf(await homespin(['replay', capture, '--json']))
    isTrue(inferred)
    assert.deepEqual(
      inferred.flows.map((f) => f.direction),
      told.flows.map((f) => f.direction),
    )
    assert.deepEqual(inferred.devices, told.devices)
  })

  it('equals the truth on standard input', async () => {
    isTrue(linesOf(await homespin(['replay', '-', '--json', ...LAN], { input: pcap })))
  })

  it('is the same to a reader that lets it wait, with and without the home known', async () => {
    for (const lan of [LAN, []]) {
      const child = spawn(
        process.execPath,
        [PROGRAM, 'replay', '--json', '--updates', ...lan, capture],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      await sleep(1000)
      let out = ''
      child.stdout.setEncoding('utf8')
      for await (const part of child.stdout) out += part
      const { flows } = linesOf({ code: (await ended) ?? 1, out, err: '' })
      assert.equal(new Set(flows.map((flow) => flow.id)).size, truth.flows)
    }
  })

  it('with --updates tells flows as they change, and the same at their end', async () => {
    const lines = linesOf(await homespin(['replay', '--json', '--updates', ...LAN, capture]))
    const last = new Map(lines.flows.map((flow) => [flow.id, flow]))
    isTrue({ ...lines, flows: [...last.values()] })
    const before = new Map<string, Flow>()
    for (const flow of lines.flows) {
      const earlier = before.get(flow.id)
      assert.notEqual(earlier?.state, 'closed', `${flow.id} goes on after its end`)
      assert.ok(
        (earlier?.sent_bytes ?? 0) <= flow.sent_bytes &&
          (earlier?.received_bytes ?? 0) <= flow.received_bytes,
      )
      before.set(flow.id, flow)
    }
  })

  it(`of several files is that of the whole, wherever it was cut (seed ${seed})`, async () => {
    // Cut between packets, so that each part is a whole capture; the first is a handful, in which the router is not seen.
    const offsets = [24]
    for (let at = 24; at < pcap.length; ) {
      at += 16 + pcap.readUInt32LE(at + 8)
      offsets.push(at)
    }
    const any = (): number => offsets[Math.floor(Math.random() * offsets.length)] as number
    for (const lan of [LAN, []]) {
      const whole = sorted(linesOf(await homespin(['replay', '--json', ...lan, capture])))
      for (const places of [[1], [3, offsets.length >> 1], undefined]) {
        const inner = places?.map((i) => offsets[i] as number) ?? [any(), any(), any()]
        const cuts = [24, ...inner.sort((a, b) => a - b), pcap.length]
        const parts = cuts.slice(1).map((end, i) => {
          const file = join(folder, `part${i}.pcap`)
          writeFileSync(file, Buffer.concat([pcap.subarray(0, 24), pcap.subarray(cuts[i], end)]))
          return file
        })
        const lines = linesOf(await homespin(['replay', '--json', ...lan, ...parts]))
        isTrue(lines)
        assert.deepEqual(sorted(lines), whole, `cut at ${cuts}, ${lan}`)
      }
    }
  })

  it('of several files in the wrong order has the same sums', async () => {
    const half = 24 + Math.floor((pcap.length - 24) / 2)
    let at = 24
    while (at < half) at += 16 + pcap.readUInt32LE(at + 8)
    const [early, late] = [join(folder, 'early.pcap'), join(folder, 'late.pcap')]
    writeFileSync(early, pcap.subarray(0, at))
    writeFileSync(late, Buffer.concat([pcap.subarray(0, 24), pcap.subarray(at)]))
    for (const lan of [LAN, []]) {
      const { devices, summary } = linesOf(
        await homespin(['replay', '--json', ...lan, late, early]),
      )
      const home = devices.filter((device) => device.mac !== truth.gateway)
      assert.deepEqual(totals(home), totals(truth.devices))
      assert.equal(summary.packets, truth.packets)
      assert.ok(summary.flows >= truth.flows)
      assert.ok(Math.abs(summary.duration_ms - 240_000) < 5000)
    }
  })

  it('for people is a table and a line of sums', async () => {
    const { code, out } = await homespin(['replay', ...LAN, capture])
    assert.equal(code, 0)
    const lines = out.trimEnd().split('\n')
    assert.match(lines[0] as string, /^DEVICE +ID +ADDRESS +SENT +RECEIVED$/)
    assert.equal(lines.length, 1 + truth.devices.length + 1 + 2)
    assert.ok(lines.at(-1)?.startsWith(`${truth.packets} packets (0 malformed, `))
    assert.ok(lines.at(-1)?.includes(`${truth.flows} flows`))
  })

  it('stops at once when nobody reads any more', async () => {
    const { code, out, err } = await homespin(['replay', '--json', '--updates', capture], {
      readBytes: 1000,
    })
    assert.deepEqual([code, err], [0, ''])
    assert.ok(out.startsWith('{"type":'))
  })

  it('stops when nobody reads any more, though its input has no end', async () => {
    const generator = ['--speed', 'max', '--seconds', '100000', '--seed', seed]
    const endless = spawn(process.execPath, [GENERATOR, ...generator], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const replay = spawn(process.execPath, [PROGRAM, 'replay', '-', '--json', ...LAN], {
      stdio: [endless.stdout, 'pipe', 'inherit'],
    })
    try {
      replay.stdout.once('data', () => replay.stdout.destroy())
      const code = await new Promise((resolve, reject) => {
        replay.once('exit', resolve)
        setTimeout(() => reject(new Error('it goes on')), 15_000).unref()
      })
      assert.equal(code, 0)
    } finally {
      replay.kill('SIGKILL')
      endless.kill('SIGKILL')
    }
  })

  it('of a file that is not there ends with exit code 1 and a sentence, before anything is played', async () => {
    const { code, out, err } = await homespin([
      'replay',
      '--json',
      capture,
      join(folder, 'none.pcap'),
    ])
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /^homespin: .*none\.pcap can't be read: ENOENT/)
    assert.equal(err.trim().split('\n').length, 1)
  })

  const broken: [what: string, make: (file: string) => void, says: RegExp][] = [
    [
      'cut in a packet',
      (file) => {
        writeFileSync(file, pcap)
        truncateSync(file, pcap.length - 7)
      },
      /packet \d+/,
    ],
    ['cut in its header', (file) => writeFileSync(file, pcap.subarray(0, 11)), /./],
    ['with nothing in it', (file) => writeFileSync(file, ''), /./],
    [
      'that is none',
      (file) => writeFileSync(file, 'a letter, not a capture, and long enough for a header'),
      /./,
    ],
  ]
  for (const [what, make, says] of broken) {
    it(`of a capture ${what} tells what it read, a sentence, and exit code 1`, async () => {
      const file = join(folder, 'broken.pcap')
      make(file)
      const result = await homespin(['replay', '--json', ...LAN, file])
      const { summary } = linesOf(result, 1)
      assert.equal(summary.packets, what === 'cut in a packet' ? truth.packets - 1 : 0)
      assert.match(result.err, /^homespin: .*broken\.pcap: .+\n$/)
      assert.match(result.err, says)
      assert.doesNotMatch(result.err, /\n +at /)
    })
  }

  it('goes on with the next file after a broken one', async () => {
    const file = join(folder, 'broken.pcap')
    writeFileSync(file, pcap.subarray(0, 24 + 16 + pcap.readUInt32LE(24 + 8) + 20))
    const result = await homespin(['replay', '--json', ...LAN, file, capture])
    assert.equal(linesOf(result, 1).summary.packets, truth.packets + 1)
  })

  it('of a directory ends with exit code 1 and a sentence', async () => {
    const { code, err } = await homespin(['replay', folder])
    assert.equal(code, 1)
    assert.match(err, /^homespin: .+\n$/)
    assert.doesNotMatch(err, /\n +at /)
  })

  it('to a full disk ends with exit code 1 and a sentence', async function () {
    if (!existsSync('/dev/full')) this.skip()
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'replay', '--json', capture], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
      timeout: 20_000,
    })
    assert.equal(status, 1)
    assert.match(stderr.toString(), /^homespin: .*(ENOSPC|no space)/)
    assert.doesNotMatch(stderr.toString(), /\n +at /)
  })
})
