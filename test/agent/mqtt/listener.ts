// What a test needs around a publisher: messages to publish, and a real client that hears what came of it.

import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { ChangedFlows, Interval } from '../../../agent/interval.ts'
import type { Log, LogMessage } from '../../../agent/log.ts'
import type { AgentEvent, Device, Dns, Flow, Info } from '../../../protocol/messages.ts'

export interface Heard {
  topic: string
  text: string
  retained: boolean
  qos: number
}

export interface Listener {
  client: MqttClient
  heard: Heard[]
  /** What was heard on a topic, as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests compare messages field by field.
  on: (topic: string) => any[]
  stop: () => Promise<void>
}

/** A client that subscribes to `filter`. */
export async function listenTo(
  url: string,
  filter: string | string[],
  options: Record<string, unknown> = {},
): Promise<Listener> {
  const client = await connectAsync(url, { reconnectPeriod: 200, ...options })
  const heard: Heard[] = []
  client.on('error', () => {})
  client.on('message', (topic, payload, { retain, qos }) => {
    heard.push({ topic, text: payload.toString(), retained: retain, qos })
  })
  await client.subscribeAsync(filter, { qos: 1 })
  return {
    client,
    heard,
    on: (topic) => heard.filter((one) => one.topic === topic).map(({ text }) => JSON.parse(text)),
    stop: () => client.endAsync(true),
  }
}

export interface Gate {
  port: number
  open: () => void
  close: () => void
  stop: () => Promise<void>
}

/** A port before a broker's, shut at first: a publisher behind it can be kept waiting while others connect. */
export async function gateTo(port: number): Promise<Gate> {
  let isOpen = false
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((inner) => {
    keep(inner)
    if (!isOpen) return void inner.destroy()
    const outer = connect(port, '127.0.0.1')
    keep(outer)
    inner.pipe(outer).pipe(inner)
    inner.on('close', () => outer.destroy())
    outer.on('close', () => inner.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    isOpen = false
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    open: () => {
      isOpen = true
    },
    close,
    stop: async () => {
      close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Waits for something to become true. */
export async function until(
  what: () => boolean,
  ms = 5000,
  say = 'it did not happen',
): Promise<void> {
  const end = performance.now() + ms
  while (!what()) {
    if (performance.now() > end) throw new Error(`${say} within ${ms} ms: ${what}`)
    await sleep(10)
  }
}

export interface RecordingLog extends Log {
  lines: string[]
}

/** A log that keeps its lines; debug is left out. */
export function recordingLog(): RecordingLog {
  const lines: string[] = []
  const at = (level: string) => (message: LogMessage) => {
    lines.push(`${level} ${typeof message === 'string' ? message : message()}`)
  }
  const log: RecordingLog = {
    lines,
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: () => {},
    child: () => log,
  }
  return log
}

export function flow(n: number, more: Partial<Flow> = {}): Flow {
  return {
    type: 'flow',
    id: `run-${n.toString(36)}`,
    device_id: '020de0000001',
    direction: 'outbound',
    protocol: 'tcp',
    originator: { ip: '192.0.2.11', port: 50000, mac: '02:0d:e0:00:00:01' },
    responder: { ip: '203.0.113.9', port: 443 },
    remote_name: `host-${n}.example.com`,
    remote_name_source: 'dns',
    sni: `host-${n}.example.com`,
    sent_bytes: n,
    received_bytes: n * 2,
    sent_packets: 1,
    received_packets: 1,
    first_ms: 1000,
    last_ms: 2000,
    state: 'active',
    ...more,
  }
}

export function dns(query: string): Dns {
  return {
    type: 'dns',
    device_id: '020de0000001',
    client_ip: '192.0.2.11',
    query,
    qtype: 'A',
    answers: [],
    time_ms: 1000,
  }
}

export function device(n: number, more: Partial<Device> = {}): Device {
  const id = (0x020de0000000 + n).toString(16).padStart(12, '0')
  return {
    type: 'device',
    id,
    ips: ['192.0.2.11'],
    name: `device ${n}`,
    name_source: 'vendor',
    random_mac: false,
    present: true,
    sent_bytes: 0,
    received_bytes: 0,
    sent_packets: 0,
    received_packets: 0,
    first_seen_ms: 1,
    last_seen_ms: 1,
    ...more,
  }
}

export function event(n: number): AgentEvent {
  return { type: 'event', kind: 'device_new', seq: n, time_ms: n, sentence: `event ${n}` }
}

/** Flows as they are handed on. */
export function changed(flows: readonly Flow[]): ChangedFlows {
  return {
    count: flows.length,
    lines: (names) => flows.map((flow) => Buffer.from(lineOf(flow, names))),
    bytes: (index) => {
      const { sent_bytes = 0, received_bytes = 0 } = flows[index] ?? {}
      return sent_bytes + received_bytes
    },
  }
}

function lineOf(flow: Flow, names: boolean): string {
  const { remote_name, remote_name_source, sni, ...rest } = flow
  return `${JSON.stringify(names ? flow : rest)}\n`
}

export function interval(from_ms: number, flows: Flow[], more: Partial<Interval> = {}): Interval {
  const span = { from_ms, to_ms: from_ms + 1000, complete: true }
  return { ...span, flows: changed(flows), dns: [], traffic: [], ...more }
}

export function info(instance: string, started_ms: number): Info {
  return {
    type: 'info',
    protocol: 1,
    instance,
    agent: 'house',
    version: '0.0.0',
    roles: ['agent'],
    mode: 'host',
    visibility: 'its own traffic',
    lan: [],
    capabilities: {},
    interfaces: [],
    loss: {
      ring_packets: 0,
      name_packets: 0,
      netlink_overruns: 0,
      flows_evicted: 0,
      spool_messages: 0,
    },
    started_ms,
  }
}
