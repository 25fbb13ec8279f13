// How batches are laid out in memory: little endian, every record 8-byte aligned. src/layout.h states the same in C++;
// a native test holds the two against each other.

/** Bytes of one flow record. */
export const FLOW_RECORD_BYTES = 128

/** Byte offsets in a flow record. Ends are originator (`ORIG`) and responder (`RESP`). */
export const FLOW = {
  /** u32: place in the flow table; not used for another flow before the record with state `closed` has been drained. */
  SLOT: 0,
  /** u8: index in `FLOW_STATES`. */
  STATE: 4,
  /** u8: index in `CLOSED_BY`, 255 while open. */
  CLOSED_BY: 5,
  /** u8: IP protocol number. */
  PROTOCOL: 6,
  /** u8: bits of `FLOW_FLAGS`. */
  FLAGS: 7,
  /** f64: number of the flow since the start, from 1. */
  NUMBER: 8,
  /** f64 each, milliseconds since the epoch, microseconds as fraction. */
  FIRST_MS: 16,
  LAST_MS: 24,
  /** f64 each, cumulative; bytes from the IP header on. */
  ORIG_BYTES: 32,
  RESP_BYTES: 40,
  ORIG_PACKETS: 48,
  RESP_PACKETS: 56,
  /** 16 bytes each; IPv4 in the first four, the rest zero. */
  ORIG_IP: 64,
  RESP_IP: 80,
  /** 6 bytes each: the source MAC of that end's frames, else the destination MAC of the other's. Zero: none on this link. */
  ORIG_MAC: 96,
  RESP_MAC: 102,
  /** u16 each. */
  ORIG_PORT: 108,
  RESP_PORT: 110,
  /** u16: index of the interface in the order given, or of the file's. */
  INTERFACE: 112,
  /** u16: VLAN id of the first packet's outermost tag, 0 without. */
  VLAN: 114,
  /** u8 each: TCP flags seen from that end, or-ed. */
  ORIG_TCP_FLAGS: 116,
  RESP_TCP_FLAGS: 117,
} as const

/** Bits of `FLOW.FLAGS`. */
export const FLOW_FLAGS = {
  IPV6: 1,
  /** The originator's MAC was seen as a source. */
  ORIG_MAC_SEEN: 2,
  /** The responder's MAC was seen as a source. */
  RESP_MAC_SEEN: 4,
} as const

export const FLOW_STATES = ['new', 'active', 'closed'] as const
export const CLOSED_BY = ['fin', 'rst', 'idle', 'evicted', 'eof'] as const

/** Byte offsets in the head of a name record; its payload follows at `NAME_HEAD_BYTES`. */
export const NAME_HEAD_BYTES = 72
export const NAME = {
  /** u32: bytes of the whole record, a multiple of 8: where the next one begins. */
  SIZE: 0,
  /** u32: bytes of the payload. */
  PAYLOAD_BYTES: 4,
  /** u8: index in `NAME_KINDS`. */
  KIND: 8,
  /** u8: 1 for IPv6. */
  IPV6: 9,
  /** u8: 1 if the flow's originator sent it. */
  FROM_ORIG: 10,
  /** u32: slot of its flow, 0xffffffff without. */
  SLOT: 12,
  /** f64 */
  TIME_MS: 16,
  SRC_IP: 24,
  DST_IP: 40,
  SRC_MAC: 56,
  DST_MAC: 62,
  SRC_PORT: 68,
  DST_PORT: 70,
} as const

/**
 * `dns` and `sni` are parsed (see `DNS`; `sni` is the name's text); of the others the payload is the message as it was.
 * An `arp` or `ndp` message that the same sender repeats within five minutes is left out.
 */
export const NAME_KINDS = [
  'dns',
  'sni',
  'mdns',
  'llmnr',
  'dhcp4',
  'dhcp6',
  'ssdp',
  'arp',
  'ndp',
  'quic',
  'http',
] as const
export type NameKind = (typeof NAME_KINDS)[number]

/**
 * Payload of a `dns` record: this head, the query's name, then `ANSWERS` times `DNS_ANSWER`.
 * Names are canonical text (lower-case ASCII, other bytes and dots inside labels as `\DDD`, the root `.`).
 */
export const DNS = {
  /** u16 */
  ID: 0,
  /** u8: bit 0 response, bit 1 over TCP, bit 2 truncated (TC), bit 3 answers cut to the cap of 64. */
  FLAGS: 2,
  /** u8 */
  RCODE: 3,
  /** u16 */
  QTYPE: 4,
  /** u16: bytes of the query's name. */
  NAME_BYTES: 6,
  /** u16: number of answers that follow. */
  ANSWERS: 8,
  /** Where the query's name begins. */
  HEAD_BYTES: 12,
} as const

/** One answer, unaligned: this head, the owner's name, the data. */
export const DNS_ANSWER = {
  /** u16 */
  RTYPE: 0,
  /** u16: bytes of the owner's name; 0xffff: the same as the query's. */
  NAME_BYTES: 2,
  /** u16: bytes of the data as text: an address (RFC 5952) or a name; 0 for other types. */
  DATA_BYTES: 4,
  /** u32 */
  TTL_S: 6,
  HEAD_BYTES: 10,
} as const

/** Numbers (u32) of one note beside a flow record, for `flowLines`: places in the table of texts (0: none), then flags. */
export const FLOW_NOTE = {
  OWNER: 0,
  PEER: 1,
  NAME: 2,
  SNI: 3,
  SERVICE: 4,
  FLAGS: 5,
  WORDS: 6,
} as const

/** Bits of `FLOW_NOTE.FLAGS`; the lowest two hold the index in `NOTE_DIRECTIONS`. */
export const NOTE_FLAGS = {
  /** The name is from SNI, not from DNS. */
  NAME_FROM_SNI: 4,
  /** The flow is told from its responder's side. */
  FROM_RESPONDER: 8,
  ORIG_MAC: 16,
  RESP_MAC: 32,
} as const

export const NOTE_DIRECTIONS = ['outbound', 'inbound', 'local'] as const

/** Bytes of one connection that waits for a verdict. */
export const CONNECTION_BYTES = 80
export const CONNECTION = {
  /** f64: to be answered with; never used again. */
  ID: 0,
  /** f64 each, milliseconds since the epoch. */
  ASKED_MS: 8,
  DEADLINE_MS: 16,
  /** u64: the device's id as a number. */
  DEVICE: 24,
  ORIG_IP: 32,
  RESP_IP: 48,
  /** Who sent the frame; zero where the kernel does not know. */
  MAC: 64,
  /** u16 each. */
  ORIG_PORT: 70,
  RESP_PORT: 72,
  /** u8: IP protocol number. */
  PROTOCOL: 74,
  /** u8: bits of `CONNECTION_FLAGS`. */
  FLAGS: 75,
} as const

/** Bits of `CONNECTION.FLAGS`. */
export const CONNECTION_FLAGS = {
  IPV6: 1,
  /** The device is the responder. */
  INBOUND: 2,
  /** At the deadline it is accepted, else dropped. */
  ACCEPTS: 4,
} as const

/** One verdict on its way to the thread. */
export const VERDICT_BYTES = 16
export const VERDICT = {
  /** f64 */
  ID: 0,
  /** u32: milliseconds that it holds for all connections of that device to that remote and port, 0: for this one alone. */
  REMEMBER_MS: 8,
  /** u8 */
  ACCEPT: 12,
} as const
