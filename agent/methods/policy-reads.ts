// What may be read of policy: rules, groups, the journal and incidents.
import { z } from 'zod'
import type { GroupList, IncidentList, JournalList, RuleList } from '../../protocol/http.ts'
import type { PolicyDesk } from '../policy/contract.ts'
import { device } from './arguments.ts'
import type { IncidentBook } from './changes.ts'
import type { DeviceIndex } from './devices.ts'
import { findDevice } from './devices.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What is read from. */
export interface PolicyReadable {
  policy: PolicyDesk
  devices: DeviceIndex
  incidents?: IncidentBook
}

const limit = (standard: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(1).max(1000).default(standard)

/** The methods, all of the role `view`. */
export function policyReadMethods({ policy, devices, incidents }: PolicyReadable): AnyMethod[] {
  return [
    defineMethod({
      name: 'get-rules',
      description: 'every order that stands, and what the kernel has of it',
      role: 'view',
      safe: true,
      result: 'RuleList',
      schema: z.strictObject({}),
      handler: (): RuleList => ({ rules: ready(policy).rules() }),
    }),
    defineMethod({
      name: 'get-groups',
      description: 'the groups of devices',
      role: 'view',
      safe: true,
      result: 'GroupList',
      schema: z.strictObject({}),
      handler: (): GroupList => ({ groups: ready(policy).groups() }),
    }),
    defineMethod({
      name: 'get-journal',
      description: 'every change, the latest first',
      role: 'view',
      safe: true,
      result: 'JournalList',
      schema: z.strictObject({
        before: z
          .number()
          .int()
          .min(1)
          .optional()
          .meta({ description: 'entries before this number' }),
        limit: limit(50).meta({ description: 'how many' }),
      }),
      handler: (args): JournalList => ready(policy).journal(args.before, args.limit),
    }),
    defineMethod({
      name: 'get-incidents',
      description: 'incidents, the latest first',
      role: 'view',
      safe: true,
      result: 'IncidentList',
      schema: z.strictObject({
        device: device.optional(),
        state: z.enum(['open', 'closed']).optional().meta({ description: 'absent: both' }),
        limit: limit(100).meta({ description: 'how many' }),
      }),
      handler: (args): IncidentList => {
        const deviceId = args.device === undefined ? undefined : findDevice(args.device, devices).id
        const query = {
          ...(deviceId === undefined ? {} : { deviceId }),
          ...(args.state === undefined ? {} : { state: args.state }),
          limit: args.limit,
        }
        return { incidents: incidents?.find(query) ?? [] }
      },
    }),
  ]
}

/** Nothing is told of rules before they were read: none would be a lie. */
function ready(policy: PolicyDesk): PolicyDesk {
  if (policy.isReady) return policy
  throw new MethodError('unavailable', 'the agent is just starting or stopping: ask again')
}
