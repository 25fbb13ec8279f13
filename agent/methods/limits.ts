// The reverse firewall's limits: those for all from the configuration, and those of devices and groups.
import { z } from 'zod'
import type { LimitView } from '../../protocol/http.ts'
import { LEVELS } from '../../protocol/policy.ts'
import type { LimitEntry } from '../detect/limit-book.ts'
import type { Limits } from '../detect/limits.ts'
import { device, groupId } from './arguments.ts'
import type { DeviceIndex } from './devices.ts'
import { findDevice } from './devices.ts'
import { duration, secondsOf } from './duration.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What the methods are carried out by. */
export interface Limitable {
  devices: DeviceIndex
  /** Absent where nothing is detected. */
  limits?: LimitDesk
}

export interface LimitDesk {
  all: () => Limits
  list: () => LimitEntry[]
  set: (entry: LimitEntry) => void
}

const count = z.number().int().min(1).max(1_000_000).optional()

/** The methods `get-limits` and `limits-set`. */
export function limitMethods({ devices, limits }: Limitable): AnyMethod[] {
  return [
    defineMethod({
      name: 'get-limits',
      description: 'how much is too much, for all and for single devices and groups',
      role: 'view',
      safe: true,
      result: 'LimitList',
      schema: z.strictObject({}),
      handler: () => ({
        all: told(desk(limits).all()),
        exceptions: desk(limits).list().map(toldEntry),
      }),
    }),
    defineMethod({
      name: 'limits-set',
      description:
        'give a device or a group limits of its own; with none given they are as for all again',
      role: 'admin',
      safe: false,
      result: 'LimitExceptionList',
      schema: z
        .strictObject({
          device: device.optional(),
          group: groupId.optional().meta({ description: 'id of a group' }),
          connections: count.meta({ description: 'new connections in the window' }),
          remotes: count.meta({ description: 'different remotes in the window' }),
          window: duration(1, 600).optional().meta({ description: 'the window', example: '10s' }),
          policy: z.enum(['notify', 'ask', 'quarantine']).optional(),
          level: z.enum(LEVELS).optional().meta({ description: 'how far it is shut off' }),
          for: duration(10).optional().meta({ description: 'for how long', example: '1h' }),
        })
        .refine(({ device: one, group }) => (one === undefined) !== (group === undefined), {
          error: 'give exactly one of device and group',
        }),
      handler: (args) => {
        const owner =
          args.device === undefined
            ? { group: args.group ?? '' }
            : { device: findDevice(args.device, devices).id }
        const entry: LimitEntry = {
          ...owner,
          ...(args.connections === undefined ? {} : { connections: args.connections }),
          ...(args.remotes === undefined ? {} : { remotes: args.remotes }),
          ...(args.window === undefined ? {} : { windowS: seconds(args.window) }),
          ...(args.policy === undefined ? {} : { policy: args.policy }),
          ...(args.level === undefined ? {} : { level: args.level }),
          ...(args.for === undefined ? {} : { forS: seconds(args.for) }),
        }
        keepLimits(desk(limits), entry)
        return { exceptions: desk(limits).list().map(toldEntry) }
      },
    }),
  ]
}

/** Sets limits; throws a MethodError where they can't be stored. */
export function keepLimits(limits: LimitDesk, entry: LimitEntry): void {
  try {
    limits.set(entry)
  } catch (error) {
    throw new MethodError('unavailable', `not stored: ${(error as Error).message}`)
  }
}

function desk(limits: LimitDesk | undefined): LimitDesk {
  if (limits === undefined) throw new MethodError('unavailable', 'nothing is detected here')
  return limits
}

function seconds(value: number | string): number {
  return typeof value === 'number' ? value : (secondsOf(value) ?? 0)
}

function told(limits: Partial<Limits>): LimitView {
  const { connections, remotes, windowS, policy, level, forS } = limits
  return {
    ...(connections === undefined ? {} : { connections }),
    ...(remotes === undefined ? {} : { remotes }),
    ...(windowS === undefined ? {} : { window_s: windowS }),
    ...(policy === undefined ? {} : { policy }),
    ...(level === undefined ? {} : { level }),
    ...(forS === undefined ? {} : { for_s: forS }),
  }
}

function toldEntry(entry: LimitEntry): LimitView {
  return {
    ...('device' in entry ? { device_id: entry.device } : { group_id: entry.group }),
    ...told(entry),
  }
}
