// Whose packets they are, by the MAC on the frame, for what is said on the link itself: neighbour discovery, multicast
// listeners, newcomers without an address. Alike from a file, from its parts, with changes told, and live.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addon } from '../../agent/addon.ts'
import type { Address, Ends } from '../../agent/demo/frames.ts'
import { address, icmpFrame, mac, multicastMac, udpFrame } from '../../agent/demo/frames.ts'
import {
  DHCP,
  dhcpMessage,
  neighbourMessage,
  routerAdvertisement,
} from '../../agent/demo/plain-messages.ts'
import { Random } from '../../agent/demo/random.ts'
import { Inventory } from '../../agent/inventory/inventory.ts'
import { Locality, parsePrefix } from '../../agent/inventory/locality.ts'
import { NameCache } from '../../agent/names/name-cache.ts'
import { Pipeline } from '../../agent/pipeline.ts'
import { replay } from '../../agent/replay.ts'

interface Host {
  mac: Buffer
  linkLocal: Address
  v6: Address
}

/** Bytes sent and received, by MAC without colons. */
type Sums = Record<string, [sent: number, received: number]>

const START_S = 1_790_000_000
const ROUTER: Host = host('48:8f:5a:01:02:03', 1)
const DEVICES = [1, 2, 3, 4, 5].map((i) => host(`02:0d:e0:00:00:0${i}`, 10 + i))
const ALL_NODES = address('ff02::1')
const ALL_ROUTERS = address('ff02::2')
const ALL_MLD_ROUTERS = address('ff02::16')
const NOBODY = address('::')
const OUTSIDE = address('2001:db8:a::5')

function host(macText: string, number: number): Host {
  return {
    mac: mac(macText),
    linkLocal: address(`fe80::${number}`),
    v6: address(`2001:db8:1::${number}`),
  }
}

function toGroup(from: Host, source: Address, target: Address): Ends {
  return { sourceMac: from.mac, targetMac: multicastMac(target), source, target }
}

function to(from: Host, source: Address, host: Host, target: Address): Ends {
  return { sourceMac: from.mac, targetMac: host.mac, source, target }
}

function solicitedNode({ bytes }: Address): Address {
  return address(`ff02::1:ff00:${bytes.readUInt16BE(14).toString(16)}`)
}

function frames(random: Random): Buffer[] {
  const device = (): Host => random.pick(DEVICES)
  const anyone = (): Host => random.pick([...DEVICES, ROUTER])
  const one = ({ linkLocal, v6 }: Host): Address => random.pick([linkLocal, v6])
  const solicitation = ({ mac }: Host): Buffer =>
    Buffer.concat([Buffer.from([133, 0, 0, 0, 0, 0, 0, 0, 1, 1]), mac])
  const report = Buffer.concat([Buffer.from([143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0]), NOBODY.bytes])
  const kinds: ((d: Host, e: Host) => Buffer)[] = [
    (d, e) =>
      icmpFrame(toGroup(d, one(d), solicitedNode(e.v6)), neighbourMessage(true, e.v6, d.mac), 255),
    (d, e) => icmpFrame(to(d, one(d), e, one(e)), neighbourMessage(true, e.v6, d.mac), 255),
    (d, e) => icmpFrame(to(d, one(d), e, one(e)), neighbourMessage(false, d.v6, d.mac), 255),
    (d) => icmpFrame(toGroup(d, one(d), ALL_NODES), neighbourMessage(false, d.v6, d.mac), 255),
    (d) =>
      icmpFrame(toGroup(d, NOBODY, solicitedNode(d.v6)), neighbourMessage(true, d.v6, d.mac), 255),
    (d) => icmpFrame(toGroup(d, NOBODY, ALL_ROUTERS), solicitation(d), 255),
    (d) => icmpFrame(toGroup(d, d.linkLocal, ALL_ROUTERS), solicitation(d), 255),
    (d) => icmpFrame(toGroup(d, NOBODY, ALL_MLD_ROUTERS), report, 1),
    (d) => icmpFrame(toGroup(d, d.linkLocal, ALL_MLD_ROUTERS), report, 1),
    () =>
      icmpFrame(
        toGroup(ROUTER, ROUTER.linkLocal, ALL_NODES),
        routerAdvertisement(NOBODY, ROUTER.mac),
        255,
      ),
    () => {
      const d = device()
      return icmpFrame(to(d, d.v6, ROUTER, OUTSIDE), report, 64)
    },
    () => {
      const d = device()
      return icmpFrame(to(ROUTER, OUTSIDE, d, d.v6), report, 57)
    },
    () => {
      const d = device()
      const ends = { ...toGroup(d, address('0.0.0.0'), address('255.255.255.255')) }
      return udpFrame(
        ends,
        68,
        67,
        dhcpMessage({ kind: DHCP.DISCOVER, transaction: 1, mac: d.mac }),
      )
    },
  ]
  return Array.from({ length: 40 }, () => random.pick(kinds)(anyone(), device()))
}

