// What may be changed besides rules: taking back and confirming, devices, groups, verdicts and incidents.
import { z } from 'zod'
import type { Incident } from '../../protocol/act.ts'
import { INCIDENT_ID } from '../../protocol/topics.ts'
import { byOf, byShape, device, groupId, ruleId, words } from './arguments.ts'
import { findDevice } from './devices.ts'
import { duration } from './duration.ts'
import { limitsThatAllow } from './expected.ts'
import type { Limitable } from './limits.ts'
import { keepLimits } from './limits.ts'
import type { Orderable } from './orders.ts'
import { ordered } from './orders.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What the methods of changes are carried out by. */
export interface Changeable extends Orderable, Limitable {
  /** Gives a device the user's name; an empty one takes it back. */
  rename: (deviceId: string, name: string) => void
  /** Takes a device out of the inventory, the store and off the broker. */
  forget: (deviceId: string) => void
  /** Absent where no first packets are held. */
  verdicts?: VerdictDesk
  /** Absent where nothing is detected. */
  incidents?: IncidentBook
}

/** Who decides about first packets. */
export interface VerdictDesk {
  /** False: nothing with this id waits (any more). `rememberS`: the same connection is decided alike for so long. */
  decide(id: string, verdict: 'accept' | 'drop', rememberS: number | undefined): boolean
}

/** Where incidents are. */
export interface IncidentBook {
  /** The latest first. */
  find(query: { deviceId?: string; state?: Incident['state']; limit: number }): Incident[]
  /** Closes an open one, as told by a person; undefined: there is no open one with this id. */
  resolve(id: string): Incident | undefined
}

/** Open incidents among which one is looked for: as many as there can be. */
const MAX_SEARCHED = 1000

/** The most devices of one group. */
const MAX_MEMBERS = 1000

