// Reads the configuration: from a file (YAML), the environment and flags, the later over the earlier.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Config } from './config.ts'
import { baseOf, ConfigError, configSchema, exampleOf, flagOf, keysOf } from './config.ts'

const IN_ENVIRONMENT = ' in the environment'

/** What the program, its tests and Node-RED's first flow read from the environment besides keys: it may be set in any shell. */
const NO_KEYS =
  /^HOMESPIN_(?:CONFIG|CONFINED|LAUNCHED|NODE_RED|BROKER_\w+|PREFIX|COMMAND_KEY|FULL|HA|IMAGE|PICTURES|SCREENSHOTS|SHOTS|STRICT|SUPERVISOR|ENFORCE_ROUNDS|LAB_\w+|TEST_\w+|VM|VM_\w+)$/

type Yaml = typeof import('yaml')

/** Loaded for those who have a file: the others need none of it in memory. */
function loadYaml(): Yaml {
  return createRequire(import.meta.url)('yaml') as Yaml
}

/** A value and where it stands, such as `--lan` or `homespin.yaml, line 3`. */
export interface Given {
  value: unknown
  where: string
}

/** Values of flags by key of the schema, as the command line has them. */
export type Flags = Record<string, string | boolean | string[] | undefined>

/**
 * Begins with what `app` gives, which an app of Home Assistant has for options; reads the file (if given), then `HOMESPIN_…` of the environment, then flags. A key of a group is `HOMESPIN_MQTT_PASSWORD`
 * and `--mqtt-password`. Lists in the environment are separated by commas. `only`: the keys that are needed; nothing else is
 * looked at, and no file for what stands elsewhere. Throws a ConfigError.
 */
export function loadConfig(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  flags: Flags,
  app: Iterable<readonly [string, Given]> = [],
  only?: readonly string[],
): Config {
  const places = new Map<string, string>()
  // Without a prototype: a key __proto__ is a wrong key like any other.
  const merged: Record<string, unknown> = Object.create(null)
  const over = [...fromEnvironment(env, only), ...fromFlags(flags)]
  for (const [key, given] of app) put(merged, places, key, given)
  const stand = new Set(over.map(([key]) => key))
  if (file !== undefined && only?.every((key) => stand.has(key)) !== true)
    readYaml(file, merged, places)
  if (only !== undefined) keep(merged, only)
  for (const [key, given] of over) put(merged, places, key, given)
  const checked = configSchema.safeParse(merged)
  if (!checked.success) throw new ConfigError(explain(checked.error, places))
  const config = checked.data
  const fault = contradiction(config, env, only)
  if (fault === undefined) return { ...config, data: resolve(config.data ?? defaultData()) }
  const [key, what] = fault
  throw new ConfigError(`${places.get(key) ?? 'the configuration'}: ${what}`)
}

/** What is right key by key and wrong together: at which key, and a sentence. */
function contradiction(
  { mode, files, remote, broker, token, view_token }: z.infer<typeof configSchema>,
  env: NodeJS.ProcessEnv,
  only: readonly string[] | undefined,
): [key: string, what: string] | undefined {
  if (mode === 'file' && files.length === 0 && only === undefined)
    return ['mode', 'mode file needs files. Example: --mode file --file home.pcap']
  if (mode === 'remote' && remote.host === undefined) {
    return [
      'mode',
      'mode remote needs the router. Example: --mode remote --remote-host root@192.0.2.1',
    ]
  }
  if (broker === 'supervisor' && (env.SUPERVISOR_TOKEN ?? '') === '') {
    return [
      'broker',
      'broker supervisor is for the app of Home Assistant. Example: --broker mqtt://192.0.2.10:1883',
    ]
  }
  if (view_token !== undefined && token === undefined) {
    return [
      'view_token',
      'view_token needs token: without it everyone who reaches the page may change things. Example: --token "$(openssl rand -hex 24)"',
    ]
  }
  if (view_token !== undefined && view_token === token)
    return ['view_token', 'view_token and token must differ: who has the first may only look']
  return undefined
}

