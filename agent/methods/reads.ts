// What may be read of the agent: the same for HTTP, the socket and MQTT.
import { z } from 'zod'
import type { DeviceList, FlowList, History, RemoteList, Resolution } from '../../protocol/http.ts'
import type { Info } from '../../protocol/messages.ts'
import type { HistoryQuery } from '../history/queries.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What the methods read from. */
export interface Readable {
  info: () => Info
  devices: () => DeviceList
  hasDevice: (id: string) => boolean
  flows: (device: string | undefined, limit: number) => FlowList
  history: (query: HistoryQuery) => Promise<History>
  remotes: (query: HistoryQuery, limit: number) => Promise<RemoteList>
  nowMs: () => number
}

const device = z
  .string()
  .regex(/^(?:[0-9a-f]{12}|[0-9a-f]{16})$/, 'expected the id of a device: 12 or 16 hex digits')
const resolution = z.enum(['minute', 'hour', 'day'])
const time = z.number().int().min(0).max(8.64e15)

/** How far back history goes where `from_ms` is not given. */
const DEFAULT_SPAN_MS: Record<Resolution, number> = {
  minute: 3_600_000,
  hour: 48 * 3_600_000,
  day: 30 * 86_400_000,
}

/** The methods, all of the role `view`. */
export function readMethods(from: Readable): AnyMethod[] {
  const known = (id: string | undefined): string | undefined => {
    if (id !== undefined && !from.hasDevice(id)) {
      throw new MethodError('not_found', `there is no device ${id}`)
    }
    return id
  }
  const span = (args: {
    device?: string | undefined
    resolution: Resolution
    from_ms?: number | undefined
    to_ms?: number | undefined
  }): HistoryQuery => {
    const toMs = args.to_ms ?? from.nowMs()
    const fromMs = args.from_ms ?? Math.max(0, toMs - DEFAULT_SPAN_MS[args.resolution])
    if (fromMs > toMs) throw new MethodError('invalid_arguments', 'from_ms must not be after to_ms')
    const id = known(args.device)
    return {
      ...(id === undefined ? {} : { device: id }),
      resolution: args.resolution,
      fromMs,
      toMs,
    }
  }
  const spanShape = {
    device: device.optional(),
    resolution: resolution.default('minute'),
    from_ms: time.optional(),
    to_ms: time.optional(),
  }
  return [
    defineMethod({
      name: 'get-info',
      description: 'what this agent is and what it can do here',
      role: 'view',
      safe: true,
      result: 'Info',
      schema: z.strictObject({}),
      handler: () => from.info(),
    }),
    defineMethod({
      name: 'get-devices',
      description: 'every device with its counters and rates',
      role: 'view',
      safe: true,
      result: 'DeviceList',
      schema: z.strictObject({}),
      handler: () => from.devices(),
    }),
    defineMethod({
      name: 'get-flows',
      description: 'the live flows, those that changed last first',
      role: 'view',
      safe: true,
      result: 'FlowList',
      schema: z.strictObject({
        device: device.optional(),
        limit: z.number().int().min(1).max(5000).default(500),
      }),
      handler: (args) => from.flows(known(args.device), args.limit),
    }),
    defineMethod({
      name: 'get-history',
      description: 'traffic over time, of one device or of all',
      role: 'view',
      safe: true,
      result: 'History',
      schema: z.strictObject(spanShape),
      handler: (args) => from.history(span(args)),
    }),
    defineMethod({
      name: 'get-remotes',
      description: 'the remotes with most bytes in a span of time',
      role: 'view',
      safe: true,
      result: 'RemoteList',
      schema: z.strictObject({
        ...spanShape,
        limit: z.number().int().min(1).max(1000).default(50),
      }),
      handler: (args) => from.remotes(span(args), args.limit),
    }),
  ]
}
