// Arguments that orders share: about whom, for how long, why, and who says so.
import { z } from 'zod'
import type { Actor, Schedule, Subject } from '../../protocol/policy.ts'
import type { By, Term } from '../policy/contract.ts'
import { isTimeZone } from '../time-zone.ts'
import type { DeviceIndex } from './devices.ts'
import { findDevice } from './devices.ts'
import { duration } from './duration.ts'
import type { Caller } from './registry.ts'
import { MethodError } from './registry.ts'

/** Text from outside that is kept: well-formed Unicode, without NUL, which neither SQLite nor JSON readers agree on. */
export function words(most: number): z.ZodType<string, string> {
  return z
    .string()
    .max(most)
    .transform((text) => text.toWellFormed().replaceAll('\0', ''))
}

/** How a device is named in arguments; `findDevice` says which it is. */
export const device = z.string().min(1).max(256).meta({
  description: 'id, MAC, address or unique name of a device',
  example: '02:0d:e0:00:00:01',
})

export const groupId = z
  .string()
  .regex(/^[a-z0-9_-]{1,32}$/, 'expected the id of a group: 1 to 32 of a-z, 0-9, _ and -')

export const ruleId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected the id of a rule')
  .meta({ description: 'id of a rule, as the rules tell it' })

/** Why, and in whose name. */
export const byShape = {
  reason: words(200).default('').meta({ description: 'why, in at most 200 characters' }),
  by: z
    .strictObject({
      kind: z.enum(['person', 'flow', 'automation']),
      name: words(100).optional(),
    })
    .optional()
    .meta({ description: 'who orders it; by MQTT an automation, otherwise a person' }),
}

/** About whom. */
export const subjectShape = {
  device: device.optional(),
  group: groupId.optional().meta({ description: 'id of a group' }),
  everyone: z.literal(true).optional().meta({ description: 'every device of the home' }),
  new_devices: z
    .literal(true)
    .optional()
    .meta({ description: 'every device that nobody has accepted yet' }),
}

const SUBJECTS = ['device', 'group', 'everyone', 'new_devices'] as const

const clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'expected HH:MM')

const schedule = z.strictObject({
  time_zone: z
    .string()
    .max(64)
    .refine(isTimeZone, 'expected a time zone of IANA, such as Europe/Amsterdam')
    .optional()
    .meta({ description: 'IANA time zone; absent: that of the agent' }),
  windows: z
    .array(
      z.strictObject({
        days: z
          .array(z.number().int().min(1).max(7))
          .min(1)
          .max(7)
          .refine((days) => new Set(days).size === days.length, 'expected each day once')
          .meta({ description: 'days on which it begins: 1 (Monday) to 7 (Sunday)' }),
        from: clock,
        to: clock.meta({ description: 'before `from`: over midnight; the same: the whole day' }),
      }),
    )
    .min(1)
    .max(32),
})

/** When it ends. */
export const termShape = {
  for: duration().optional().meta({
    description: 'how long: seconds, or text such as 30m, 2h, 1d; absent: until it is taken away',
    example: '30m',
  }),
  schedule: schedule.optional().meta({ description: 'holds only in these windows of each week' }),
  probation: duration(60).optional().meta({
    description: 'released when no new evidence came for so long',
    example: '1d',
  }),
  confirm: duration(5, 3600).optional().meta({
    description:
      'rolled back after so long unless confirmed; what is risky, after a minute at most',
    example: '60',
  }),
}

type SubjectArguments = z.infer<z.ZodObject<typeof subjectShape>>
type ByArguments = z.infer<z.ZodObject<typeof byShape>>
type TermArguments = z.infer<z.ZodObject<typeof termShape>>

/** How many ways of saying about whom are given. */
export function subjectsIn(args: SubjectArguments): number {
  return SUBJECTS.filter((key) => args[key] !== undefined).length
}

/** For `superRefine`: exactly one subject. */
export function oneSubject(args: SubjectArguments, context: z.RefinementCtx): void {
  if (subjectsIn(args) === 1) return
  context.addIssue({ code: 'custom', message: `give exactly one of ${SUBJECTS.join(', ')}` })
}

/** For `superRefine`: ends by itself in one way. */
export function oneTerm(args: TermArguments, context: z.RefinementCtx): void {
  if (args.for === undefined || args.schedule === undefined) return
  context.addIssue({ code: 'custom', message: 'give for or schedule, not both' })
}

/** The subject of these arguments; undefined: none is given. Throws a MethodError for a device that is none. */
export function subjectOf(args: SubjectArguments, devices: DeviceIndex): Subject | undefined {
  if (args.device !== undefined) return { device_id: findDevice(args.device, devices).id }
  if (args.group !== undefined) return { group_id: args.group }
  if (args.everyone) return { everyone: true }
  if (args.new_devices) return { new_devices: true }
  return undefined
}

/** The subject of arguments that have one. */
export function requiredSubject(args: SubjectArguments, devices: DeviceIndex): Subject {
  const subject = subjectOf(args, devices)
  if (subject === undefined) throw new MethodError('invalid_arguments', 'say about whom')
  return subject
}

/** `timeZone` is taken where the schedule names none. */
export function termOf(args: TermArguments, timeZone: string): Term {
  return {
    ...(args.for === undefined ? {} : { forS: args.for }),
    ...(args.schedule === undefined ? {} : { schedule: scheduleOf(args.schedule, timeZone) }),
    ...(args.probation === undefined ? {} : { probationS: args.probation }),
    ...(args.confirm === undefined ? {} : { confirmS: args.confirm }),
  }
}

function scheduleOf(given: z.infer<typeof schedule>, timeZone: string): Schedule {
  return {
    time_zone: given.time_zone ?? timeZone,
    windows: given.windows.map(({ days, from, to }) => ({ days: days.toSorted(), from, to })),
  }
}

/** Who orders, as the journal keeps it. */
export function byOf({ reason, by }: ByArguments, caller: Caller): By {
  const kind: Actor['kind'] = by?.kind ?? (caller.via === 'mqtt' ? 'automation' : 'person')
  return {
    actor: {
      kind,
      ...(by?.name === undefined || by.name === '' ? {} : { name: by.name }),
      via: caller.via,
    },
    ...(caller.address === undefined ? {} : { asker: caller.address }),
    ...(caller.safeOnly ? { safeOnly: true } : {}),
    reason,
  }
}