/** The methods of changes, all of the role `admin`. */
export function changeMethods(from: Changeable): AnyMethod[] {
  const { policy, devices } = from
  const allowAlways = (id: string): void => {
    const { incidents, limits } = from
    const open = incidents
      ?.find({ state: 'open', limit: MAX_SEARCHED })
      .find((one) => one.id === id)
    if (open === undefined || limits === undefined) return
    const before = limits.list().find((one) => 'device' in one && one.device === open.device_id)
    keepLimits(limits, limitsThatAllow(open, before))
  }
  return [
    defineMethod({
      name: 'undo',
      description:
        'take back the last change, one entry of the journal, or everything since a time',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          seq: z
            .number()
            .int()
            .min(1)
            .optional()
            .meta({ description: 'number of a journal entry' }),
          to_ms: z.number().int().min(0).max(8.64e15).optional().meta({
            description: 'everything after this time, in milliseconds since the epoch',
          }),
          ...byShape,
        })
        .refine(({ seq, to_ms }) => seq === undefined || to_ms === undefined, {
          error: 'give seq or to_ms, not both',
        }),
      handler: ({ seq, to_ms, ...by }, caller) =>
        ordered(() =>
          policy.undo(
            {
              ...(seq === undefined ? {} : { seq }),
              ...(to_ms === undefined ? {} : { toMs: to_ms }),
            },
            byOf(by, caller),
          ),
        ),
    }),
    defineMethod({
      name: 'confirm',
      description: 'keep a rule, or a change of a group, that would be rolled back',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          rule: ruleId.optional(),
          group: groupId.optional().meta({ description: 'id of a group that changed' }),
          ...byShape,
        })
        .refine(({ rule, group }) => (rule === undefined) !== (group === undefined), {
          error: 'give exactly one of rule, group',
        }),
      handler: ({ rule, group = '', ...by }, caller) =>
        ordered(() =>
          policy.confirm(
            rule === undefined ? { groupId: group } : { ruleId: rule },
            byOf(by, caller),
          ),
        ),
    }),
    defineMethod({
      name: 'panic',
      description: 'release everything at once',
      role: 'admin',
      safe: false,
      result: 'Ordered',
      schema: z.strictObject(byShape),
      handler: (by, caller) => ordered(() => policy.panic(byOf(by, caller))),
    }),
    defineMethod({
      name: 'verdict',
      description: 'decide about a first packet that waits',
      role: 'admin',
      safe: true,
      result: 'VerdictGiven',
      schema: z.strictObject({
        connection: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected the id of a connection that waits')
          .meta({ description: 'the id of the connection' }),
        verdict: z.enum(['accept', 'drop']),
        remember: duration(1, 31_622_400).optional().meta({
          description: 'decide the same connection alike for so long',
          example: '1h',
        }),
      }),
      handler: ({ connection, verdict, remember }) => {
        if (from.verdicts === undefined)
          throw new MethodError(
            'unavailable',
            'no first packets are held here; see homespin doctor',
          )
        if (!from.verdicts.decide(connection, verdict, remember))
          throw new MethodError('not_found', 'no such connection waits; its time may be over')
        return { connection, verdict }
      },
    }),
    defineMethod({
      name: 'resolve-incident',
      description: 'close an incident: it was seen to',
      role: 'admin',
      safe: true,
      result: 'Incident',
      schema: z.strictObject({
        incident: z.string().regex(INCIDENT_ID, 'expected the id of an incident'),
        always: z.boolean().default(false).meta({
          description: 'from now on so much is allowed for its device; see limits-set',
        }),
        ...byShape,
      }),
      handler: ({ incident, always }) => {
        if (always) allowAlways(incident)
        const closed = from.incidents?.resolve(incident)
        if (closed === undefined)
          throw new MethodError('not_found', `there is no open incident ${incident}`)
        return closed
      },
    }),
    defineMethod({
      name: 'device-rename',
      description: 'give a device a name; an empty one takes it back',
      role: 'admin',
      safe: true,
      result: 'DeviceNamed',
      schema: z.strictObject({
        device,
        name: words(63).meta({ description: 'at most 63 characters', example: 'television' }),
      }),
      handler: (args) => {
        const { id } = findDevice(args.device, devices)
        from.rename(id, args.name.trim())
        return { device_id: id, name: args.name.trim() }
      },
    }),
    defineMethod({
      name: 'device-forget',
      description: 'forget a device; it is new when it is seen again',
      role: 'admin',
      safe: true,
      result: 'DeviceForgotten',
      schema: z.strictObject({ device }),
      handler: (args) => {
        const { id } = findDevice(args.device, devices)
        const rule = policy
          .rules()
          .find(({ subject }) => 'device_id' in subject && subject.device_id === id)
        if (rule !== undefined)
          throw new MethodError(
            'conflict',
            `rule ${rule.id} is about this device: take that away first`,
          )
        from.forget(id)
        return { device_id: id }
      },
    }),
    defineMethod({
      name: 'device-accept',
      description: 'accept a device: what holds for new devices no longer holds for it',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z.strictObject({
        device,
        accepted: z.boolean().default(true).meta({ description: 'false: it is new again' }),
        ...byShape,
      }),
      handler: (args, caller) => {
        const { id } = findDevice(args.device, devices)
        return ordered(() => policy.accept(id, args.accepted, byOf(args, caller)))
      },
    }),
    defineMethod({
      name: 'group-set',
      description: 'make a group of devices, or change one',
      role: 'admin',
      safe: false,
      result: 'Ordered',
      schema: z.strictObject({
        group: groupId.meta({ description: 'id of the group', example: 'tablets' }),
        name: words(63).optional().meta({ description: 'absent: as it is, for a new one its id' }),
        devices: z.array(device).max(MAX_MEMBERS).optional().meta({
          description: 'every member; absent: those that there are',
        }),
        ...byShape,
      }),
      handler: (args, caller) => {
        const before = policy.groups().find(({ id }) => id === args.group)
        const ids = args.devices?.map((each) => findDevice(each, devices).id)
        const group = {
          id: args.group,
          name: args.name ?? before?.name ?? args.group,
          device_ids: [...new Set(ids ?? before?.device_ids ?? [])],
        }
        return ordered(() => policy.setGroup(group, byOf(args, caller)))
      },
    }),
    defineMethod({
      name: 'group-remove',
      description: 'remove a group; its devices stay',
      role: 'admin',
      safe: false,
      result: 'Ordered',
      schema: z.strictObject({
        group: groupId.meta({ description: 'id of the group' }),
        ...byShape,
      }),
      handler: ({ group, ...by }, caller) =>
        ordered(() => policy.removeGroup(group, byOf(by, caller))),
    }),
  ]
}