/** Leaves of `merged` only what is asked for; a group that is none stays, to be refused. */
function keep(merged: Record<string, unknown>, only: readonly string[]): void {
  for (const [key, value] of Object.entries(merged)) {
    const inner = only.filter((path) => path.startsWith(`${key}.`))
    if (only.includes(key)) continue
    if (inner.length === 0) delete merged[key]
    else if (typeof value === 'object' && value !== null) {
      merged[key] = Object.fromEntries(
        Object.entries(value).filter(([name]) => inner.includes(`${key}.${name}`)),
      )
    }
  }
}

/** Where state is kept unless told otherwise: the system's place for root, else the user's. */
export function defaultData(): string {
  if (process.getuid?.() === 0) return '/var/lib/homespin'
  const state = process.env.XDG_STATE_HOME
  return join(
    state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state'),
    'homespin',
  )
}

function readYaml(file: string, into: Record<string, unknown>, places: Map<string, string>): void {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(
      `the configuration ${file} can't be read: ${(cause as Error).message}. Name a file in YAML with --config`,
      { cause },
    )
  }
  if (text.length > 1_000_000)
    throw new ConfigError(`the configuration ${file} is larger than 1 MB`)
  const yaml = loadYaml()
  const lines = new yaml.LineCounter()
  const lineAt = (at: number): string => `${file}, line ${lines.linePos(at).line}`
  const document = yaml.parseDocument(text, {
    uniqueKeys: true,
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  })
  const fault = document.errors[0]
  if (fault !== undefined) {
    const what = FAULTS[fault.code] ?? fault.message
    throw new ConfigError(`${lineAt(fault.pos[0])}: ${what}. Example: agent: home`)
  }
  let values: unknown
  try {
    values = document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    throw new ConfigError(
      `${file}: aliases (*name) are not taken here: write the value out. Example: agent: home`,
      { cause },
    )
  }
  if (values === null || values === undefined) return
  if (typeof values !== 'object' || Array.isArray(values)) {
    throw new ConfigError(`${file}: expected keys with values. Example: agent: home`)
  }
  for (const [key, value] of Object.entries(values)) into[key] = value
  notePlaces(yaml, document.contents, '', lineAt, places)
}

/** What is wrong with YAML, in our words where the parser speaks to programmers. */
const FAULTS: Partial<Record<string, string>> = {
  DUPLICATE_KEY: 'expected each key once',
  MULTIPLE_DOCS: 'expected one document, without a second ---',
  TAB_AS_INDENT: 'expected spaces before a key, not a tab',
}

/** Where each key, and each item of a list, stands. */
function notePlaces(
  yaml: Yaml,
  node: unknown,
  path: string,
  lineAt: (at: number) => string,
  places: Map<string, string>,
): void {
  const below = (key: unknown): string => `${path === '' ? '' : `${path}.`}${key}`
  const note = (at: unknown, key: string): void => {
    if (yaml.isNode(at) && at.range) places.set(key, lineAt(at.range[0]))
  }
  if (yaml.isSeq(node)) for (const [i, item] of node.items.entries()) note(item, below(i))
  if (!yaml.isMap(node)) return
  for (const { key, value } of node.items) {
    note(key, below(key))
    if (path === '' || yaml.isSeq(value)) notePlaces(yaml, value, below(key), lineAt, places)
  }
}

function* fromEnvironment(
  env: NodeJS.ProcessEnv,
  only: readonly string[] | undefined,
): Generator<[string, Given]> {
  const known = new Map(
    keysOf().map(({ path, schema }) => [
      `HOMESPIN_${path.replace('.', '_').toUpperCase()}`,
      { path, schema },
    ]),
  )
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('HOMESPIN_') || text === undefined || NO_KEYS.test(name)) continue
    const key = known.get(name)
    if (only !== undefined && !only.includes(key?.path ?? '')) continue
    if (key === undefined)
      throw new ConfigError(
        `${name} in the environment is no key of the configuration; ${nearest(name, known.keys())}`,
      )
    yield [key.path, { value: fromText(text, key.schema), where: name + IN_ENVIRONMENT }]
  }
}

