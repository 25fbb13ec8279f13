// The demo home is a source of truth for other tests, so its frames and its figures are checked against each other here.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createDecipheriv } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientInitial, initialKeys } from '../../../agent/demo/quic.ts'
import { Random } from '../../../agent/demo/random.ts'
import { activity } from '../../../agent/demo/scenario.ts'
import type { Truth } from '../../../agent/demo/truth.ts'

const program = join(import.meta.dirname, '../../../agent/demo/main.ts')

function generate(...args: string[]): Buffer {
  const run = spawnSync(process.execPath, [program, ...args], {
    maxBuffer: 512 * 1024 * 1024,
    timeout: 60_000,
  })
  assert.equal(run.status, 0, run.stderr.toString())
  return run.stdout
}

function* frames(pcap: Buffer): Generator<{ timeMs: number; frame: Buffer }> {
  for (let at = 24; at < pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8)
    const timeMs = pcap.readUInt32LE(at) * 1000 + pcap.readUInt32LE(at + 4) / 1000
    yield { timeMs, frame: pcap.subarray(at + 16, at + 16 + length) }
    at += 16 + length
  }
}

/** One's complement sum of 16-bit words; 0xffff where the checksum in it is right. */
function sum(...parts: Buffer[]): number {
  let total = 0
  for (const part of parts)
    for (let i = 0; i < part.length; i++) total += i % 2 ? part[i]! : part[i]! << 8
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}

function isDocumentation(ip: Buffer): boolean {
  const hex = ip.toString('hex')
  if (ip.length === 4)
    return (
      /^(c00002|c63364|cb0071)/.test(hex) ||
      hex === '00000000' ||
      hex === 'ffffffff' ||
      ip[0]! >= 224
    )
  return /^(20010db8|fe80|ff02)/.test(hex)
}

