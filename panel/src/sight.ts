// Whether the agent sees anything at all.
import type { Info } from '../../protocol/messages.ts'

/** Why nothing is seen. */
export type Blindness =
  /** Every interface that is captured is down. */
  | { kind: 'interfaces'; names: string[] }
  /** The agent can't capture; `reason` is its sentence, raw. */
  | { kind: 'capture'; reason: string }

/** Why the agent sees nothing; undefined while it sees something, and while that is not known. */
export function blindnessOf(info: Info | undefined): Blindness | undefined {
  if (info === undefined) return undefined
  const { interfaces, capabilities } = info
  if (capabilities.capture?.ok === false) {
    return { kind: 'capture', reason: capabilities.capture.reason }
  }
  if (interfaces.length === 0 || interfaces.some(({ state }) => state === 'up')) return undefined
  return { kind: 'interfaces', names: interfaces.map(({ name }) => name) }
}
