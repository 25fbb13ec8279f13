// The demo home from its first moment on: every device with its habits, and what all of them do to be on a network.
import { PROFILES } from './devices.ts'
import { mdnsAnnouncement } from './dns-messages.ts'
import type { Address, Ends } from './frames.ts'
import { address, arpFrame, icmpFrame, multicastMac, udpFrame } from './frames.ts'
import type { DemoDevice, Home } from './home.ts'
import { GATEWAY, makeDevice } from './home.ts'
import type { DhcpMessage } from './plain-messages.ts'
import {
  DHCP,
  dhcpMessage,
  echoMessage,
  neighbourMessage,
  ntpMessage,
  routerAdvertisement,
} from './plain-messages.ts'
import { Random } from './random.ts'
import { ask, resolve } from './talks.ts'
import type { Note, Talk } from './world.ts'
import { reversed, World } from './world.ts'

/**
 * A 5-tuple comes again only after this long: longer than any idle time-out, so that it is a new flow for every meter,
 * as a pause of at most `LONGEST_PAUSE_S` never ends one.
 */
export const SHORTEST_RETURN_S = 900
export const LONGEST_PAUSE_S = 8

const ALL_NODES = address('ff02::1')
const ALL_ROUTERS = address('ff02::2')
const BROADCAST = address('255.255.255.255')
const UNSPECIFIED = address('0.0.0.0')
const PREFIX = address('2001:db8:1::')

/** A home that is alive: read `world.packets()`. */
export interface DemoHome extends Home {
  devices: readonly DemoDevice[]
}

/** Begins the home of `seed` at `startMs`. `note` is told every name that is asked for. */
export function startHome(seed: number, startMs: number, note: (note: Note) => void): DemoHome {
  const identities = new Random(seed ^ 0x5eed)
  const devices = PROFILES.map((profile) => makeDevice(profile, identities))
  const world = new World(seed, startMs, GATEWAY, note)
  const byName = new Map(devices.map((each) => [each.hostname, each]))
  const home: DemoHome = {
    world,
    devices,
    device: (hostname) => {
      const found = byName.get(hostname)
      if (!found) throw new RangeError(`the demo home has no device ${hostname}`)
      return found
    },
  }
  world.spawn(advertisesRouter(world), 2000)
  for (const device of devices)
    world.spawn(livesHere(home, device), (device.joinsAfter ?? 0) * 1000)
  return home
}

function* livesHere(home: DemoHome, device: DemoDevice): Talk {
  const { world } = home
  const { random } = world
  if (device.joinsAfter !== undefined) yield* joins(home, device)
  else world.spawn(renewsLease(home, device), random.between(1, 50) * 1000)
  world.spawn(keepsNeighbours(home, device), random.between(0, 4) * 1000)
  world.spawn(announcesItself(home, device), random.between(1, 60) * 1000)
  world.spawn(keepsTime(home, device), random.between(5, 90) * 1000)
  if (device.hostname === 'Laptop') world.spawn(pings(home, device), 30_000)
  for (const habit of device.habits) {
    const repeat = function* (): Talk {
      for (;;) {
        yield* habit.act(home, device)
        const busy = habit.byDay ? activity(world.nowMs) : 1
        yield (random.exponential(habit.everySeconds) * 1000) / busy
      }
    }
    world.spawn(repeat(), random.between(0.2, habit.firstSeconds) * 1000)
  }
}

/** How busy people are: from 0.4 at five in the morning to 1 at five in the afternoon and on (UTC). */
export function activity(timeMs: number): number {
  const hour = (timeMs / 3_600_000) % 24
  return 0.7 + 0.3 * Math.max(-1, Math.min(1, 1.5 * Math.sin(((hour - 11) / 24) * 2 * Math.PI)))
}

function* forEver(world: World, low: number, high: number, once: () => Talk): Talk {
  for (;;) {
    yield* once()
    yield world.random.between(low, high) * 1000
  }
}

/** First contact: addresses by DHCP, then IPv6 by router solicitation. */
function* joins(home: DemoHome, device: DemoDevice): Talk {
  const { world } = home
  const transaction = world.random.uint32()
  const common = { transaction, mac: device.mac }
  const client = { ...common, hostname: device.hostname, vendorClass: device.vendorClass }
  const server = { ...common, lease: device.v4, server: GATEWAY.v4 }
  const ask: Ends = {
    sourceMac: device.mac,
    targetMac: multicastMac(BROADCAST),
    source: UNSPECIFIED,
    target: BROADCAST,
  }
  const answer = world.ends(GATEWAY, device)
  const onLink = { ...answer, source: GATEWAY.v4, target: device.v4 }
  const up = (message: DhcpMessage): void =>
    world.emit(udpFrame(ask, 68, 67, dhcpMessage(message), world.ipId()))
  const down = (message: DhcpMessage): void =>
    world.emit(udpFrame(onLink, 67, 68, dhcpMessage(message), world.ipId()))
  up({ ...client, kind: DHCP.DISCOVER })
  yield world.random.between(5, 40)
  down({ ...server, kind: DHCP.OFFER })
  yield 3
  up({ ...client, kind: DHCP.REQUEST, lease: device.v4 })
  yield world.random.between(5, 20)
  down({ ...server, kind: DHCP.ACK })
  yield 50
  world.spawn(renewsLease(home, device), world.random.between(1500, 2400) * 1000)
  if (!device.linkLocal || !GATEWAY.linkLocal) return
  const solicitation = Buffer.concat([Buffer.from([133, 0, 0, 0, 0, 0, 0, 0, 1, 1]), device.mac])
  const routers = { ...world.ends(device, ALL_ROUTERS), source: device.linkLocal }
  world.emit(icmpFrame(routers, solicitation, 255))
  yield 30
  const back = {
    ...world.ends(GATEWAY, device),
    source: GATEWAY.linkLocal,
    target: device.linkLocal,
  }
  world.emit(icmpFrame(back, routerAdvertisement(PREFIX, GATEWAY.mac), 255))
  yield 20
}

