// The command line: which commands there are, their flags, and the help, all from one table and the configuration's schema.
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { baseOf, flagOf, keysOf } from '../config.ts'
import type { Flags } from '../config-read.ts'
import type { OrderName } from './order-commands.ts'
import { argumentsOf, flagsOf, ORDER_COMMANDS, operandsOf, summaryOf } from './order-commands.ts'

/** One flag of a command that is no key of the configuration. */
interface OwnFlag {
  type: 'boolean' | 'string'
  help: string
  value?: string
  /** May be given several times. */
  multiple?: boolean
}

interface Command {
  summary: string
  operands?: string
  /** How many operands there must be, and may be. Default: one and more. */
  count?: readonly [least: number, most: number]
  /** Keys of the configuration that make sense here; `all`: every one. */
  keys: readonly string[] | 'all'
  /** Keys that it looks at besides, without flags for them. */
  looksAt?: readonly string[]
  /** It looks at the whole configuration, though it has flags for these keys alone. */
  whole?: boolean
  flags: Record<string, OwnFlag>
}

const JSON_FLAG: OwnFlag = { type: 'boolean', help: 'one JSON message a line on standard output' }
const CONFIG_FLAG: OwnFlag = {
  type: 'string',
  value: 'FILE',
  help: 'configuration in YAML (HOMESPIN_CONFIG)',
}

/** Commands that are more than a call of one method. */
const OWN_COMMANDS = {
  start: {
    summary: 'run the agent: capture, keep, publish and serve',
    keys: 'all',
    flags: {
      config: CONFIG_FLAG,
      'or-demo': { type: 'boolean', help: 'play the demo home where no interface may be captured' },
      json: { type: 'boolean', help: 'print where things are as one line of JSON' },
    },
  },
  replay: {
    summary:
      'play captures (pcap, pcapng, - for standard input) through the pipeline; several are one, in this order',
    operands: 'FILE…',
    keys: ['lan', 'flows.max', 'flows.tcp_idle_s', 'flows.udp_idle_s', 'flows.other_idle_s'],
    flags: {
      json: JSON_FLAG,
      updates: { type: 'boolean', help: 'with --json: flows at every change' },
    },
  },
  print: {
    summary: 'show what the running agent sees, as it happens',
    keys: ['data'],
    flags: { json: JSON_FLAG, config: CONFIG_FLAG },
  },
  devices: {
    summary: 'list the devices that the running agent knows',
    keys: ['data'],
    flags: { json: JSON_FLAG, config: CONFIG_FLAG },
  },
  doctor: {
    summary: 'try what this machine can do for Homespin, and say what to do about the rest',
    keys: ['data', 'interfaces', 'broker'],
    whole: true,
    flags: { json: JSON_FLAG, config: CONFIG_FLAG },
  },
} satisfies Record<string, Command>

type OwnName = keyof typeof OWN_COMMANDS
export type CommandName = OwnName | OrderName

/** Every command, in the order of the help. */
export const COMMANDS = [
  ...Object.keys(OWN_COMMANDS),
  ...Object.keys(ORDER_COMMANDS),
] as CommandName[]

/** A command; those that call a method are made of its schema. */
function commandOf(name: CommandName): Command {
  if (!isOrder(name)) return OWN_COMMANDS[name]
  const operands = operandsOf(name)
  const { operands: keys, needed } = ORDER_COMMANDS[name]
  return {
    summary: summaryOf(name),
    ...(operands === undefined ? {} : { operands }),
    count: [needed, keys.length],
    keys: ['data'],
    // It finds what is held without the agent's help.
    ...(name === 'panic' ? { looksAt: placeKeys() } : {}),
    flags: { ...flagsOf(name), json: JSON_FLAG, config: CONFIG_FLAG },
  }
}

/** What says on which machine things are held. */
function placeKeys(): string[] {
  const paths = keysOf().map(({ path }) => path)
  return paths.filter((path) => path === 'mode' || path.startsWith('remote.'))
}

/** Whether a command calls a method of the running agent. */
export function isOrder(name: CommandName): name is OrderName {
  return Object.hasOwn(ORDER_COMMANDS, name)
}

/** What was asked for. */
export interface Parsed {
  command: CommandName
  operands: string[]
  /** Keys of the configuration, by path. */
  flags: Flags
  /** The only keys of the configuration that it needs; absent: all of them. */
  only?: readonly string[]
  /** The command's own flags, by name. */
  own: Record<string, string | boolean | string[] | undefined>
  /** Of the method that it calls. */
  args?: Record<string, unknown>
}

/** A command line that can't be carried out; the program ends with exit code 2. */
export class UsageError extends Error {}

