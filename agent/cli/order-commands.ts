// Commands that call a method of the running agent: which method, which of its arguments are operands; flags come from its schema.
import { userInfo } from 'node:os'
import { z } from 'zod'
import type { MethodDescription } from '../methods/catalogue.ts'
import { catalogue } from '../methods/catalogue.ts'
import { parseWindow } from './window.ts'

/** One command that calls a method. */
export interface OrderCommand {
  method: string
  /** Arguments that are given without a flag, in this order. */
  operands: readonly string[]
  /** So many of them must be given. */
  needed: number
}

const order = (method: string, operands: readonly string[] = [], needed = 0): OrderCommand => ({
  method,
  operands,
  needed,
})

/** By the name of the command. */
export const ORDER_COMMANDS = {
  block: order('block', ['device']),
  unblock: order('unblock', ['device']),
  allow: order('allow', ['device']),
  quarantine: order('quarantine', ['device']),
  release: order('release', ['device']),
  pause: order('pause', ['device']),
  'pause-minutes': order('pause-minutes', ['device', 'minutes'], 2),
  restrict: order('restrict', ['device']),
  unrestrict: order('unrestrict', ['device']),
  undo: order('undo', ['seq']),
  confirm: order('confirm', ['rule']),
  panic: order('panic'),
  rules: order('get-rules'),
  journal: order('get-journal'),
  incidents: order('get-incidents', ['device']),
  'resolve-incident': order('resolve-incident', ['incident'], 1),
  verdict: order('verdict', ['connection', 'verdict'], 2),
  groups: order('get-groups'),
  'group-set': order('group-set', ['group'], 1),
  'group-remove': order('group-remove', ['group'], 1),
  'device-accept': order('device-accept', ['device'], 1),
  'device-rename': order('device-rename', ['device', 'name'], 2),
  'device-forget': order('device-forget', ['device'], 1),
  blueprints: order('blueprints-install'),
} as const satisfies Record<string, OrderCommand>

export type OrderName = keyof typeof ORDER_COMMANDS

/** A flag made of an argument. */
export interface OrderFlag {
  type: 'boolean' | 'string'
  help: string
  value?: string
  multiple?: true
}

/** Lists whose flag is a singular of its own. */
const SINGULAR: Readonly<Record<string, string>> = { devices: 'member' }

/** The sentence about a command. */
export function summaryOf(name: OrderName): string {
  return methodOf(name).description
}

/** Its operands as they stand in help, such as `[DEVICE]`. */
export function operandsOf(name: OrderName): string | undefined {
  const { operands, needed }: OrderCommand = ORDER_COMMANDS[name]
  if (operands.length === 0) return undefined
  const shown = (key: string): string => key.toUpperCase()
  return operands.map((key, i) => (i < needed ? shown(key) : `[${shown(key)}]`)).join(' ')
}

/** The flags of a command: one for each argument that is no operand. */
export function flagsOf(name: OrderName): Record<string, OrderFlag> {
  const { operands }: OrderCommand = ORDER_COMMANDS[name]
  const flags: Record<string, OrderFlag> = {}
  for (const [key, schema] of Object.entries(shapeOf(name))) {
    if (operands.includes(key) || key === 'by') continue
    const help = textOf(schema, 'description') ?? key
    if (key === 'schedule') {
      const value = '"DAYS HH:MM-HH:MM"'
      flags.window = {
        type: 'string',
        multiple: true,
        value,
        help: 'holds only then, such as "mon-fri 22:00-07:00" (may be given several times)',
      }
      flags['time-zone'] = {
        type: 'string',
        value: 'ZONE',
        help: 'IANA time zone of windows, such as Europe/Amsterdam',
      }
    } else if (key === 'to_ms') {
      flags.to = {
        type: 'string',
        value: 'TIME',
        help: 'everything after this time, such as 2026-11-22T10:00',
      }
    } else if (isSwitch(schema)) flags[flagName(key)] = { type: 'boolean', help }
    else {
      flags[flagName(key)] = {
        type: 'string',
        help,
        value: choicesOf(schema)?.join('|') ?? key.toUpperCase(),
        ...(baseOf(schema) instanceof z.ZodArray ? { multiple: true } : {}),
      }
    }
  }
  return flags
}

