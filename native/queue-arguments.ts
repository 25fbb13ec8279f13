// Argument checks of the queues' facade: C++ trusts what comes from here.
import { isIP } from 'node:net'
import { checkArray, checkedMac, checkKeys, checkObject, shown } from './arguments.ts'
import type { AskedDevice, FirstPacketsOptions, Remembered } from './queue.ts'

export type FilledFirstPackets = Required<FirstPacketsOptions>

export const MOST_DEVICES = 65_536
export const MOST_ADDRESSES = 64

/** A whole number within a range, or what stands for it when it is absent. */
export function numberIn(
  what: string,
  value: unknown,
  [low, high]: readonly [number, number],
  otherwise?: number,
): number {
  const number = value === undefined ? otherwise : value
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    throw new TypeError(`${what} must be a whole number, not ${shown(value)}`)
  }
  if (number < low || number > high) {
    throw new RangeError(`${what} must be from ${low} to ${high}, not ${number}`)
  }
  return number
}

export function booleanOf(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean') {
    throw new TypeError(`${what} must be true or false, not ${shown(value)}`)
  }
  return value
}

/** An address, without a zone. */
export function addressOf(what: string, value: unknown): string {
  if (typeof value !== 'string' || !isIP(value) || value.includes('%')) {
    throw new TypeError(`${what} must be an IP address, not ${shown(value)}`)
  }
  return value
}

/** The id of a device as the protocol has it: 12 or 16 hexadecimal digits. */
export function deviceIdOf(value: unknown): string {
  if (typeof value !== 'string' || !/^([0-9a-f]{12}|[0-9a-f]{16})$/.test(value)) {
    throw new TypeError(`${shown(value)} is not the id of a device: 12 or 16 hexadecimal digits`)
  }
  return value
}

/** MAC and addresses of a device. */
export function whereaboutsOf(given: { mac?: unknown; ips: unknown }): {
  mac: string | undefined
  ips: string[]
} {
  checkArray('ips', given.ips)
  // A device that has more addresses than it needs is known by the first ones, and by its MAC.
  const ips = given.ips
    .slice(0, MOST_ADDRESSES)
    .map((ip) => addressOf('an address of a device', ip))
  return { mac: given.mac === undefined ? undefined : checkedMac(given.mac), ips }
}

export function firstPacketsOptions(options: FirstPacketsOptions): FilledFirstPackets {
  checkObject('the options of first packets', options)
  checkKeys('first packets', options, [
    'queue',
    'maxLength',
    'deadlineMs',
    'maxHeld',
    'maxHeldPerDevice',
    'acceptMark',
  ])
  const maxLength = numberIn('maxLength', options.maxLength, [8, 65_536], 256)
  // Room is left in the queue for packets whose verdict is known: a queue that is full lets everything pass.
  const most = Math.max(1, Math.floor((maxLength * 3) / 4))
  const maxHeld = numberIn('maxHeld', options.maxHeld, [1, most], Math.min(most, 65_535))
  const each = Math.max(1, Math.floor(maxHeld / 3))
  return {
    queue: numberIn('queue', options.queue, [0, 65_535]),
    maxLength,
    deadlineMs: numberIn('deadlineMs', options.deadlineMs, [1, 10_000], 200),
    maxHeld,
    maxHeldPerDevice: numberIn('maxHeldPerDevice', options.maxHeldPerDevice, [1, maxHeld], each),
    acceptMark: numberIn('acceptMark', options.acceptMark, [0, 0xffffffff], 0),
  }
}

/** Devices that are asked about, each once. */
export function askedDevices(devices: readonly AskedDevice[]): object[] {
  checkArray('the devices that are asked about', devices)
  if (devices.length > MOST_DEVICES) {
    throw new RangeError(`at most ${MOST_DEVICES} devices can be asked about`)
  }
  return devices.map((device) => {
    checkObject('a device', device)
    checkKeys('a device', device, ['id', 'mac', 'ips', 'accept'])
    const accept = booleanOf('accept', device.accept)
    return { id: deviceIdOf(device.id), ...whereaboutsOf(device), accept }
  })
}

export function rememberedVerdict(verdict: Remembered): object {
  checkObject('a verdict', verdict)
  checkKeys('a verdict', verdict, [
    'id',
    'remote',
    'port',
    'protocol',
    'inbound',
    'accept',
    'forMs',
  ])
  return {
    id: deviceIdOf(verdict.id),
    remote: addressOf('remote', verdict.remote),
    port: numberIn('port', verdict.port, [0, 65_535]),
    protocol: numberIn('protocol', verdict.protocol, [0, 255]),
    inbound: booleanOf('inbound', verdict.inbound),
    accept: booleanOf('accept', verdict.accept),
    forMs: rememberMs(verdict.forMs),
  }
}

/** At most 49 days: what 32 bits hold. */
export function rememberMs(value: unknown): number {
  return numberIn('the time to remember', value, [0, 0xffffffff])
}