function truthOf(all: readonly Buffer[]): Sums {
  const sums = sumsOf([])
  for (const frame of all) {
    const bytes =
      frame.readUInt16BE(12) === 0x86dd ? 40 + frame.readUInt16BE(18) : frame.readUInt16BE(16)
    for (const { mac } of DEVICES) {
      const sum = sums[mac.toString('hex')] as Sums[string]
      if (mac.equals(frame.subarray(6, 12))) sum[0] += bytes
      if (mac.equals(frame.subarray(0, 6))) sum[1] += bytes
    }
  }
  return sums
}

function pcap(all: readonly Buffer[], startS = START_S): Buffer {
  const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')
  const packets = all.flatMap((frame, i) => {
    const head = Buffer.alloc(16)
    head.writeUInt32LE(startS + i, 0)
    head.writeUInt32LE(frame.length, 8)
    head.writeUInt32LE(frame.length, 12)
    return [head, frame]
  })
  return Buffer.concat([header, ...packets])
}

function home(lan: boolean): Locality {
  const locality = new Locality()
  const prefixes = lan ? ['192.0.2.0/24', '2001:db8:1::/64'] : []
  locality.setPrefixes(prefixes.flatMap((text) => parsePrefix(text) ?? []))
  return locality
}

/** Of the home's devices, which all must be there, and no other. */
function sumsOf(devices: Iterable<{ id: string; sent: number; received: number }>): Sums {
  const sums: Sums = Object.fromEntries(DEVICES.map(({ mac }) => [mac.toString('hex'), [0, 0]]))
  for (const { id, sent, received } of devices) {
    if (id !== ROUTER.mac.toString('hex')) sums[id] = [sent, received]
  }
  return sums
}

describe('what is said on the link', function () {
  this.timeout(30_000)
  const seed = Math.floor(Math.random() * 1e9)
  const random = new Random(seed)
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-attribution-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  async function played(parts: readonly Buffer[], lan: boolean, updates: boolean): Promise<Sums> {
    const files = parts.map((part, i) => {
      const file = join(folder, `${i}.pcap`)
      writeFileSync(file, part)
      return file
    })
    const { devices } = await replay(
      files,
      { addon, locality: home(lan), vendorOf: () => undefined, options: { updates } },
      { drained: () => undefined },
    )
    return sumsOf(
      devices.map((d) => ({ id: d.id, sent: d.sent_bytes, received: d.received_bytes })),
    )
  }

  it(`is its sender's and its receiver's, in a file and its parts (seed ${seed})`, async () => {
    for (let round = 0; round < 25; round++) {
      const all = frames(random)
      const truth = truthOf(all)
      const cut = random.integer(1, all.length)
      const parts = [pcap(all.slice(0, cut)), pcap(all.slice(cut), START_S + cut)]
      for (const lan of [true, false]) {
        for (const updates of [true, false]) {
          assert.deepEqual(await played([pcap(all)], lan, updates), truth, `whole, round ${round}`)
          assert.deepEqual(
            await played(parts, lan, updates),
            truth,
            `cut at ${cut}, round ${round}`,
          )
        }
      }
    }
  })

  it(`is theirs also live (seed ${seed})`, async () => {
    const all = frames(random)
    const bytes = pcap(all)
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = await open(pipe, 'w')
    const inventory = new Inventory({ vendorOf: () => undefined })
    const names = new NameCache()
    const pipeline = new Pipeline({
      run: '0',
      locality: home(true),
      inventory,
      names,
      differences: true,
    })
    const capture = addon.createCapture({ names: ['dns', 'sni', 'arp', 'ndp', 'dhcp4'] })
    capture.readDescriptor(fd, true)
    const ended = Promise.withResolvers<void>()
    let batches = 0
    capture.start(() => {
      const batch = capture.drain()
      if (batch.flowCount > 0) batches++
      pipeline.take(batch, { flow: () => {}, dns: () => {} })
      if (batch.ended) ended.resolve()
    })
    for (let at = 0; at < bytes.length; at += 500) {
      await writer.write(bytes.subarray(at, at + 500))
      await sleep(250)
    }
    await writer.close()
    await ended.promise
    assert.ok(batches > 1)
    const told = [...inventory.all()].map(({ id, sentBytes, receivedBytes }) => ({
      id,
      sent: sentBytes,
      received: receivedBytes,
    }))
    assert.deepEqual(sumsOf(told), truthOf(all))
  })
})
