// Orders that could lock somebody out: they are rolled back unless confirmed in time (the idea of `netplan try`).
import type { PolicyDevice } from './resolve.ts'
import type { StandingRule } from './rules.ts'

/** Seconds in which a risky order has to be confirmed. */
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
  if ('everyone' in rule.subject) return true
  if (devices.some(({ shared }) => shared)) return true
  return devices.length > 1 && devices.length > total * RISKY_SHARE
}
