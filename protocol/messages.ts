// Everything Homespin says on a wire, as types. This folder imports nothing, so that every part can import it.
// JSON, snake_case; times end in `_ms` (milliseconds since the epoch), durations in `_s`, sizes in `_bytes`;
// a key that is absent is unknown. Text from the network is raw: escape it where it is drawn.

import type { BlockedBatch, Connection, Incident } from './act.ts'
import type { CommandResponse } from './commands.ts'
import type { DevicePolicy } from './policy.ts'

/** The major version of this contract. Readers refuse another one. */
export const PROTOCOL = 1

/** Which end began a flow, seen from the home: `outbound` by a device to a remote, `inbound` the other way, `local` between devices. */
export type Direction = 'outbound' | 'inbound' | 'local'

/** How a flow ended: TCP FIN or RST, idle time-out, evicted from a full table, or the end of the capture. */
export type ClosedBy = 'fin' | 'rst' | 'idle' | 'evicted' | 'eof'

/** Where the name of a remote came from; the first that is known in this order is used. */
export type RemoteNameSource = 'dns' | 'sni' | 'quic' | 'http' | 'mdns' | 'ptr'

/** Where the name of a device came from. */
export type DeviceNameSource =
  | 'user'
  | 'home_assistant'
  | 'dhcp'
  | 'mdns'
  | 'ssdp'
  | 'netbios'
  | 'vendor'
  | 'address'

/** One end of a flow. `port` is absent for protocols without ports; `mac` where no frame showed the end's own MAC as its source. */
export interface Endpoint {
  /** IPv4 dotted, or IPv6 as in RFC 5952. */
  ip: string
  port?: number
  /** Lower-case hex with colons. */
  mac?: string
}

/**
 * A two-way flow (RFC 5103 biflow): one 5-tuple, originator to responder.
 * Counters are cumulative since `first_ms`; `sent` and `received` are seen from `device_id`.
 */
export interface Flow {
  type: 'flow'
  /** Unique per agent for ever: `<run>-<n>`, both base 36. */
  id: string
  device_id: string
  /** The other device of a local flow. */
  peer_device_id?: string
  direction: Direction
  /** `tcp`, `udp`, `icmp`, `icmpv6`, or the number of the protocol (IANA) in decimal. */
  protocol: string
  originator: Endpoint
  responder: Endpoint
  /** The name by which the device knows the remote end. Canonical lower-case ASCII; other bytes as `\DDD` (RFC 1035, 5.1). */
  remote_name?: string
  remote_name_source?: RemoteNameSource
  /** Service name of the responder's port (IANA), such as `https`. */
  service?: string
  /** Server name that the originator asked for in its TLS ClientHello (RFC 6066, 3). */
  sni?: string
  /** From the IP header on. */
  sent_bytes: number
  /** From the IP header on. */
  received_bytes: number
  sent_packets: number
  received_packets: number
  first_ms: number
  last_ms: number
  state: 'new' | 'active' | 'closed'
  /** Only where `state` is `closed`. */
  closed_by?: ClosedBy
}

/** One resource record of a DNS answer. */
export interface DnsAnswer {
  name: string
  /** Mnemonic (`A`, `AAAA`, `CNAME`, …) or `TYPE<n>` (RFC 3597). */
  rtype: string
  /** Address or name; absent for types that are not decoded. */
  data?: string
  ttl_s: number
}

/** One DNS query message of a device, with what it was answered. */
export interface Dns {
  type: 'dns'
  device_id: string
  client_ip: string
  /** Canonical lower-case ASCII; other bytes as `\DDD`; the root is `.`. */
  query: string
  /** Mnemonic or `TYPE<n>`. */
  qtype: string
  /** Mnemonic (`NOERROR`, `NXDOMAIN`, …) or `RCODE<n>`; absent when no answer was seen. */
  rcode?: string
  answers: DnsAnswer[]
  /** When the query was seen. */
  time_ms: number
}

/** One thing in the home. Counters count every IP byte of frames from and to it, multicast included. */
export interface Device {
  type: 'device'
  /** The 12 hex digits of the first MAC seen; without a MAC 16 hex digits of SHA-256 of `ip:<address>`. */
  id: string
  mac?: string
  /** Every address it is known by, newest first, at most 32: it sent from them, said that they are its own, or got them by DHCP. */
  ips: string[]
  name: string
  name_source: DeviceNameSource
  /** Registered owner of the MAC's prefix (IEEE). */
  vendor?: string
  /** The MAC is locally administered: made up by the device, may change. */
  random_mac: boolean
  /**
   * A MAC that carries many hosts: a router or a repeater. Its other addresses are devices of their own. Told within an hour by
   * more than eight IPv4 addresses, or as many IPv6 addresses of which a host has only one; taken back after a day without.
   */
  shared?: boolean
  /** Seen within the last minutes (`devices.gone_after_s`). */
  present: boolean
  sent_bytes: number
  received_bytes: number
  sent_packets: number
  received_packets: number
  first_seen_ms: number
  last_seen_ms: number
  /** What holds for it, as the kernel has it; absent where this agent can't enforce. */
  policy?: DevicePolicy
}

