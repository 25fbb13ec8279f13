// An order as it comes by MQTT, checked before anything of it is believed. Whatever the payload is, this takes a few passes
// over at most 64 KiB of it.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { CommandErrorCode } from '../../protocol/commands.ts'
import {
  MAX_COMMAND_BYTES,
  MAX_COMMAND_DEPTH,
  MAX_COMMAND_SKEW_MS,
  MAX_COMMAND_TTL_MS,
  VERB,
} from '../../protocol/commands.ts'
import { isDeeper, twinIn } from './command-shape.ts'

/** An order that may be carried out, as far as its envelope says. */
export interface Command {
  verb: string
  id: string
  /** Of verb and payload: the same id with another digest is another order. */
  digest: string
  issuedMs: number
  ttlMs: number
  args: Record<string, unknown>
}

/** Why an order is refused; `id` is empty where none could be read. */
export interface Refused {
  verb: string
  id: string
  code: CommandErrorCode
  message: string
}

/** What an order is checked against. */
export interface CommandRules {
  agent: string
  /** Orders must be signed with it. */
  key?: string
  /** Verbs that are taken unsigned all the same. */
  unsigned?: readonly string[]
  nowMs: number
  /** Whether the clock can be believed: times are compared only then. */
  synchronised: boolean
}

const ID = /^[A-Za-z0-9_-]{1,64}$/
const ENVELOPE = ['id', 'issued_ms', 'ttl_ms']
const SIGNATURE_LENGTH = 64
const DOT = 0x2e

/** The verb of a topic below `command/`; undefined where it can't be one. */
export function verbOf(topic: string): string | undefined {
  const verb = topic.slice(topic.lastIndexOf('/') + 1)
  return verb.length <= 32 && VERB.test(verb) ? verb : undefined
}

/** Reads an order; whether its verb exists is for the registry to say. */
export function readCommand(
  verb: string,
  payload: Buffer,
  retained: boolean,
  rules: CommandRules,
): Command | Refused {
  const refused = (code: CommandErrorCode, message: string, id = ''): Refused => ({
    verb,
    id,
    code,
    message,
  })
  if (payload.length > MAX_COMMAND_BYTES)
    return refused('too_large', `a command has at most ${MAX_COMMAND_BYTES} bytes`)
  const isSigned = payload.length > SIGNATURE_LENGTH && payload[SIGNATURE_LENGTH] === DOT
  const json = isSigned ? payload.subarray(SIGNATURE_LENGTH + 1) : payload
  if (isDeeper(json, MAX_COMMAND_DEPTH))
    return refused('malformed', `its JSON is deeper than ${MAX_COMMAND_DEPTH} levels`)
  const values = parse(json)
  if (values === undefined) return refused('malformed', 'a command is an object of JSON in UTF-8')
  const id = typeof values.id === 'string' && ID.test(values.id) ? values.id : ''
  if (retained) {
    return refused(
      'retained',
      'a retained command comes again at each start: send it unretained',
      id,
    )
  }
  const fault = signatureFault(verb, payload, json, isSigned, rules)
  if (fault !== undefined)
    return refused(isSigned && rules.key === undefined ? 'malformed' : 'bad_signature', fault, id)
  const twin = twinIn(json)
  if (twin !== undefined)
    return refused('malformed', `a key stands there twice: ${shown(twin)}`, id)
  if (id === '')
    return refused('malformed', 'a command has an id of 1 to 64 letters, digits, _ and -')
  const { issued_ms: issuedMs, ttl_ms: ttlMs } = values
  if (typeof issuedMs !== 'number' || !(issuedMs >= 0 && issuedMs <= 8.64e15))
    return refused(
      'malformed',
      'issued_ms is when it was issued, in milliseconds since the epoch',
      id,
    )
  if (typeof ttlMs !== 'number' || !(ttlMs >= 1 && ttlMs <= MAX_COMMAND_TTL_MS))
    return refused('malformed', `ttl_ms is from 1 to ${MAX_COMMAND_TTL_MS} milliseconds`, id)
  const late = rules.synchronised ? timeFault(issuedMs, ttlMs, rules.nowMs) : undefined
  if (late !== undefined) return refused('expired', late, id)
  const args = Object.fromEntries(Object.entries(values).filter(([key]) => !ENVELOPE.includes(key)))
  const digest = createHash('sha256')
    .update(`${verb}\n`)
    .update(json)
    .digest('base64url')
    .slice(0, 22)
  return { verb, id, digest, issuedMs, ttlMs, args }
}

/**
 * Nobody can tell an order that took long from one of a clock that is behind: the difference that clocks may have is granted
 * on top of its life. How long it waits here is measured without clocks on the wall.
 */
function timeFault(issuedMs: number, ttlMs: number, nowMs: number): string | undefined {
  if (issuedMs - nowMs > MAX_COMMAND_SKEW_MS) {
    const ahead = Math.round((issuedMs - nowMs) / 1000)
    return `it was issued ${ahead} s in the future: set the clock of the sender`
  }
  const late = nowMs - issuedMs - ttlMs
  if (late <= MAX_COMMAND_SKEW_MS) return undefined
  return `it expired ${Math.round(late / 1000)} s ago: send it anew, or set the clock of the sender`
}

/** A key as it can be told: nothing in it may reach a terminal or turn the sentence round. */
function shown(key: string): string {
  return key.slice(0, 64).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd')
}

/** HMAC-SHA256 (RFC 2104) in hex over `<agent>\n<verb>\n<json>`. */
export function signatureOf(key: string, agent: string, verb: string, json: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${agent}\n${verb}\n`).update(json).digest()
}

function signatureFault(
  verb: string,
  payload: Buffer,
  json: Buffer,
  isSigned: boolean,
  { agent, key, unsigned }: CommandRules,
): string | undefined {
  if (key === undefined)
    return isSigned ? 'this agent has no mqtt.command_key: send the JSON alone' : undefined
  if (!isSigned && unsigned?.includes(verb)) return undefined
  if (!isSigned) return 'this agent takes signed commands only (mqtt.command_key)'
  const text = payload.toString('latin1', 0, SIGNATURE_LENGTH)
  const given = Buffer.from(/^[0-9a-f]{64}$/i.test(text) ? text : '', 'hex')
  const right = signatureOf(key, agent, verb, json)
  // Compared in full either way, so that the time taken tells nothing.
  const same = timingSafeEqual(given.length === right.length ? given : Buffer.alloc(32), right)
  return same && given.length === right.length
    ? undefined
    : 'the signature is not of this agent, verb and text with the right key'
}

/** The object that JSON in UTF-8 holds; undefined for anything else. A key `__proto__` is a key like any other. */
function parse(json: Buffer): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json)
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
