// What may be ordered about traffic: block, allow, quarantine, restrict, and the ways back.
import { z } from 'zod'
import { OPEN } from '../../protocol/home-assistant.ts'
import type { Rule, Subject } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import type { Order, Ordered, PolicyDesk, Selector } from '../policy/contract.ts'
import { PolicyError } from '../policy/contract.ts'
import {
  byOf,
  byShape,
  oneSubject,
  oneTerm,
  requiredSubject,
  ruleId,
  subjectOf,
  subjectShape,
  subjectsIn,
  termOf,
  termShape,
} from './arguments.ts'
import type { DeviceIndex } from './devices.ts'
import { duration } from './duration.ts'
import { matchFault, matchOf, matchShape } from './match.ts'
import type { AnyMethod, Caller } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What the methods of orders are carried out by. */
export interface Orderable {
  policy: PolicyDesk
  devices: DeviceIndex
  /** IANA time zone of schedules that name none. */
  timeZone: string
  /** How long a pause of a device lasts that says nothing, in minutes; absent: 30. */
  pauseMinutes?: (deviceId: string) => number
}

const RESTRICTIONS = ['allow_list', 'no_dns_no_connect', 'no_encrypted_dns', 'ask'] as const

/** How long a pause lasts that says nothing, unless that was set for the device. */
const PAUSE_S = 1800

const shared = { ...subjectShape, ...termShape, ...byShape }

/** What is taken away: one rule by its id, or those about a subject. */
const selection = { rule: ruleId.optional(), ...subjectShape, ...byShape }

/** The method that takes back what an action did. */
const WAY_BACK: Readonly<Record<Rule['action'], string>> = {
  block: 'unblock',
  allow: 'unblock',
  quarantine: 'release',
  restrict: 'unrestrict',
}

const restriction = z.enum(RESTRICTIONS)

/** Carries out what may throw a PolicyError, which callers know as a MethodError. */
export async function ordered<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new MethodError(error.code, error.message, { cause: error })
  }
}

