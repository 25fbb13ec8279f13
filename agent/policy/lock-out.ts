// Nobody shuts off the device from which they ask by what no order names: by lifting an exception of it, by taking it out of a
// group or making it new again, or by taking such a change back. Orders themselves are judged as such.
import type { Level } from '../../protocol/policy.ts'
import { PolicyError } from './contract.ts'
import type { Desk } from './plan.ts'
import type { PolicyDevice } from './resolve.ts'
import { heldAtAnyTime } from './resolve.ts'
import { covers } from './rules.ts'
import type { Change } from './state.ts'

/** Levels at which a device can begin nothing with this box but by an exception. */
const CLOSES_BOX: readonly Level[] = ['internet_only', 'full']

/** Throws a `PolicyError` where a change closes the device that has the address `asker`. */
export function checkAsker(desk: Desk, change: Change, asker: string | undefined): void {
  const device = asker === undefined ? undefined : deviceAt(desk, asker)
  if (device === undefined || asker === undefined) return
  const after = desk.state.copy()
  after.apply(change)
  const was = heldAtAnyTime(device.id, desk.state)
  const will = heldAtAnyTime(device.id, after)
  const closed = will.levels.filter(
    (level) => level !== 'observe' && !was.levels.some((one) => covers(one, level)),
  )
  const shut = will.levels.filter((level) => CLOSES_BOX.includes(level))
  const isLess = [...was.exceptions].some((id) => !will.exceptions.has(id))
  const [level] = isLess ? [...closed, ...shut] : closed
  if (level === undefined) return
  const refusal = desk.enforcement.refusal({
    action: 'quarantine',
    devices: [device],
    everyone: false,
    newDevices: false,
    level,
    asker,
  })
  // What can't be held here closes nothing.
  if (refusal?.code === 'protected') throw new PolicyError('refused', refusal.message)
}

/** `::ffff:192.0.2.1` is IPv4 (RFC 4291, 2.5.5.2); behind `%` stands an interface. */
function deviceAt({ book }: Desk, asker: string): PolicyDevice | undefined {
  const ip = asker.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  for (const device of book.all()) if (device.ips.includes(ip)) return device
  return undefined
}
