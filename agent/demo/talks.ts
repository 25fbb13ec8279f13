// Conversations: what two ends say to each other in UDP, TCP, TLS, QUIC, HTTP and MQTT.
import type { RecordData } from './dns-messages.ts'
import { dnsMessage, overTcp, QTYPE } from './dns-messages.ts'
import type { Address, Ends } from './frames.ts'
import { TCP, tcpFrame, udpFrame } from './frames.ts'
import { httpRequest, httpResponse, mqttPackets } from './plain-messages.ts'
import { clientInitial, serverInitial, shortPacket } from './quic.ts'
import { applicationData, clientFinished, clientFlight, serverFlight } from './tls-messages.ts'
import type { Remote, Station, Talk, World } from './world.ts'
import { reversed } from './world.ts'

/** One exchange inside a connection: what goes up, what comes down, and the pause behind it (at most 8 s). */
export interface Round {
  upBytes: number
  downBytes: number
  pauseMs: number
}

const SEGMENT = 1400
const DATAGRAM = 1250
const NO_DATA = Buffer.alloc(0)

/** A TCP connection under way. */
interface Connection {
  world: World
  up: Ends
  down: Ends
  clientPort: number
  serverPort: number
  roundTripMs: number
  /** Next sequence number of client and server. */
  next: [number, number]
}

function segment(c: Connection, side: 0 | 1, flags: number, payload: Buffer = NO_DATA): void {
  const [from, to] = side === 0 ? [c.clientPort, c.serverPort] : [c.serverPort, c.clientPort]
  const [sequence, acknowledgment] = side === 0 ? c.next : [c.next[1], c.next[0]]
  const what = { sequence, acknowledgment, flags, payload }
  c.world.emit(tcpFrame(side === 0 ? c.up : c.down, from, to, what, c.world.ipId()))
  c.next[side] = (sequence + payload.length + (flags & (TCP.SYN | TCP.FIN) ? 1 : 0)) >>> 0
}

function* connect(
  world: World,
  from: Station,
  to: Station | Address,
  port: number,
): Talk<Connection> {
  const up = world.ends(from, to)
  const c: Connection = {
    world,
    up,
    down: reversed(up),
    clientPort: world.port(from),
    serverPort: port,
    roundTripMs: 'mac' in to ? world.random.between(0.8, 4) : world.random.between(9, 45),
    next: [world.random.uint32(), world.random.uint32()],
  }
  segment(c, 0, TCP.SYN)
  yield c.roundTripMs
  segment(c, 1, TCP.SYN | TCP.ACK)
  yield 0.4
  segment(c, 0, TCP.ACK)
  yield 0.2
  return c
}

/** Sends `data`; the other side acknowledges every second segment and the last. */
function* send(c: Connection, side: 0 | 1, data: Buffer): Talk {
  const other = side === 0 ? 1 : 0
  for (let at = 0, n = 1; at < data.length; at += SEGMENT, n++) {
    const last = at + SEGMENT >= data.length
    segment(c, side, last ? TCP.PSH | TCP.ACK : TCP.ACK, data.subarray(at, at + SEGMENT))
    yield c.world.random.between(0.1, 0.9)
    if (last || n % 2 === 0) segment(c, other, TCP.ACK)
  }
}

function* close(c: Connection): Talk {
  segment(c, 0, TCP.FIN | TCP.ACK)
  yield c.roundTripMs
  segment(c, 1, TCP.FIN | TCP.ACK)
  yield 0.3
  segment(c, 0, TCP.ACK)
}

/** A TLS connection: hellos, then `rounds`, then its end. */
export function* tls(
  world: World,
  from: Station,
  to: Station | Address,
  port: number,
  serverName: string | undefined,
  rounds: Iterable<Round>,
): Talk {
  const c = yield* connect(world, from, to, port)
  const alpn = port === 8883 ? ['mqtt'] : ['h2', 'http/1.1']
  if (serverName) world.note({ kind: 'sni', mac: from.mac, name: serverName })
  yield* send(c, 0, clientFlight(serverName ? { serverName, alpn } : { alpn }, world.random))
  yield c.roundTripMs
  yield* send(c, 1, serverFlight(world.random, world.noise))
  yield 1
  yield* send(c, 0, clientFinished(world.noise))
  for (const round of rounds) {
    if (round.upBytes) yield* send(c, 0, applicationData(round.upBytes, world.noise))
    yield c.roundTripMs
    if (round.downBytes) yield* send(c, 1, applicationData(round.downBytes, world.noise))
    yield round.pauseMs
  }
  yield* close(c)
}