describe('the demo home', function () {
  this.timeout(60_000)
  let folder = ''
  let pcap: Buffer = Buffer.alloc(0)
  let truth: Truth
  const seed = String(1 + Math.floor(Math.random() * 1e6))

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-demo-'))
    const file = join(folder, 'truth.json')
    pcap = generate('--seed', seed, '--speed', 'max', '--seconds', '1200', '--truth', file)
    truth = JSON.parse(readFileSync(file, 'utf8')) as Truth
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  it(`is the same for the same seed, and another for another (seed ${seed})`, () => {
    const args = ['--speed', 'max', '--seconds', '20', '--seed']
    assert.deepEqual(generate(...args, '7'), generate(...args, '7'))
    assert.notDeepEqual(generate(...args, '7'), generate(...args, '8'))
  })

  it('writes frames in order of time, with right lengths and checksums, and documentation addresses alone', () => {
    assert.equal(pcap.readUInt32LE(0), 0xa1b2c3d4)
    let last = 0
    for (const { timeMs, frame } of frames(pcap)) {
      assert.ok(timeMs >= last)
      last = timeMs
      const type = frame.readUInt16BE(12)
      if (type === 0x0806) continue
      const v6 = type === 0x86dd
      const header = v6 ? 40 : 20
      const size = v6 ? frame.readUInt16BE(18) : frame.readUInt16BE(16) - 20
      const whole = 14 + header + size
      assert.ok(frame.length === Math.max(whole, 60) || frame.length === whole)
      if (!v6) assert.equal(sum(frame.subarray(14, 34)), 0xffff)
      const protocol = frame[v6 ? 20 : 23]!
      const addresses = frame.subarray(v6 ? 22 : 26, 14 + header)
      const half = addresses.length / 2
      assert.ok(isDocumentation(addresses.subarray(0, half)), addresses.toString('hex'))
      assert.ok(isDocumentation(addresses.subarray(half)), addresses.toString('hex'))
      const body = frame.subarray(14 + header, whole)
      const pseudo = Buffer.from([0, protocol, size >> 8, size & 0xff])
      const parts = protocol === 1 ? [body] : [addresses, pseudo, body]
      assert.equal(sum(...parts), 0xffff, `protocol ${protocol} at ${timeMs}`)
    }
  })

  it('counts what it wrote', () => {
    let [packets, bytes, ipPackets, dns] = [0, 0, 0, 0]
    const tuples = new Set<string>()
    for (const { frame } of frames(pcap)) {
      packets++
      bytes += frame.length
      const type = frame.readUInt16BE(12)
      if (type === 0x0806) continue
      ipPackets++
      const v6 = type === 0x86dd
      const [protocol, at] = v6 ? [frame[20]!, 54] : [frame[23]!, 34]
      if (protocol === 17 && frame.readUInt16BE(at + 2) === 53) dns++
      if (protocol === 6 && frame.readUInt16BE(at + 2) === 53)
        if (v6 ? frame.readUInt16BE(18) > 40 : frame.readUInt16BE(16) > 60) dns++
      const ports =
        protocol === 6 || protocol === 17
          ? [frame.toString('hex', at, at + 2), frame.toString('hex', at + 2, at + 4)]
          : ['', '']
      const ips = v6
        ? [frame.toString('hex', 22, 38), frame.toString('hex', 38, 54)]
        : [frame.toString('hex', 26, 30), frame.toString('hex', 30, 34)]
      tuples.add([protocol, ...[ips[0]! + ports[0], ips[1]! + ports[1]].sort()].join())
    }
    const { packets: p, bytes: b, ip_packets: i, dns_queries: d } = truth
    assert.deepEqual({ p, b, i, d }, { p: packets, b: bytes, i: ipPackets, d: dns })
    // A 5-tuple may come again after fifteen minutes, so in twenty minutes there are at least as many flows as tuples.
    assert.ok(truth.flows >= tuples.size && truth.flows < tuples.size * 1.1)
    const named = truth.devices.flatMap((device) => Object.values(device.dns))
    assert.equal(
      named.reduce((all, each) => all + each, 0),
      truth.dns_queries,
    )
  })

  it('has ten devices of all sorts, each with traffic both ways', () => {
    assert.equal(truth.devices.length, 10)
    assert.equal(new Set(truth.devices.map((each) => each.mac)).size, 10)
    for (const device of truth.devices) {
      assert.ok(device.ip_bytes_sent > 1000 && device.ip_bytes_received > 1000, device.hostname)
      assert.ok(Object.keys(device.dns).length > 1, device.hostname)
    }
    assert.ok(truth.devices.some((each) => Number.parseInt(each.mac.slice(0, 2), 16) & 2))
    assert.ok(truth.devices.some((each) => Object.keys(each.quic).length > 0))
    assert.ok(truth.devices.some((each) => each.ips.length > 1))
  })

  it('is read without complaint by tcpdump', function () {
    const file = join(folder, 'demo.pcap')
    writeFileSync(file, generate('--seed', seed, '--speed', 'max', '--seconds', '60'))
    const args = ['-nn', '-vv', '-r', file]
    const run = spawnSync('tcpdump', args, {
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
      timeout: 30_000,
    })
    if (run.error) {
      if (process.env.CI === 'true') assert.fail('tcpdump is missing')
      this.skip()
    }
    assert.equal(run.status, 0, run.stderr)
    const wrong = run.stdout
      .split('\n')
      // tcpdump does not put a DNS message over TCP together, and says so.
      .filter((line) => !line.includes('prefix length'))
      .filter((line) => /bad (udp )?cksum|incorrect|\[\||invalid|truncated/.test(line))
    assert.deepEqual(wrong.slice(0, 5), [])
  })

  it('names the server in QUIC Initial packets under the keys of RFC 9001', () => {
    // The keys of RFC 9001, appendix A.1.
    const keys = initialKeys(Buffer.from('8394c8f03e515708', 'hex'), true)
    assert.equal(keys.key.toString('hex'), '1f369613dd76d5467730efcbe3b1a22d')
    assert.equal(keys.iv.toString('hex'), 'fa044b2f42a3fd3b46fb255c')
    assert.equal(keys.headerProtection.toString('hex'), '9f50449e04a0e810283a1e9933adedd2')
    const random = new Random(1)
    const id = Buffer.from('8394c8f03e515708', 'hex')
    const packet = clientInitial('a.example.com', id, random.bytes(8), random)
    assert.equal(packet.length, 1200)
    const number = 1 + 4 + 1 + 8 + 1 + 8 + 1 + 2
    const body = packet.subarray(number + 2, -16)
    const open = createDecipheriv('aes-128-gcm', keys.key, keys.iv)
    assert.ok(open.update(body).includes('a.example.com'))
  })

  it('plays at the speed of life until nobody reads', async () => {
    const child = spawn(process.execPath, [program, '--speed', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const begun = Date.now()
    let last = 0
    let packets = 0
    const pieces: Buffer[] = []
    for await (const piece of child.stdout) {
      pieces.push(piece as Buffer)
      if (Date.now() - begun > 4000) break
    }
    for (const { timeMs, frame } of frames(Buffer.concat(pieces)))
      if (frame.length >= 14) {
        packets++
        last = timeMs
      }
    if (child.exitCode === null) await once(child, 'exit')
    assert.equal(child.exitCode, 0)
    assert.ok(packets > 20, `${packets} packets`)
    assert.ok(Math.abs(last - Date.now()) < 2000, `the last packet is ${Date.now() - last} ms old`)
  })

  it('refuses what it cannot do, with a sentence', () => {
    for (const args of [
      ['--speed', 'max'],
      ['--seconds', 'x'],
      ['--colour', 'red'],
    ]) {
      const run = spawnSync(process.execPath, [program, ...args], { timeout: 10_000 })
      assert.equal(run.status, 2)
      assert.ok(run.stderr.length > 10)
      assert.equal(run.stdout.length, 0)
    }
  })

  it('sleeps at night', () => {
    const hour = (h: number): number => activity(h * 3_600_000)
    assert.ok(hour(5) < 0.5 && hour(18) > 0.9)
  })
})