/** Values of flags, by name. */
export type FlagValues = Readonly<Record<string, string | boolean | string[] | undefined>>

/** The method's arguments of a command line. Throws an Error with a sentence where they can't be carried out. */
export function argumentsOf(
  name: OrderName,
  operands: readonly string[],
  flags: FlagValues,
): Record<string, unknown> {
  const { operands: keys }: OrderCommand = ORDER_COMMANDS[name]
  const args: Record<string, unknown> = {}
  for (const [key, schema] of Object.entries(shapeOf(name))) {
    const at = keys.indexOf(key)
    const given = at < 0 ? flags[flagName(key)] : operands[at]
    if (key === 'by') args.by = { kind: 'person', name: userName() }
    else if (key === 'schedule') Object.assign(args, scheduleOf(flags))
    else if (key === 'to_ms') Object.assign(args, timeOf(flags.to))
    else if (given !== undefined) args[key] = readValue(schema, given)
  }
  const checked = methodOf(name).schema.safeParse(args)
  if (checked.success) return args
  const sentences = checked.error.issues.map(({ path, message }) => {
    const key = String(path[0] ?? '')
    return key === ''
      ? message
      : `${keys.includes(key) ? key.toUpperCase() : `--${flagName(key)}`}: ${message}`
  })
  throw new Error(sentences.slice(0, 3).join('; '))
}

let methods: ReadonlyMap<string, MethodDescription> | undefined

function methodOf(name: OrderName): MethodDescription {
  const { method } = ORDER_COMMANDS[name]
  methods ??= new Map(catalogue().map((each) => [each.name, each]))
  const found = methods.get(method)
  if (found === undefined) throw new Error(`there is no method ${method}`)
  return found
}

function shapeOf(name: OrderName): Record<string, z.ZodType> {
  const { schema } = methodOf(name)
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : {}
}

function flagName(key: string): string {
  return (SINGULAR[key] ?? key).replaceAll('_', '-')
}

/** The schema below defaults and options. */
function baseOf(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
    ? baseOf(schema.unwrap())
    : schema
}

function isSwitch(schema: z.ZodType): boolean {
  const base = baseOf(schema)
  return base instanceof z.ZodBoolean || (base instanceof z.ZodLiteral && base.value === true)
}

function choicesOf(schema: z.ZodType): string[] | undefined {
  const base = baseOf(schema)
  return base instanceof z.ZodEnum ? base.options.map(String) : undefined
}

function textOf(schema: unknown, key: 'description'): string | undefined {
  if (!(schema instanceof z.ZodType)) return undefined
  const own = schema.meta()?.[key]
  if (typeof own === 'string') return own
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
  return wrapped ? textOf(schema.unwrap(), key) : undefined
}

/** Numbers are numbers; everything else is for the schema to read. */
function readValue(schema: z.ZodType, given: string | boolean | string[]): unknown {
  if (!(baseOf(schema) instanceof z.ZodNumber) || typeof given !== 'string') return given
  return given.trim() !== '' && Number.isFinite(Number(given)) ? Number(given) : given
}

function scheduleOf(flags: FlagValues): { schedule?: unknown } {
  const { window } = flags
  const zone = flags['time-zone']
  if (!Array.isArray(window)) {
    if (zone !== undefined) throw new Error('--time-zone is about a --window')
    return {}
  }
  const windows = window.map(parseWindow)
  return { schedule: { ...(zone === undefined ? {} : { time_zone: zone }), windows } }
}

function timeOf(given: FlagValues[string]): { to_ms?: number } {
  if (typeof given !== 'string') return {}
  const ms = /^\d{4}-\d{2}-\d{2}/.test(given) ? Date.parse(given) : Number.NaN
  if (Number.isNaN(ms)) throw new Error('--to: expected a time such as 2026-11-22T10:00')
  return { to_ms: ms }
}

/** Whoever sits there, also behind sudo. */
function userName(): string {
  const sudo = process.env.SUDO_USER
  if (sudo !== undefined && sudo !== '') return sudo.slice(0, 100)
  try {
    return userInfo().username.slice(0, 100)
  } catch {
    return `user ${process.getuid?.() ?? ''}`
  }
}
