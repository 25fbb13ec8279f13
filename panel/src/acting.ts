// Whether anything can be ordered from this page, and what can be enforced here.
import type { Info } from '../../protocol/messages.ts'
import type { Level, Restriction } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import type { RoleReason } from './api.ts'
import type { I18n } from './i18n.ts'
import type { OrderState } from './orders.ts'
import type { PanelState } from './store.ts'

/** What every element that acts is drawn from. */
export interface Scene {
  i18n: I18n
  state: PanelState
  orders: ReadonlyMap<string, OrderState>
  /** False: a viewer, who sees and can't act. */
  mayAct: boolean
  /** Why not, for a viewer. */
  viewerWhy?: RoleReason
  /** The agent is there to be told. */
  isLive: boolean
  /** By the agent's clock. */
  nowMs: number
}

/** Something that is offered or not; `reason` is the agent's sentence, raw. */
export interface Offer {
  ok: boolean
  reason?: string
}

export const RESTRICTIONS = [
  'no_encrypted_dns',
  'no_dns_no_connect',
  'allow_list',
  'ask',
] as const satisfies readonly Restriction[]

const NEEDS: Readonly<Record<Restriction, string | undefined>> = {
  no_encrypted_dns: undefined,
  no_dns_no_connect: 'dns_gate',
  allow_list: undefined,
  ask: 'first_packets',
}

/** Whether this agent can enforce anything where it stands. */
export function canEnforce(info: Info | undefined): Offer {
  const { enforce } = info?.capabilities ?? {}
  if (enforce === undefined) return { ok: false }
  return { ok: enforce.ok, reason: enforce.reason }
}

/** The levels that can be held here, the mildest first. */
export function levelsOf(info: Info | undefined): Level[] {
  if (!canEnforce(info).ok) return []
  const { levels } = info?.capabilities ?? {}
  return levels?.ok ? LEVELS.filter((level) => levels.values?.includes(level)) : []
}

/** Why some levels are not offered; undefined: all are. */
export function levelsReason(info: Info | undefined): string | undefined {
  return levelsOf(info).length === LEVELS.length ? undefined : info?.capabilities.levels?.reason
}

/** Whether something further can be had; what the agent does not speak of is left to it. */
export function canHave(info: Info | undefined, name: string | undefined): Offer {
  const enforce = canEnforce(info)
  if (!enforce.ok || name === undefined) return enforce
  const capability = info?.capabilities[name]
  return capability === undefined ? { ok: true } : { ok: capability.ok, reason: capability.reason }
}

/** Whether a restriction can be held here. */
export function canRestrict(info: Info | undefined, restriction: Restriction): Offer {
  return canHave(info, NEEDS[restriction])
}
