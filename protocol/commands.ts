// Orders over MQTT: `command/<verb>` and `response/<verb>`. The same methods are served over HTTP and the socket.

/** The verbs that an agent takes over MQTT with `mqtt.commands: safe`; reads are always among them. */
export const SAFE_VERBS = [
  'block',
  'unblock',
  'allow',
  'quarantine',
  'release',
  'pause',
  'verdict',
  'undo',
  'confirm',
  'resolve-incident',
  'device-rename',
  'device-forget',
  'device-accept',
  'pause-minutes',
] as const

/** The verbs that Home Assistant's entities send: they can not sign, as their templates are there for all to read. */
export const HOME_ASSISTANT_VERBS = [
  'quarantine',
  'pause',
  'pause-minutes',
  'release',
  'device-forget',
] as const

/** What a verb looks like. */
export const VERB = /^[a-z]+(?:-[a-z]+)*$/

/** The largest command, in bytes, its signature included. */
export const MAX_COMMAND_BYTES = 65536
/** The deepest nesting of a command's JSON. */
export const MAX_COMMAND_DEPTH = 16
/** The longest life of a command. */
export const MAX_COMMAND_TTL_MS = 30_000
/**
 * How far `issued_ms` may be from the agent's clock, where that is synchronised: a command is refused as expired so long after
 * its `ttl_ms`, since its sender's clock may be behind.
 */
export const MAX_COMMAND_SKEW_MS = 60_000

/**
 * An order. With `mqtt.command_key` the payload is `<hex hmac-sha256>.<json>` over `<agent>\n<verb>\n<json>` (RFC 2104).
 * The method's own arguments stand beside these keys.
 */
export interface CommandEnvelope {
  /** 1 to 64 of `A-Za-z0-9_-`; the same id twice is carried out once and answered twice. */
  id: string
  issued_ms: number
  /** 1 to 30000. */
  ttl_ms: number
}

/** Why an order was not carried out. */
export type CommandErrorCode =
  | 'unknown_method'
  | 'invalid_arguments'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'unavailable'
  /** Protected, too wide, or not to be enforced here: see the message. */
  | 'refused'
  | 'retained'
  | 'expired'
  | 'replayed'
  | 'malformed'
  | 'too_large'
  | 'bad_signature'
  | 'internal'

/** Published under `response/<verb>`: the only proof that an order was carried out. */
export type CommandResponse =
  | {
      type: 'response'
      id: string
      ok: true
      result: unknown
      /** The disk is full: the id is not kept, so that the same command would be carried out again after a restart. */
      not_kept?: string
    }
  | {
      type: 'response'
      /** Empty where none could be read. */
      id: string
      ok: false
      error: { code: CommandErrorCode; message: string }
    }