/** Reads `argv` (without node and script). `help`, `version` or nothing come back as text to print. Throws a UsageError. */
export function readArguments(argv: readonly string[], version: string): Parsed | string {
  const [first, ...rest] = argv
  if (first === undefined) return overview()
  if (first === '--help' || first === '-h' || first === 'help') {
    return rest[0] === undefined ? overview() : help(nameOf(rest[0]))
  }
  if (first === '--version' || first === 'version') return version
  const name = nameOf(first)
  const command = commandOf(name)
  if (rest.includes('--help') || rest.includes('-h')) return help(name)
  const keys = keysFor(command)
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> = {}
  for (const [flag, { type, multiple }] of Object.entries(command.flags))
    options[flag] = { type, ...(multiple === true ? { multiple } : {}) }
  for (const { flag, schema } of keys) {
    const base = baseOf(schema)
    options[flag] = {
      type: base instanceof z.ZodBoolean ? 'boolean' : 'string',
      ...(base instanceof z.ZodArray ? { multiple: true } : {}),
    }
  }
  const { values, positionals } = parse(name, rest, options)
  checkOperands(name, command, positionals)
  if (positionals.indexOf('-') !== positionals.lastIndexOf('-')) {
    throw new UsageError(`${name} reads standard input (-) once. See: homespin ${name} --help`)
  }
  const flags: Flags = {}
  for (const { flag, path } of keys) flags[path] = values[flag] as Flags[string]
  const own = Object.fromEntries(
    Object.keys(command.flags).map((flag) => [flag, values[flag] as Parsed['own'][string]]),
  )
  const args = isOrder(name) ? { args: orderArguments(name, positionals, own) } : {}
  const { keys: needed, looksAt = [], whole = false } = command
  const only = needed === 'all' || whole ? {} : { only: [...needed, ...looksAt] }
  return { command: name, operands: positionals, flags, own, ...only, ...args }
}

function checkOperands(name: CommandName, command: Command, given: readonly string[]): void {
  const [least, most] =
    command.count ?? (command.operands === undefined ? [0, 0] : [1, Number.POSITIVE_INFINITY])
  const see = `See: homespin ${name} --help`
  if (given.length > most)
    throw new UsageError(`${name} takes no operand ${JSON.stringify(given[most])}. ${see}`)
  if (given.length < least) throw new UsageError(`${name} needs ${command.operands}. ${see}`)
}

function orderArguments(
  name: OrderName,
  operands: readonly string[],
  flags: Parsed['own'],
): Record<string, unknown> {
  try {
    return argumentsOf(name, operands, flags)
  } catch (error) {
    throw new UsageError(`${(error as Error).message}. See: homespin ${name} --help`)
  }
}

function parse(
  name: CommandName,
  args: string[],
  options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args, options, allowPositionals: true, allowNegative: true, strict: true })
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message.split('. To specify')[0]}. See: homespin ${name} --help`,
    )
  }
}

function nameOf(name: string): CommandName {
  if ((COMMANDS as string[]).includes(name)) return name as CommandName
  throw new UsageError(`there is no command ${JSON.stringify(name)}.\n${overview()}`)
}

function keysFor(command: Command): { flag: string; path: string; schema: z.ZodType }[] {
  return keysOf()
    .filter(({ path }) => command.keys === 'all' || command.keys.includes(path))
    .map(({ path, schema }) => ({ flag: flagOf(path, schema).slice(2), path, schema }))
}

function overview(): string {
  const lines = COMMANDS.map((name) => `  ${name.padEnd(17)}${commandOf(name).summary}`)
  return [
    'homespin shows what every device in the home says to the network, and stops it.',
    '',
    'homespin COMMAND [FLAGS]',
    ...lines,
    '',
    'homespin COMMAND --help lists its flags. Exit codes: 0 done, 1 failed, 2 wrong usage.',
  ].join('\n')
}

/** The flags of a command, each with its help; keys of groups in short. */
function help(name: CommandName): string {
  const command = commandOf(name)
  const own = Object.entries(command.flags).map(([flag, { value, help: text }]) =>
    row(`--${flag}${value === undefined ? '' : ` ${value}`}`, text),
  )
  const keys = keysFor(command).map(({ flag, path, schema }) => {
    const meta = metaOf(schema)
    const value = baseOf(schema) instanceof z.ZodBoolean ? '' : ` ${meta.flag ?? 'VALUE'}`
    const more = baseOf(schema) instanceof z.ZodArray ? ' (may be given several times)' : ''
    const text =
      meta.help ??
      `${path} in the configuration${meta.example === undefined ? '' : `, such as ${meta.example}`}`
    return row(`--${flag}${value}`, `${text}${more}`)
  })
  const also = isOrder(name)
    ? ['', '--data is also a key of the configuration and, as HOMESPIN_DATA, of the environment.']
    : command.keys === 'all' || command.keys.includes('data')
      ? [
          '',
          'Each flag but --config, --json and --or-demo is also a key of the configuration and, as HOMESPIN_KEY, of the environment.',
        ]
      : []
  return [
    `homespin ${name}${command.operands === undefined ? '' : ` ${command.operands}`}: ${command.summary}`,
    '',
    ...own,
    ...keys,
    ...also,
  ].join('\n')
}

function row(flag: string, text: string): string {
  return flag.length > 30 ? `  ${flag}\n${' '.repeat(34)}${text}` : `  ${flag.padEnd(32)}${text}`
}

function metaOf(schema: z.ZodType): { help?: string; flag?: string; example?: string } {
  return { ...(schema.meta() ?? {}) } as { help?: string; flag?: string; example?: string }
}
