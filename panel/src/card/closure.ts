// What of a device is closed, as the kernel has it, told by its entities; and the orders that change it.
import { OPEN } from '../../../protocol/home-assistant.ts'
import type { Level } from '../../../protocol/policy.ts'
import { LEVELS } from '../../../protocol/policy.ts'
import type { ControlView, DeviceView } from './device-view.ts'
import type { EntityOrder } from './entity-orders.ts'
import type { Hass } from './hass.ts'

/** What holds for a device. */
export interface Closure {
  /** A level; `blocked`: no internet by a block; `open`; undefined: not known, or not enforced here. */
  kind: Level | 'blocked' | 'open' | undefined
  until_ms: number | undefined
  /** The kernel does not have what is ordered. */
  isBroken: boolean
}

/** What the controls of a device say. */
export function closureOf({ internet, quarantine }: DeviceView): Closure {
  const isBroken = internet?.in_force === false || quarantine?.in_force === false
  const level = levelOf(quarantine)
  if (level !== undefined)
    return { kind: level, until_ms: quarantine?.until_ms ?? internet?.until_ms, isBroken }
  if (internet?.state === 'off') return { kind: 'blocked', until_ms: internet.until_ms, isBroken }
  const isKnown = internet?.state !== undefined || quarantine?.state !== undefined
  return { kind: isKnown ? 'open' : undefined, until_ms: undefined, isBroken }
}

/** The level that a device is held to. */
export function levelOf(quarantine: ControlView | undefined): Level | undefined {
  return LEVELS.find((level) => level === quarantine?.state)
}

/** Whether anything is closed. */
export function isClosed({ kind }: Closure): boolean {
  return kind !== undefined && kind !== 'open' && kind !== 'observe'
}

/** Opens or closes the way to the internet. */
export function internetOrder({ entity }: ControlView, isOn: boolean): EntityOrder {
  const wanted = isOn ? 'on' : 'off'
  return {
    key: `internet:${entity}`,
    calls: [{ domain: 'switch', service: `turn_${wanted}`, entity }],
    isSeen: (states) => states[entity]?.state === wanted,
  }
}

/** Holds a device to a level, or, with `open`, to none. */
export function quarantineOrder({ entity }: ControlView, option: string): EntityOrder {
  return {
    key: `quarantine:${entity}`,
    calls: [{ domain: 'select', service: 'select_option', entity, data: { option } }],
    isSeen: (states) => states[entity]?.state === option,
  }
}

/** Ends what is held: the level, else the block. */
export function releaseOrder({ internet, quarantine }: DeviceView): EntityOrder | undefined {
  const order =
    quarantine !== undefined && levelOf(quarantine) !== undefined
      ? quarantineOrder(quarantine, OPEN)
      : internet?.state === 'off'
        ? internetOrder(internet, true)
        : undefined
  return order && { ...order, key: `release:${order.key}` }
}

/** Takes a device off the internet for some minutes. */
export function pauseOrder(
  view: Pick<DeviceView, 'device' | 'pause'>,
  minutes: number,
  before: Hass['states'],
): EntityOrder | undefined {
  const { pause, device } = view
  if (pause === undefined) return undefined
  const { internet, quarantine } = device.entities
  const termOf = (states: Hass['states']): string =>
    [internet, quarantine]
      .map((entity) => (entity === undefined ? undefined : states[entity]))
      .map((state) => `${state?.state} ${String(state?.attributes.until_ms)}`)
      .join()
  const earlier = termOf(before)
  return {
    key: `pause:${pause.button}`,
    calls: [
      { domain: 'number', service: 'set_value', entity: pause.minutes, data: { value: minutes } },
      { domain: 'button', service: 'press', entity: pause.button },
    ],
    isSeen: (states) => termOf(states) !== earlier,
  }
}
