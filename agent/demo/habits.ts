// Habits of devices: what one does again and again, written so that a device is a list of them.
import { mdnsAnswer, mdnsQuestion } from './dns-messages.ts'
import type { Address } from './frames.ts'
import { address, udpFrame } from './frames.ts'
import type { DemoDevice, Home } from './home.ts'
import { coapMessage, ssdpAnswer, ssdpSearch } from './plain-messages.ts'
import type { Round } from './talks.ts'
import { ask, http, lookUp, mqtt, quic, refused, resolve, tls } from './talks.ts'
import type { Talk } from './world.ts'
import { reversed } from './world.ts'

/** One thing that a device does: `act` once in about `everySeconds`, more in the evening if `byDay`. */
export interface Habit {
  everySeconds: number
  byDay: boolean
  /** When first, at the latest. */
  firstSeconds: number
  act: (home: Home, self: DemoDevice) => Talk
}

type Range = readonly [number, number]

/** How much a visit says. */
export interface Visit {
  names: readonly string[]
  everySeconds: number
  rounds?: Range
  upBytes?: Range
  downBytes?: Range
  pauseMs?: Range
  port?: number
}

function* rounds(home: Home, visit: Visit): Generator<Round, void, void> {
  const { random } = home.world
  const {
    rounds: [few, many] = [1, 4],
    upBytes = [200, 1500],
    downBytes = [400, 9000],
    pauseMs = [20, 1500],
  } = visit
  for (let left = random.integer(few, many + 1); left > 0; left--) {
    yield {
      upBytes: random.integer(upBytes[0], upBytes[1] + 1),
      downBytes: random.integer(downBytes[0], downBytes[1] + 1),
      pauseMs: random.between(pauseMs[0], pauseMs[1]),
    }
  }
}

function habit(everySeconds: number, byDay: boolean, act: Habit['act']): Habit {
  return { everySeconds, byDay, firstSeconds: Math.min(everySeconds, 45), act }
}

/** Short TLS connections to one of several names. */
export function visits(visit: Visit, byDay = true): Habit {
  return habit(visit.everySeconds, byDay, function* ({ world, ...home }, self) {
    const name = world.random.pick(visit.names)
    const to = yield* resolve(world, self, name)
    yield* tls(world, self, to, visit.port ?? 443, name, rounds({ world, ...home }, visit))
  })
}

/** The same over QUIC. */
export function quicVisits(visit: Visit, byDay = true): Habit {
  return habit(visit.everySeconds, byDay, function* (home, self) {
    const name = home.world.random.pick(visit.names)
    const to = yield* resolve(home.world, self, name)
    yield* quic(home.world, self, to, name, rounds(home, visit))
  })
}

/** A page with what it embeds: several connections at once. */
export function browses(names: readonly string[], everySeconds: number): Habit {
  return habit(everySeconds, true, function* (home, self) {
    const { world } = home
    const first = world.random.pick(names)
    const others = Array.from({ length: world.random.integer(1, 5) }, () =>
      world.random.pick(names),
    )
    for (const name of [first, ...others]) {
      const visit: Visit = { names: [name], everySeconds: 0, downBytes: [2000, 60_000] }
      world.spawn(
        (function* () {
          const to = yield* resolve(world, self, name)
          if (world.random.chance(0.4)) yield* quic(world, self, to, name, rounds(home, visit))
          else yield* tls(world, self, to, 443, name, rounds(home, visit))
        })(),
        world.random.between(0, 900),
      )
    }
    yield 0
  })
}

/** A request in the clear, as for firmware or a captive-portal check. */
export function httpVisits(
  host: string,
  path: string,
  agent: string,
  everySeconds: number,
  downBytes: number,
): Habit {
  return habit(everySeconds, false, function* ({ world }, self) {
    const to = yield* resolve(world, self, host)
    const request = { method: 'GET', host, path, agent, upBytes: 0 }
    yield* http(world, self, to, 80, request, downBytes)
  })
}

/** A telemetry session over MQTT in the clear. */
export function mqttSession(host: string, everySeconds: number, payload: () => string): Habit {
  return habit(everySeconds, false, function* ({ world }, self) {
    const to = yield* resolve(world, self, host)
    const id = self.hostname.toLowerCase()
    const count = world.random.integer(10, 60)
    const messages = Array.from({ length: count }, () => ({
      topic: `dev/${id}/state`,
      payload: payload(),
    }))
    yield* mqtt(world, self, to, id, messages)
  })
}

