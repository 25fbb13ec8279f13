// Orders that could lock somebody out: they are rolled back unless confirmed in time (the idea of `netplan try`).
import type { PolicyDevice } from './resolve.ts'
import type { StandingRule } from './rules.ts'

/** Seconds in which a risky order has to be confirmed, and a risky change of a group. */
export const CONFIRM_S = 60

/** More than this share of all devices at once is risky. */
const RISKY_SHARE = 0.25

/**
 * Whether an order has to be confirmed: everyone, more than a quarter of all devices, what carries others' traffic.
 * `devices`: those that it is about now; `total`: how many there are.
 */
export function isRisky(
  rule: StandingRule,
  devices: readonly PolicyDevice[],
  total: number,
): boolean {
  if (rule.action === 'allow' || rule.level === 'observe') return false
  if (devices.some(({ shared }) => shared)) return true
  if (!mayLockOut(rule)) return false
  if ('everyone' in rule.subject) return true
  return devices.length > 1 && devices.length > total * RISKY_SHARE
}

/**
 * Whether it can keep anybody from Homespin or from the home itself. An address, a prefix or a name can't: what is protected
 * is refused as such. Nor can the ways of encrypted DNS.
 */
function mayLockOut({ match, restriction }: StandingRule): boolean {
  if (restriction === 'no_encrypted_dns') return false
  return match === undefined || (match.endpoint === undefined && match.domain === undefined)
}

/** Seconds in which it has to be confirmed; 0: it stands. What is risky has no more time than `CONFIRM_S`, whatever is asked for. */
export function confirmSeconds(asked: number | undefined, risky: boolean): number {
  return risky ? Math.min(asked ?? CONFIRM_S, CONFIRM_S) : (asked ?? 0)
}
