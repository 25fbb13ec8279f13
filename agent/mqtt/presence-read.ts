// What instances of one agent id say to each other, as it goes out and as it comes in.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Presence } from '../../protocol/messages.ts'

/** A message of another instance, or of somebody who says so. */
export interface HeardPresence {
  presence: Presence
  /** Signed with this agent's key; where there is none, nobody can tell. */
  believed: boolean
}

const MAX_BYTES = 1024
const SIGNATURE = /^[0-9a-f]{64}\./
const INSTANCE = /^[0-9a-z_-]{1,64}$/
const NONCE = /^[A-Za-z0-9_-]{1,32}$/
/** As no verb of an order is written. */
const SUBJECT = '/instance'

/** The payload of a message; signed where there is a key. */
export function writePresence(presence: Presence, agent: string, key: string | undefined): string {
  const json = JSON.stringify(presence)
  return key === undefined ? json : `${sign(json, agent, key)}.${json}`
}

/** Undefined for what is not of the contract. */
export function readPresence(
  payload: Buffer,
  agent: string,
  key: string | undefined,
): HeardPresence | undefined {
  if (payload.length > MAX_BYTES) return undefined
  const text = payload.toString('utf8')
  const isSigned = SIGNATURE.test(text)
  const json = isSigned ? text.slice(65) : text
  const presence = parse(json)
  if (presence === undefined) return undefined
  const believed = key === undefined || (isSigned && isRight(text.slice(0, 64), json, agent, key))
  return { presence, believed }
}

function parse(json: string): Presence | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { instance, state, settled, up_ms, ask, answer, bye } = value as Record<string, unknown>
  if (typeof instance !== 'string' || !INSTANCE.test(instance)) return undefined
  if (state !== 'waiting' && state !== 'active' && state !== 'standing_by') return undefined
  if (typeof up_ms !== 'number' || !(up_ms >= 0)) return undefined
  const nonce = (of: unknown): of is string => typeof of === 'string' && NONCE.test(of)
  return {
    type: 'presence',
    instance,
    state,
    settled: settled === true,
    up_ms,
    ...(nonce(ask) ? { ask } : {}),
    ...(nonce(answer) ? { answer } : {}),
    ...(bye === true ? { bye } : {}),
  }
}

function isRight(signature: string, json: string, agent: string, key: string): boolean {
  return timingSafeEqual(Buffer.from(signature), Buffer.from(sign(json, agent, key)))
}

/** As orders are signed (RFC 2104), over a subject that no order has. */
function sign(json: string, agent: string, key: string): string {
  return createHmac('sha256', key).update(`${agent}\n${SUBJECT}\n${json}`).digest('hex')
}