/** Datagrams to a bare address that no name was asked for, without an end. */
export function heartbeats(to: Address, port: number): Habit {
  return {
    ...habit(1, false, function* ({ world }, self) {
      const ends = world.ends(self, to)
      const own = world.port(self)
      for (;;) {
        world.emit(udpFrame(ends, own, port, world.noise.take(44), world.ipId()))
        yield 25
        world.emit(udpFrame(reversed(ends), port, own, world.noise.take(28), world.ipId()))
        yield world.random.between(4000, 6500)
      }
    }),
    firstSeconds: 3,
  }
}

/** Names that no longer exist, or that nobody answers for. */
export function failsToResolve(
  name: string,
  everySeconds: number,
  outcome: 'absent' | 'none',
): Habit {
  return habit(everySeconds, false, ({ world }, self) =>
    lookUp(world, self, name, { qtype: 1, outcome }),
  )
}

/** A text record that is too long for a datagram, so that it is asked for again over TCP. */
export function asksForText(name: string, everySeconds: number): Habit {
  return habit(everySeconds, false, ({ world }, self) =>
    lookUp(world, self, name, { qtype: 16, outcome: 'tcp' }),
  )
}

/** A server that refuses, or is silent. */
export function knocks(name: string, port: number, everySeconds: number, reset: boolean): Habit {
  return habit(everySeconds, false, function* ({ world }, self) {
    const to = yield* resolve(world, self, name)
    yield* refused(world, self, to, port, reset)
  })
}

/** A command to another device over HTTP. */
export function commands(to: string, path: string, everySeconds: number): Habit {
  return habit(everySeconds, true, function* (home, self) {
    const target = home.device(to)
    const host = target.v4.text
    const request = { method: 'PUT', host, path, agent: 'hub/2.1', upBytes: 120 }
    yield* http(home.world, self, target, 80, request, 90)
  })
}

/** A print job (IPP is HTTP). */
export function prints(to: string, everySeconds: number): Habit {
  return habit(everySeconds, true, function* ({ world, device }, self) {
    const target = device(to)
    const request = {
      method: 'POST',
      host: `${target.hostname}.local`,
      path: '/ipp/print',
      agent: 'CUPS/2.4',
      upBytes: world.random.integer(90_000, 600_000),
    }
    yield* http(world, self, target, 631, request, 260)
  })
}

/** Reads another device's state by CoAP. */
export function reads(to: string, path: string, everySeconds: number, answer: string): Habit {
  return habit(everySeconds, true, function* ({ world, device }, self) {
    const id = world.random.integer(0, 0x10000)
    const token = world.random.bytes(4)
    const question = coapMessage(id, token, path)
    yield* ask(world, self, device(to), 5683, question, coapMessage(id, token, path, answer), 6)
  })
}

/** Looks for a screen, finds it by mDNS and SSDP, and controls it for a while. */
export function casts(to: string, everySeconds: number): Habit {
  return habit(everySeconds, true, function* (home, self) {
    const { world } = home
    const screen = home.device(to)
    const id = world.random.integer(1, 0x10000)
    world.spawn(searches(home, self, screen), 300)
    const group = world.ends(self, address('224.0.0.251'))
    const port = world.port(self)
    world.emit(
      udpFrame(group, port, 5353, mdnsQuestion(id, screen.announcement.service), world.ipId()),
    )
    yield world.random.between(20, 120)
    const ends = world.ends(screen, self.v4)
    const onLink = { ...ends, targetMac: self.mac }
    world.emit(udpFrame(onLink, 5353, port, mdnsAnswer(id, screen.announcement), world.ipId()))
    yield 400
    const visit: Visit = { names: [], everySeconds: 0, rounds: [8, 40], pauseMs: [500, 6000] }
    yield* tls(world, self, screen, screen.announcement.port, undefined, rounds(home, visit))
  })
}

function* searches({ world }: Home, self: DemoDevice, screen: DemoDevice): Talk {
  const what = 'urn:dial-multiscreen-org:service:dial:1'
  const group = world.ends(self, address('239.255.255.250'))
  const port = world.port(self)
  world.emit(udpFrame(group, port, 1900, ssdpSearch(what), world.ipId()))
  yield world.random.between(100, 700)
  const location = `http://${screen.v4.text}:8060/dial.xml`
  const answer = ssdpAnswer(what, location, screen.uuid)
  const onLink = { ...world.ends(screen, self.v4), targetMac: self.mac }
  world.emit(udpFrame(onLink, 1900, port, answer, world.ipId()))
}