/** One HTTP/1.1 request with its answer, in the clear. */
export function* http(
  world: World,
  from: Station,
  to: Station | Address,
  port: number,
  request: { method: string; host: string; path: string; agent: string; upBytes: number },
  downBytes: number,
): Talk {
  const c = yield* connect(world, from, to, port)
  const { method, host, path, agent, upBytes } = request
  world.note({ kind: 'http', mac: from.mac, name: host })
  yield* send(c, 0, httpRequest(method, host, path, agent, upBytes))
  for (let left = upBytes; left > 0; left -= 16_384)
    yield* send(c, 0, world.noise.take(Math.min(left, 16_384)))
  yield c.roundTripMs
  yield* send(c, 1, httpResponse(downBytes))
  for (let left = downBytes; left > 0; left -= 16_384)
    yield* send(c, 1, world.noise.take(Math.min(left, 16_384)))
  yield* close(c)
}

/** An MQTT session in the clear that publishes what `messages` gives, one every few seconds, with pings between. */
export function* mqtt(
  world: World,
  from: Station,
  to: Station | Address,
  clientId: string,
  messages: Iterable<{ topic: string; payload: string }>,
): Talk {
  const c = yield* connect(world, from, to, 1883)
  yield* send(c, 0, mqttPackets.connect(clientId))
  yield c.roundTripMs
  yield* send(c, 1, mqttPackets.accepted())
  for (const { topic, payload } of messages) {
    yield* send(c, 0, mqttPackets.publish(topic, payload))
    yield world.random.between(3000, 5000)
    yield* send(c, 0, mqttPackets.ping())
    yield c.roundTripMs
    yield* send(c, 1, mqttPackets.pong())
    yield world.random.between(1000, 2500)
  }
  yield* close(c)
}

/** A connection that nobody takes: reset at once, or never answered. */
export function* refused(
  world: World,
  from: Station,
  to: Address,
  port: number,
  reset: boolean,
): Talk {
  const up = world.ends(from, to)
  const clientPort = world.port(from)
  const sequence = world.random.uint32()
  const syn = { sequence, acknowledgment: 0, flags: TCP.SYN, payload: NO_DATA }
  if (reset) {
    world.emit(tcpFrame(up, clientPort, port, syn, world.ipId()))
    yield 20
    const no = { ...syn, sequence: 0, acknowledgment: sequence + 1, flags: TCP.RST | TCP.ACK }
    world.emit(tcpFrame(reversed(up), port, clientPort, no, world.ipId()))
    return
  }
  for (const waitMs of [1000, 2000, 4000, 0]) {
    world.emit(tcpFrame(up, clientPort, port, syn, world.ipId()))
    yield waitMs
  }
}

/** A QUIC connection: Initial packets with the name of the server, then `rounds`. */
export function* quic(
  world: World,
  from: Station,
  to: Address,
  serverName: string,
  rounds: Iterable<Round>,
): Talk {
  const { random, noise } = world
  const up = world.ends(from, to)
  const down = reversed(up)
  const port = world.port(from)
  const roundTripMs = random.between(9, 40)
  const [first, client, server] = [random.bytes(8), random.bytes(8), random.bytes(8)]
  const send = (side: Ends, payload: Buffer): void =>
    world.emit(
      side === up
        ? udpFrame(up, port, 443, payload, world.ipId())
        : udpFrame(down, 443, port, payload, world.ipId()),
    )
  send(up, clientInitial(serverName, first, client, random))
  world.note({ kind: 'quic', mac: from.mac, name: serverName })
  yield roundTripMs
  send(down, serverInitial(first, client, server, random, noise))
  yield 1
  send(up, shortPacket(server, 60, noise))
  for (const round of rounds) {
    for (let left = round.upBytes; left > 0; left -= DATAGRAM) {
      send(up, shortPacket(server, Math.min(left, DATAGRAM), noise))
      yield random.between(0.1, 0.6)
    }
    yield roundTripMs
    for (let left = round.downBytes, n = 1; left > 0; left -= DATAGRAM, n++) {
      send(down, shortPacket(client, Math.min(left, DATAGRAM), noise))
      yield random.between(0.1, 0.6)
      if (n % 4 === 0) send(up, shortPacket(server, 28, noise))
    }
    yield round.pauseMs
  }
}