function renewsLease({ world }: DemoHome, device: DemoDevice): Talk {
  return forEver(world, 1500, 2400, function* () {
    const common = { transaction: world.random.uint32(), mac: device.mac }
    const { hostname, vendorClass } = device
    const request = { ...common, kind: DHCP.REQUEST, held: device.v4, hostname, vendorClass }
    const given = { ...common, kind: DHCP.ACK, lease: device.v4, server: GATEWAY.v4 }
    const up = { ...world.ends(device, GATEWAY), source: device.v4, target: GATEWAY.v4 }
    world.emit(udpFrame(up, 68, 67, dhcpMessage(request), world.ipId()))
    yield world.random.between(2, 15)
    world.emit(udpFrame(reversed(up), 67, 68, dhcpMessage(given), world.ipId()))
  })
}

function* keepsNeighbours({ world }: DemoHome, device: DemoDevice): Talk {
  if (device.linkLocal) world.spawn(answersSolicitations(world, device), 500)
  yield* forEver(world, 50, 140, function* () {
    const asks = { ...world.ends(device, GATEWAY), source: device.v4, target: GATEWAY.v4 }
    const [first, second] = world.random.chance(0.5)
      ? [asks, reversed(asks)]
      : [reversed(asks), asks]
    world.emit(arpFrame(first, true))
    yield world.random.between(0.3, 3)
    world.emit(arpFrame(second, false))
  })
}

function answersSolicitations(world: World, device: DemoDevice): Talk {
  return forEver(world, 1000, 1900, function* () {
    const { v6 } = device
    if (!v6 || !GATEWAY.linkLocal) return
    const asked = world.ends(GATEWAY, solicitedNode(v6))
    const question = neighbourMessage(true, v6, GATEWAY.mac)
    world.emit(icmpFrame({ ...asked, source: GATEWAY.linkLocal }, question, 255))
    yield world.random.between(0.5, 4)
    const back = { ...world.ends(device, GATEWAY), target: GATEWAY.linkLocal }
    world.emit(icmpFrame(back, neighbourMessage(false, v6, device.mac), 255))
  })
}

function solicitedNode(v6: Address): Address {
  const [high, low] = [v6.bytes[13]!, v6.bytes.readUInt16BE(14)]
  return address(`ff02::1:ff${high.toString(16).padStart(2, '0')}:${low.toString(16)}`)
}

function advertisesRouter(world: World): Talk {
  return forEver(world, 1000, 1700, function* () {
    if (!GATEWAY.linkLocal) return
    const all = { ...world.ends(GATEWAY, ALL_NODES), source: GATEWAY.linkLocal }
    world.emit(icmpFrame(all, routerAdvertisement(PREFIX, GATEWAY.mac), 255))
    yield 0
  })
}

function announcesItself({ world }: DemoHome, device: DemoDevice): Talk {
  const groups = [address('224.0.0.251'), ...(device.v6 ? [address('ff02::fb')] : [])]
  return forEver(world, 1200, 2400, function* () {
    for (const waitMs of [1000, 0]) {
      for (const group of groups) {
        const ends = world.ends(device, group)
        const from = group.v6 && device.linkLocal ? { ...ends, source: device.linkLocal } : ends
        world.emit(udpFrame(from, 5353, 5353, mdnsAnnouncement(device.announcement), world.ipId()))
      }
      yield waitMs
    }
  })
}

function keepsTime({ world }: DemoHome, device: DemoDevice): Talk {
  return forEver(world, 200, 900, function* () {
    const to = yield* resolve(world, device, `${world.random.integer(0, 4)}.pool.ntp.example.org`)
    const question = ntpMessage(world.nowMs, false)
    yield* ask(world, device, to, 123, question, ntpMessage(world.nowMs, true), 18)
  })
}

function pings({ world }: DemoHome, device: DemoDevice): Talk {
  return forEver(world, 1000, 2000, function* () {
    const to = yield* resolve(world, device, 'www.news.example.com')
    const up = world.ends(device, to)
    const id = world.random.integer(1, 0x10000)
    for (let sequence = 1; sequence <= 4; sequence++) {
      world.emit(icmpFrame(up, echoMessage(to.v6, true, id, sequence), 64, world.ipId()))
      yield 14
      world.emit(icmpFrame(reversed(up), echoMessage(to.v6, false, id, sequence), 57, world.ipId()))
      yield 986
    }
  })
}