/** The methods of orders, all of the role `admin`. */
export function orderMethods(from: Orderable): AnyMethod[] {
  const { policy, devices, timeZone } = from
  const byMatch = z
    .strictObject({ ...shared, ...matchShape })
    .superRefine(oneSubject)
    .superRefine(oneTerm)
    .superRefine(soundMatch)
  const blockOrAllow = (action: 'block' | 'allow', description: string): AnyMethod =>
    defineMethod({
      name: action,
      description,
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: byMatch,
      handler: (args, caller) => {
        const order: Order = {
          action,
          subject: requiredSubject(args, devices),
          match: matchOf(args),
          term: termOf(args, timeZone),
        }
        return ordered(() => policy.order(order, byOf(args, caller)))
      },
    })
  return [
    blockOrAllow(
      'block',
      'close a device, a group or the home towards an endpoint, a domain or everything',
    ),
    blockOrAllow('allow', 'make an exception from blocks and lists'),
    defineMethod({
      name: 'unblock',
      description:
        'take blocks away (or exceptions, with action allow): those that match, or one by its id',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...selection,
          action: z
            .enum(['block', 'allow'])
            .default('block')
            .meta({ description: 'what is taken away' }),
          ...matchShape,
        })
        .superRefine(oneSelection)
        .superRefine(soundMatch),
      handler: (args, caller) => {
        const match = matchOf(args)
        const all = Object.keys(match).length === 0
        return lift({ action: args.action, ...(all ? {} : { match }) }, args, caller)
      },
    }),
    defineMethod({
      name: 'quarantine',
      description: 'shut a device, a group or all new devices off, to a level, or open again',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...shared,
          level: z
            .enum([...LEVELS, OPEN])
            .default('full')
            .meta({
              description: 'how far it is shut off; open: blocks of the whole device end, too',
              example: 'full',
            }),
        })
        .superRefine(oneSubject)
        .superRefine(oneTerm),
      handler: async (args, caller) => {
        const subject = requiredSubject(args, devices)
        if (args.level === OPEN) {
          const by = byOf(args, caller)
          const released = await ordered(() => policy.lift({ action: 'quarantine', subject }, by))
          const isBlocked = policy.rules().some((rule) => blocksAll(rule, subject))
          if (!isBlocked) return released
          return await ordered(() => policy.lift({ action: 'block', subject, match: {} }, by))
        }
        const order: Order = {
          action: 'quarantine',
          subject,
          level: args.level,
          term: termOf(args, timeZone),
        }
        return await ordered(() => policy.order(order, byOf(args, caller)))
      },
    }),
    defineMethod({
      name: 'pause',
      description:
        'no internet for a while: the level local_only, for as long as was set for the device, else 30 minutes',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...subjectShape,
          for: duration().optional().meta({ description: 'how long', example: '30m' }),
          ...byShape,
        })
        .superRefine(oneSubject),
      handler: (args, caller) => {
        const subject = requiredSubject(args, devices)
        const order: Order = {
          action: 'quarantine',
          subject,
          level: 'local_only',
          term: { forS: args.for ?? pauseOf(subject) },
        }
        return ordered(() => policy.order(order, byOf(args, caller)))
      },
    }),
    defineMethod({
      name: 'release',
      description: 'end a quarantine or a pause, or all of them',
      role: 'admin',
      safe: true,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...selection,
          all: z.literal(true).optional().meta({ description: 'every quarantine and every pause' }),
        })
        .superRefine((args, context) => {
          if (args.all === undefined || selectorsIn(args) > 0) oneSelection(args, context)
        }),
      handler: (args, caller) => lift({ action: 'quarantine' }, args, caller),
    }),
    defineMethod({
      name: 'restrict',
      description:
        'hold a device to a list, to names that it resolved, to plain DNS, or to being asked about',
      role: 'admin',
      safe: false,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...shared,
          restriction: restriction.meta({
            description: 'what it is held to',
            example: 'no_encrypted_dns',
          }),
        })
        .superRefine(oneSubject)
        .superRefine(oneTerm),
      handler: (args, caller) => {
        const subject = requiredSubject(args, devices)
        const order: Order = {
          action: 'restrict',
          subject,
          restriction: args.restriction,
          term: termOf(args, timeZone),
        }
        return ordered(() => policy.order(order, byOf(args, caller)))
      },
    }),
    defineMethod({
      name: 'unrestrict',
      description: 'end a restriction',
      role: 'admin',
      safe: false,
      result: 'Ordered',
      schema: z
        .strictObject({
          ...selection,
          restriction: restriction.optional().meta({ description: 'absent: every one' }),
        })
        .superRefine(oneSelection),
      handler: ({ restriction, ...args }, caller) =>
        lift(
          { action: 'restrict', ...(restriction === undefined ? {} : { restriction }) },
          args,
          caller,
        ),
    }),
  ]

  function pauseOf(subject: Subject): number {
    const minutes = 'device_id' in subject ? from.pauseMinutes?.(subject.device_id) : undefined
    return minutes === undefined ? PAUSE_S : minutes * 60
  }

  function lift(what: Selector, args: SelectionArguments, caller: Caller): Promise<Ordered> {
    const subject = subjectOf(args, devices)
    const selector: Selector =
      args.rule === undefined
        ? { ...what, ...(subject === undefined ? {} : { subject }) }
        : { ruleId: named(policy, args.rule, what.action) }
    return ordered(() => policy.lift(selector, byOf(args, caller)))
  }
}

/** Whether a rule blocks the whole of this subject. */
function blocksAll({ action, match, subject }: Rule, whom: Subject): boolean {
  const isWhole = match !== undefined && Object.keys(match).length === 0
  return action === 'block' && isWhole && JSON.stringify(subject) === JSON.stringify(whom)
}

/** The id of a rule that stands and that this action takes away: blocks and exceptions together. */
function named(policy: PolicyDesk, id: string, action: Rule['action'] | undefined): string {
  const rule = policy.rules().find((each) => each.id === id)
  if (rule === undefined) throw new MethodError('not_found', `there is no rule ${id}`)
  if (WAY_BACK[rule.action] === WAY_BACK[action ?? rule.action]) return id
  throw new MethodError('conflict', `rule ${id} is taken away by ${WAY_BACK[rule.action]}`)
}

type SelectionArguments = z.infer<z.ZodObject<typeof selection>>

function selectorsIn(args: SelectionArguments): number {
  return subjectsIn(args) + (args.rule === undefined ? 0 : 1)
}

function oneSelection(args: SelectionArguments, context: z.RefinementCtx): void {
  if (selectorsIn(args) === 1) return
  context.addIssue({
    code: 'custom',
    message: 'give exactly one of rule, device, group, everyone, new_devices',
  })
}

function soundMatch(args: z.infer<z.ZodObject<typeof matchShape>>, context: z.RefinementCtx): void {
  const fault = matchFault(args)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
}