/** One datagram and its answer, if there is one. */
export function* ask(
  world: World,
  from: Station,
  to: Station | Address,
  port: number,
  question: Buffer,
  answer: Buffer | undefined,
  roundTripMs: number,
): Talk {
  const ends = world.ends(from, to)
  const own = world.port(from)
  world.emit(udpFrame(ends, own, port, question, world.ipId()))
  if (!answer) return
  yield roundTripMs
  world.emit(udpFrame(reversed(ends), port, own, answer, world.ipId()))
}

/** How a name is asked for. */
export interface Lookup {
  qtype: number
  /** `none`: no answer comes; `absent`: NXDOMAIN; `tcp`: the answer is cut and asked for again over TCP. */
  outcome?: 'answered' | 'none' | 'absent' | 'tcp'
}

/** Asks the home's resolver for `name`, once. */
export function* lookUp(world: World, from: Station, name: string, lookup: Lookup): Talk {
  const { qtype, outcome = 'answered' } = lookup
  const { random, gateway } = world
  const id = random.integer(0, 0x10000)
  const question = dnsMessage({ id, query: name, qtype })
  world.note({ kind: 'dns', mac: from.mac, name })
  const answers =
    outcome === 'absent' ? [] : answersOf(world.remote(name), qtype, random.integer(30, 300))
  const rcode = outcome === 'absent' ? 3 : 0
  const whole = dnsMessage({ id, query: name, qtype, answers, rcode })
  const cut = dnsMessage({ id, query: name, qtype, answers: [], truncated: true })
  const roundTripMs = random.chance(0.6) ? random.between(0.4, 2) : random.between(8, 40)
  const answer = outcome === 'none' ? undefined : outcome === 'tcp' ? cut : whole
  yield* ask(world, from, gateway, 53, question, answer, roundTripMs)
  if (outcome !== 'tcp') return
  const c = yield* connect(world, from, gateway, 53)
  world.note({ kind: 'dns', mac: from.mac, name })
  yield* send(c, 0, overTcp(question))
  yield roundTripMs
  yield* send(c, 1, overTcp(whole))
  yield* close(c)
}

function answersOf(remote: Remote, qtype: number, ttlSeconds: number): RecordData[] {
  const names = [remote.name, ...remote.aliases]
  const answers: RecordData[] = remote.aliases.map((data, i) => ({
    name: names[i] ?? remote.name,
    type: QTYPE.CNAME,
    ttlSeconds,
    data,
  }))
  const name = names.at(-1) ?? remote.name
  if (qtype === QTYPE.A) answers.push({ name, type: qtype, ttlSeconds, data: remote.v4 })
  if (qtype === QTYPE.AAAA && remote.v6)
    answers.push({ name, type: qtype, ttlSeconds, data: remote.v6 })
  if (qtype === QTYPE.TXT) {
    const line = Buffer.concat([Buffer.from([200]), Buffer.alloc(200, 'v=demo ')])
    for (let i = 0; i < 8; i++) answers.push({ name, type: qtype, ttlSeconds, data: line })
  }
  return answers
}

/** Asks for the addresses of `name` as its device does, and picks one. */
export function* resolve(world: World, from: Station, name: string): Talk<Address> {
  const remote = world.remote(name)
  const v6 = from.v6 && world.random.chance(0.8) ? remote.v6 : undefined
  // Both are asked at once; what is connected to is the address that was told.
  const [waited, other] = v6 ? [QTYPE.AAAA, QTYPE.A] : [QTYPE.A, QTYPE.AAAA]
  if (from.v6) world.spawn(lookUp(world, from, name, { qtype: other }), 0.2)
  yield* lookUp(world, from, name, { qtype: waited })
  yield world.random.between(1, 6)
  return v6 ?? remote.v4
}