function* fromFlags(flags: Flags): Generator<[string, Given]> {
  const schemas = new Map(keysOf().map(({ path, schema }) => [path, schema]))
  for (const [path, value] of Object.entries(flags)) {
    const schema = schemas.get(path)
    if (value === undefined || schema === undefined) continue
    const read = typeof value === 'string' ? fromText(value, schema) : value
    yield [path, { value: read, where: flagOf(path, schema) }]
  }
}

/** Text as the schema wants it; what does not fit stays text, for the schema to refuse. */
function fromText(text: string, schema: z.ZodType): unknown {
  const kind = baseOf(schema)
  if (kind instanceof z.ZodArray)
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
  if (kind instanceof z.ZodNumber)
    return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
  if (kind instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function put(
  into: Record<string, unknown>,
  places: Map<string, string>,
  path: string,
  given: Given,
): void {
  const [key = '', inner] = path.split('.')
  places.set(path, given.where)
  if (inner === undefined) into[key] = given.value
  else {
    const group = into[key]
    into[key] = {
      ...(typeof group === 'object' && group !== null ? group : {}),
      [inner]: given.value,
    }
  }
}

function nearest(name: string, known: Iterable<string>): string {
  const best = [...known].toSorted((a, b) => distance(a, name) - distance(b, name))[0]
  return `did you mean ${best}?`
}

/** Edit distance (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** One sentence a fault: where it stands, what was expected, an example. */
function explain(error: z.ZodError, places: ReadonlyMap<string, string>): string {
  return error.issues
    .flatMap((issue) => {
      const path = issue.path.map(String)
      const key = path.filter((part) => !/^\d+$/.test(part)).join('.')
      const where =
        places.get(path.join('.')) ??
        places.get(key) ??
        places.get(path[0] ?? '') ??
        'the configuration'
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((inner) => unknownKey(key, inner, places, where))
      }
      return [`${where}: ${path.join('.')}: ${issue.message}${example(key, where)}`]
    })
    .slice(0, 10)
    .join('\n')
}

function unknownKey(
  group: string,
  key: string,
  places: ReadonlyMap<string, string>,
  otherwise: string,
): string {
  const path = group === '' ? key : `${group}.${key}`
  const known = keysOf().map((of) => of.path)
  const groups = group === '' ? siblings('') : []
  const there = siblings(group).join(', ')
  return `${places.get(path) ?? otherwise}: ${path}: no such key; ${nearest(path, [...groups, ...known])} There are ${there}`
}

/** An example of the key as it is written where it stands: as a flag, in the environment, or in the file. */
function example(key: string, where: string): string {
  const known = keysOf().find(({ path }) => path === key || path.startsWith(`${key}.`))
  const text = known === undefined ? undefined : exampleOf(known.schema)
  if (known === undefined || text === undefined) return ''
  const bare = text.replace(/^\[|\]$/g, '')
  if (where.startsWith('--')) return `. Example: ${where} ${bare}`
  if (where.endsWith(IN_ENVIRONMENT))
    return `. Example: ${where.slice(0, -IN_ENVIRONMENT.length)}=${bare}`
  const [outer, inner] = known.path.split('.')
  return `. Example: ${outer}: ${inner === undefined ? text : `{ ${inner}: ${text} }`}`
}

/** The keys of a group; '' is the whole. */
function siblings(group: string): string[] {
  const names = keysOf()
    .map(({ path }) =>
      group === ''
        ? path.split('.')[0]
        : path.startsWith(`${group}.`)
          ? path.slice(group.length + 1)
          : undefined,
    )
    .filter((name) => name !== undefined)
  return [...new Set(names)]
}
