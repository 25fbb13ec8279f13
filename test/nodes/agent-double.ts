// Says on a broker what an agent says, message for message as protocol/ has it.

import type { IClientOptions, MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { Blocked, Connection, Incident } from '../../protocol/act.ts'
import type { AgentEvent, Device, Dns, Flow, Info } from '../../protocol/messages.ts'
import { PROTOCOL } from '../../protocol/messages.ts'
import type { Topics } from '../../protocol/topics.ts'
import { topicsOf } from '../../protocol/topics.ts'

export const CAMERA = '020de0000001'
export const LAMP = '020de0000002'

/** A device with what is given in place of what is usual. */
export function device(over: Partial<Device> = {}): Device {
  return {
    type: 'device',
    id: CAMERA,
    mac: '02:0d:e0:00:00:01',
    ips: ['192.0.2.11', '2001:db8:1::11'],
    name: 'camera',
    name_source: 'dhcp',
    vendor: 'Example Corp',
    random_mac: false,
    present: true,
    sent_bytes: 1000,
    received_bytes: 2000,
    sent_packets: 10,
    received_packets: 20,
    first_seen_ms: 1_000_000,
    last_seen_ms: 2_000_000,
    ...over,
  }
}

/** A flow with what is given in place of what is usual. */
export function flow(over: Partial<Flow> = {}): Flow {
  return {
    type: 'flow',
    id: 'r1-1',
    device_id: CAMERA,
    direction: 'outbound',
    protocol: 'tcp',
    originator: { ip: '192.0.2.11', port: 50123, mac: '02:0d:e0:00:00:01' },
    responder: { ip: '203.0.113.9', port: 443 },
    remote_name: 'api.example.com',
    remote_name_source: 'dns',
    service: 'https',
    sent_bytes: 100,
    received_bytes: 200,
    sent_packets: 1,
    received_packets: 2,
    first_ms: 2_000_100,
    last_ms: 2_000_200,
    state: 'new',
    ...over,
  }
}

/** A DNS query with what is given in place of what is usual. */
export function dns(over: Partial<Dns> = {}): Dns {
  return {
    type: 'dns',
    device_id: CAMERA,
    client_ip: '192.0.2.11',
    query: 'api.example.com',
    qtype: 'A',
    rcode: 'NOERROR',
    answers: [{ name: 'api.example.com', rtype: 'A', data: '203.0.113.9', ttl_s: 60 }],
    time_ms: 2_000_000,
    ...over,
  }
}

/** What was dropped, with what is given in place of what is usual. */
export function blocked(over: Partial<Blocked> = {}): Blocked {
  return {
    device_id: CAMERA,
    rule_id: 'r1-7',
    cause: 'block',
    remote: 'ads.example.com',
    direction: 'from_device',
    packets: 3,
    bytes: 180,
    ...over,
  }
}

/** A first packet that waits, with what is given in place of what is usual. */
export function connection(over: Partial<Connection> = {}): Connection {
  return {
    type: 'connection',
    id: 'c-1',
    device_id: CAMERA,
    direction: 'outbound',
    protocol: 'tcp',
    originator: { ip: '192.0.2.11', port: 50123 },
    responder: { ip: '203.0.113.9', port: 443 },
    remote_name: 'api.example.com',
    asked_ms: 2_000_000,
    deadline_ms: 2_000_200,
    default: 'drop',
    ...over,
  }
}

/** An incident, with what is given in place of what is usual. */
export function incident(over: Partial<Incident> = {}): Incident {
  return {
    type: 'incident',
    id: 'i1-1',
    device_id: CAMERA,
    ips: ['192.0.2.11'],
    kind: 'connection_rate',
    severity: 'medium',
    state: 'open',
    opened_ms: 2_000_000,
    last_ms: 2_000_100,
    sentence: 'The camera opened 203 connections in 10 s.',
    params: { connections: 203, seconds: 10 },
    evidence: [
      { what: 'connections', observed: 203, threshold: 150, weight: 1, flow_ids: ['r1-1'] },
    ],
    ...over,
  }
}

/** Publishes as an agent. */
export class AgentDouble {
  readonly topics: Topics
  readonly #client: MqttClient
  readonly #agent: string
  #seq = { flow: 0, dns: 0, event: 0, blocked: 0 }

  constructor(client: MqttClient, agent: string) {
    this.topics = topicsOf(agent)
    this.#agent = agent
    this.#client = client
  }

  /** Connects, without saying anything yet. */
  static async connect(
    port: number,
    options: IClientOptions = {},
    agent: string = 'home',
  ): Promise<AgentDouble> {
    const client = await connectAsync({
      host: '127.0.0.1',
      port,
      protocol: 'mqtt',
      connectTimeout: 5000,
      ...options,
    })
    return new AgentDouble(client, agent)
  }

  /** Says what an agent says when it comes: `online`, `info` and its devices, all retained. */
  async arrive(devices: Device[] = [], info: Partial<Info> = {}): Promise<void> {
    await this.raw(this.topics.status, 'online', true)
    await this.info(info)
    for (const each of devices) await this.device(each)
  }

  async info(over: Partial<Info> = {}): Promise<void> {
    const info: Info = {
      type: 'info',
      protocol: PROTOCOL,
      instance: 'r1',
      agent: this.#agent,
      version: '0.1.0',
      roles: ['agent'],
      mode: 'demo',
      visibility: 'all of a home that is made up',
      lan: ['192.0.2.0/24'],
      capabilities: {},
      interfaces: [],
      loss: {
        ring_packets: 0,
        name_packets: 0,
        netlink_overruns: 0,
        flows_evicted: 0,
        spool_messages: 0,
      },
      started_ms: 1_000_000,
      ...over,
    }
    await this.raw(this.topics.info, JSON.stringify(info), true)
  }

  async device(device: Device): Promise<void> {
    await this.raw(this.topics.device(device.id), JSON.stringify(device), true)
  }

  async forget(id: string): Promise<void> {
    await this.raw(this.topics.device(id), '', true)
  }

  async flows(flows: Flow[], over: object = {}): Promise<void> {
    this.#seq.flow += 1
    const batch = { type: 'flow_batch', seq: this.#seq.flow, ...BATCH, flows, ...over }
    await this.raw(this.topics.flow, JSON.stringify(batch))
  }

  async dns(queries: Dns[], over: object = {}): Promise<void> {
    this.#seq.dns += 1
    const batch = { type: 'dns_batch', seq: this.#seq.dns, ...BATCH, dns: queries, ...over }
    await this.raw(this.topics.dns, JSON.stringify(batch))
  }

  async event(over: Partial<AgentEvent>): Promise<void> {
    this.#seq.event += 1
    const event: AgentEvent = {
      type: 'event',
      kind: 'device_new',
      seq: this.#seq.event,
      time_ms: 2_000_000,
      sentence: 'A sentence.',
      ...over,
    }
    await this.raw(this.topics.event, JSON.stringify(event))
  }

  async blocked(entries: Blocked[]): Promise<void> {
    this.#seq.blocked += 1
    const batch = { type: 'blocked_batch', seq: this.#seq.blocked, ...BATCH, blocked: entries }
    await this.raw(this.topics.blocked, JSON.stringify(batch))
  }

  async connection(over: Partial<Connection> = {}): Promise<void> {
    await this.raw(this.topics.connection, JSON.stringify(connection(over)))
  }

  /** As agents do: retained while it is open; at its end once unretained, then empty. */
  async incident(over: Partial<Incident> = {}): Promise<void> {
    const told = incident(over)
    const topic = this.topics.incident(told.id)
    await this.raw(topic, JSON.stringify(told), told.state === 'open')
    if (told.state === 'closed') await this.raw(topic, '', true)
  }

  /** Publishes anything anywhere. */
  async raw(topic: string, payload: string | Buffer, retain = false): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain })
  }

  async leave(): Promise<void> {
    await this.#client.endAsync(true)
  }
}

const BATCH = { from_ms: 2_000_000, to_ms: 2_001_000, part: 1, parts: 1, complete: true }