/** The last line of a replay. `packets` = `decoded` + `malformed` + `unsupported`. */
export interface Summary {
  type: 'summary'
  packets: number
  decoded: number
  malformed: number
  unsupported: number
  /** Whole frames, as they were on the wire. */
  bytes: number
  ip_packets: number
  /** From the IP header on. */
  ip_bytes: number
  flows: number
  /** Query messages of DNS over UDP and TCP, once each (not mDNS). */
  dns_queries: number
  devices: number
  /** From the first packet to the last. */
  duration_ms: number
}

/** Counters of what was not seen or not kept, since the start. All zero: nothing was lost. */
export interface Loss {
  /** Packets that the kernel's capture ring had no room for. */
  ring_packets: number
  /** Packets that carry names and were over a device's limit or over the queue's. */
  name_packets: number
  /** Netlink messages lost (ENOBUFS); the tables are read anew each time. */
  netlink_overruns: number
  /** Flows evicted from a full flow table. */
  flows_evicted: number
  /** MQTT messages dropped from a full spool. */
  spool_messages: number
  /** Devices forgotten for newer ones, as the list was full: those that nobody named or ordered anything about, and that were seen only briefly. */
  devices_evicted?: number
  /** How often a new device was seen that the full list did not take. Its flows are told, but kept for no device. */
  devices_refused?: number
}

/** What the agent can do here, and where it can't, why not and what to do. */
export interface Capability {
  ok: boolean
  /** One sentence: what was found and, where not ok, what would help. */
  reason: string
  /** What of it can be had: for `levels` the levels of quarantine that this mode holds. */
  values?: string[]
  /**
   * Not now, but most likely again without anybody doing anything: a router that can't be reached, an interface that is away.
   * What controls it may stay, unavailable. Absent where not ok: not in this mode or place.
   */
  passing?: true
}

/** Where traffic is seen. */
export type Mode = 'gateway' | 'bridge' | 'mirror' | 'host' | 'remote' | 'file' | 'demo'

/** One interface that is captured. */
export interface InterfaceInfo {
  name: string
  /** `down` means: waited for. */
  state: 'up' | 'down'
  /** Packets taken since the start, and dropped by the ring. */
  packets: number
  dropped: number
}

/** Retained under `info`: what this agent is. */
export interface Info {
  type: 'info'
  protocol: number
  /** Changes with each start of the agent: the `<run>` of flow ids. */
  instance: string
  agent: string
  version: string
  roles: ('agent' | 'controller')[]
  mode: Mode
  /** In words: which traffic this mode can see from here, and which not. */
  visibility: string
  /** Prefixes that count as the home. */
  lan: string[]
  capabilities: Record<string, Capability>
  interfaces: InterfaceInfo[]
  loss: Loss
  started_ms: number
}

/**
 * Published under `instance`: agents with one id on one broker ask each other who speaks. Signed as orders are where
 * `mqtt.command_key` is set, over `<agent>\n/instance\n<json>`. Nothing for others to act on.
 */
export interface Presence {
  type: 'presence'
  /** As in `Info` of the sender. */
  instance: string
  /** `waiting`: it has just come. `active`: it speaks. `standing_by`: it publishes nothing and takes no orders, as another one speaks. */
  state: 'waiting' | 'active' | 'standing_by'
  /** It has spoken for so long that it stands back for nobody. */
  settled: boolean
  /** How long it has run. */
  up_ms: number
  /** Whoever is there answers with it. */
  ask?: string
  /** What another one has asked. */
  answer?: string
  /** It stops. */
  bye?: true
}

/** A batch of flows, at most 64 KiB; `parts` messages share one interval. */
export interface FlowBatch {
  type: 'flow_batch'
  /** Counts messages of this topic from 1; a gap means lost messages. */
  seq: number
  from_ms: number
  to_ms: number
  part: number
  parts: number
  /** False where any of the loss counters rose in this interval, or an interface was not captured. */
  complete: boolean
  flows: Flow[]
}

/** A batch of DNS queries, at most 64 KiB. */
export interface DnsBatch {
  type: 'dns_batch'
  seq: number
  from_ms: number
  to_ms: number
  part: number
  parts: number
  complete: boolean
  dns: Dns[]
}

/** Kinds of `event`. */
export type EventKind =
  | 'device_new'
  | 'device_changed'
  | 'device_gone'
  | 'capability_changed'
  | 'interface_down'
  | 'interface_up'
  | 'rule_applied'
  | 'rule_expired'
  | 'rule_removed'
  | 'rule_failed'
  | 'rolled_back'
  | 'tampering'
  | 'incident_opened'
  | 'incident_changed'
  | 'incident_closed'

/** Something that happened once. */
export interface AgentEvent {
  type: 'event'
  kind: EventKind
  /** Counts events from 1. */
  seq: number
  time_ms: number
  device_id?: string
  /** The device at that time, for the kinds that begin with `device_`. */
  device?: Device
  /** For `device_changed`: the keys of the device that changed. */
  changed?: string[]
  interface?: string
  /** For the kinds that begin with `rule_`, and `rolled_back`. */
  rule_id?: string
  /** For the kinds that begin with `incident_`. */
  incident_id?: string
  /** One English sentence. */
  sentence: string
}

/** What an agent may say, by `type`. */
export type Message =
  | Flow
  | Dns
  | Device
  | Summary
  | Info
  | Presence
  | FlowBatch
  | DnsBatch
  | AgentEvent
  | BlockedBatch
  | Connection
  | Incident
  | CommandResponse
