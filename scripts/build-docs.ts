// Makes docs/schema/*.json, docs/protocol.md and agent/http/results.json of the types in protocol/, and docs/openapi.json of
// these and the registry: node scripts/build-docs.ts
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SchemaGenerator } from 'ts-json-schema-generator'
import { createGenerator } from 'ts-json-schema-generator'
import { openApi } from '../agent/http/openapi.ts'
import { catalogue } from '../agent/methods/catalogue.ts'
import { PROTOCOL } from '../protocol/messages.ts'
import { DEFAULT_PREFIX, MAX_PAYLOAD_BYTES, topicsOf } from '../protocol/topics.ts'
import { EXAMPLES, EXAMPLES_BY_FILE } from './protocol-examples.ts'

const ROOT = join(import.meta.dirname, '..')
/** Beside the program that serves it. */
const RESULTS_FILE = 'agent/http/results.json'

/** What of a JSON Schema is read here. */
interface Schema {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  items?: Schema
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  required?: string[]
  description?: string
  definitions?: Record<string, Schema>
}

/** Types by the file that they are in; each gets a schema. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    Object.entries(EXAMPLES_BY_FILE).map(([file, examples]) => [file, Object.keys(examples)]),
  ),
  'protocol/http.ts': [
    'DeviceList',
    'FlowList',
    'History',
    'RemoteList',
    'RuleList',
    'GroupList',
    'JournalList',
    'IncidentList',
    'LimitList',
    'LiveEvents',
    'HttpError',
  ],
}

/** Types that messages are made of, which the page tells once. */
const PARTS = [
  'Endpoint',
  'DnsAnswer',
  'Loss',
  'Capability',
  'InterfaceInfo',
  'Evidence',
  'Blocked',
  'Rule',
  'Match',
  'Schedule',
  'Window',
  'Actor',
] as const

const DEVICE = '0'.repeat(12)
const topics = topicsOf('agent')
const shown = (topic: string): string =>
  topic
    .replace(`${DEFAULT_PREFIX}/agent/`, `${DEFAULT_PREFIX}/<agent>/`)
    .replace(DEVICE, '<id>')
    .replace('/verb', '/<verb>')

/** Topic, QoS, retained, payload. */
const TOPIC_ROWS: readonly (readonly [string, number, string, string])[] = [
  [topics.status, 1, 'yes, last will', 'the bare word `online` or `offline`'],
  [topics.info, 1, 'yes', '[Info](#info)'],
  [topics.instance, 1, 'no', '[Presence](#presence); of agents with one id among themselves'],
  [topics.flow, 0, 'no', '[FlowBatch](#flowbatch)'],
  [topics.dns, 0, 'no', '[DnsBatch](#dnsbatch)'],
  [topics.device(DEVICE), 1, 'yes', '[Device](#device); empty: forgotten'],
  [topics.event, 1, 'no', '[AgentEvent](#agentevent)'],
  [
    topics.incident(DEVICE),
    1,
    'while open',
    '[Incident](#incident); at its end once unretained, then empty',
  ],
  [topics.blocked, 0, 'no', '[BlockedBatch](#blockedbatch)'],
  [topics.connection, 0, 'no', '[Connection](#connection)'],
  [
    topics.command('verb'),
    1,
    'never',
    '[CommandEnvelope](#commandenvelope); see [Orders](#orders)',
  ],
  [topics.response('verb'), 1, 'no', '[CommandResponse](#commandresponse)'],
  [
    topics.homeAssistantDevice(DEVICE, 'control'),
    1,
    'yes',
    "for Home Assistant's entities, as are `traffic` and `incident` there, and `agent/state`: no contract, see [home-assistant.md](home-assistant.md)",
  ],
]

export const HTTP_ROWS: readonly (readonly [string, string])[] = [
  ['GET api/info', 'info'],
  ['GET api/devices', 'device-list'],
  ['GET api/flows', 'flow-list'],
  ['GET api/history', 'history'],
  ['GET api/history/remotes', 'remote-list'],
  ['GET api/rules', 'rule-list'],
  ['GET api/groups', 'group-list'],
  ['GET api/journal', 'journal-list'],
  ['GET api/incidents', 'incident-list'],
  ['GET api/limits', 'limit-list'],
  [
    'POST api/<verb>, see Orders; what verbs answer that are no orders is in openapi.json',
    'ordered',
  ],
  ['GET api/live (server-sent events, one property for each name)', 'live-events'],
  ['any, with status 4xx or 5xx', 'http-error'],
]

function kebab(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
}

function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|')
}

/** A type in a few words, with a link where it is told elsewhere on the page. */
function typeText(schema: Schema, all: Readonly<Record<string, Schema>>): string {
  if (schema.$ref !== undefined) {
    const name = decodeURIComponent(schema.$ref.split('/').at(-1) ?? '')
    const target = all[name]
    if (name in EXAMPLES || PARTS.some((part) => part === name))
      return `[${name}](#${name.toLowerCase()})`
    return target ? typeText(target, all) : name
  }
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.enum) return schema.enum.map((each) => `\`${each}\``).join(' ')
  if (schema.anyOf)
    return [...new Set(schema.anyOf.map((each) => typeText(each, all)))].join(' or ')
  if (schema.items) return `list of ${typeText(schema.items, all)}`
  if (typeof schema.additionalProperties === 'object')
    return `by name: ${typeText(schema.additionalProperties, all)}`
  return String(schema.type ?? 'anything')
}

function fields(schema: Schema, all: Readonly<Record<string, Schema>>): string[] {
  const rows = Object.entries(schema.properties ?? {}).map(([name, of]) => {
    const always = schema.required?.includes(name) ? 'always' : ''
    const target = of.$ref ? all[decodeURIComponent(of.$ref.split('/').at(-1) ?? '')] : undefined
    const told = target && !target.properties ? target.description : undefined
    const description = of.description ?? of.items?.description ?? told ?? ''
    return `| \`${name}\` | ${cell(typeText(of, all))} | ${always} | ${cell(description)} |`
  })
  return ['| key | type | | meaning |', '|---|---|---|---|', ...rows]
}

/** The properties of a schema; of a union those of all that it is made of. */
function merged(schema: Schema): Schema {
  if (schema.anyOf === undefined || schema.properties !== undefined) return schema
  const properties: Record<string, Schema> = {}
  for (const { properties: of = {} } of schema.anyOf) {
    for (const [name, each] of Object.entries(of)) {
      const before = properties[name]
      const both = { anyOf: [before ?? each, each], ...descriptionOf(each) }
      const same = before === undefined || JSON.stringify(before) === JSON.stringify(each)
      properties[name] = same ? each : both
    }
  }
  const required = Object.keys(properties).filter((name) =>
    schema.anyOf?.every((each) => each.required?.includes(name)),
  )
  return { ...schema, properties, required }
}

function descriptionOf({ description }: Schema): Schema {
  return description === undefined ? {} : { description }
}

/** What may be ordered, from the registry. */
function orders(): string[] {
  const rows = catalogue()
    .filter(({ role }) => role === 'admin')
    .map(
      ({ name, description, safe }) =>
        `| \`${name}\` | ${cell(description)} | ${safe ? '`safe`' : '`all`'} |`,
    )
  return [
    '## Orders',
    '',
    'The same methods by MQTT (`command/<verb>`), over HTTP (`POST api/<verb>`, or JSON-RPC 2.0 at `POST api/rpc`) and on the command line',
    '(`homespin <verb>`). Their arguments are in [openapi.json](openapi.json); reads are `get-…` by MQTT. A device is named by its id, MAC, address or unique name.',
    '',
    '| verb | what it does | taken by MQTT with `mqtt.commands` |',
    '|---|---|---|',
    ...rows,
    '',
    'By MQTT a command is an object of JSON with `id`, `issued_ms`, `ttl_ms` and the arguments beside them. It is answered under `response/<verb>` once the kernel has it:',
    'nothing else proves that it was carried out. The same command again, with the same id, is answered again and not carried out again; another one with a used id is refused. Where',
    '`mqtt.command_key` is set the payload is `<hex hmac-sha256>.<json>` (RFC 2104), signed over `<agent>\\n<verb>\\n<json>`. With MQTT 5 the answer also goes to the response topic, if that is',
    'below the prefix and none of the topics above, with the correlation data. Where the clock of the agent is synchronised, `issued_ms` may be 60 s ahead, and a command is expired when it is older than `ttl_ms` and 60 s.',
    'With `mqtt.commands: safe`, `undo` and `confirm` are refused for what is about restrictions, groups or a panic. An error has one of these codes: `unknown_method`, `invalid_arguments`, `forbidden`, `not_found`, `conflict`, `unavailable`,',
    '`refused` (protected, too wide, or not to be enforced here), `retained`, `expired`, `replayed`, `malformed`, `too_large`, `bad_signature`, `internal`.',
    '',
  ]
}

function section(name: string, schema: Schema, all: Readonly<Record<string, Schema>>): string[] {
  const example = EXAMPLES[name]
  const link = example
    ? [`JSON Schema: [schema/${kebab(name)}.json](schema/${kebab(name)}.json)`, '']
    : []
  const code = example ? ['', '```json', JSON.stringify(example, null, 2), '```'] : []
  const heading = example ? '##' : '###'
  return [
    `${heading} ${name}`,
    '',
    schema.description ?? '',
    '',
    ...link,
    ...fields(merged(schema), all),
    ...code,
    '',
  ]
}

function page(schemas: ReadonlyMap<string, Schema>): string {
  const all: Record<string, Schema> = {}
  for (const schema of schemas.values()) Object.assign(all, schema.definitions)
  const messages = Object.keys(EXAMPLES)
  const lines = [
    '<!-- Made by scripts/build-docs.ts of protocol/. Do not edit. -->',
    '# The protocol',
    '',
    `Version ${PROTOCOL}. What an agent publishes by MQTT, answers over HTTP, and prints as JSON.`,
    '',
    '- JSON in UTF-8, keys in snake_case. Times end in `_ms` (milliseconds since the epoch), durations in `_s`, sizes in `_bytes`.',
    '- A key that is absent is unknown. Readers must ignore keys that they do not know: new ones come without a new version.',
    '- Names come from the network, from whoever is on it, and are not cleaned: escape them where you show them.',
    `- A payload has at most ${MAX_PAYLOAD_BYTES} bytes. The prefix \`${DEFAULT_PREFIX}\` can be configured; \`<agent>\` is 1 to 32 of \`a\`–\`z\`, \`0\`–\`9\`, \`_\`, \`-\`.`,
    '',
    '## Topics',
    '',
    '| topic | QoS | retained | payload |',
    '|---|---|---|---|',
    ...TOPIC_ROWS.map(
      ([topic, qos, retained, payload]) =>
        `| \`${shown(topic)}\` | ${qos} | ${retained} | ${payload} |`,
    ),
    '',
    '`homespin replay --json` and `homespin print --json` print the same objects, one a line.',
    '',
    '## HTTP',
    '',
    '| request | answer |',
    '|---|---|',
    ...HTTP_ROWS.map(
      ([what, schema]) => `| \`${what}\` | [schema/${schema}.json](schema/${schema}.json) |`,
    ),
    '',
    ...orders(),
    ...messages.flatMap((name) => section(name, schemas.get(name) ?? {}, all)),
    '## Parts of messages',
    '',
    ...PARTS.flatMap((name) => section(name, all[name] ?? {}, all)),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

/** Every generated file: its path from the root, and its text. */
export function documents(): Map<string, string> {
  const schemas = new Map<string, Schema>()
  for (const name of Object.values(TYPES).flat())
    schemas.set(name, generatorOfAll().createSchema(name) as Schema)
  const files = new Map<string, string>()
  for (const [name, schema] of schemas) {
    const titled = { $schema: 'http://json-schema.org/draft-07/schema#', title: name, ...schema }
    files.set(`docs/schema/${kebab(name)}.json`, `${JSON.stringify(titled, null, 2)}\n`)
  }
  files.set('docs/protocol.md', page(schemas))
  const { version } = JSON.parse(readFileSync(join(ROOT, 'agent/package.json'), 'utf8')) as {
    version: string
  }
  files.set(RESULTS_FILE, resultSchemas())
  const whole = openApi(catalogue(), version, JSON.parse(files.get(RESULTS_FILE) ?? ''))
  files.set('docs/openapi.json', `${JSON.stringify(whole, null, 2)}\n`)
  return files
}

/** What methods answer, by the names of the types; with references as OpenAPI has them. */
function resultSchemas(): string {
  const schema = generatorOfAll().createSchema('Results') as Schema
  const schemas = Object.fromEntries(
    Object.entries(schema.definitions ?? {}).filter(([name]) => name !== 'Results'),
  )
  const text = JSON.stringify(schemas, null, 2)
  return `${text.replaceAll('"#/definitions/', '"#/components/schemas/')}\n`
}

let generator: SchemaGenerator | undefined

/** Of all types in protocol/, which are read once. */
function generatorOfAll(): SchemaGenerator {
  generator ??= createGenerator({
    path: join(ROOT, 'protocol/*.ts'),
    tsconfig: join(ROOT, 'tsconfig.json'),
    expose: 'export',
    topRef: false,
    additionalProperties: true,
    skipTypeCheck: true,
  })
  return generator
}

if (import.meta.main) {
  const files = documents()
  for (const old of readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }))
    if (old.startsWith('schema/') && !files.has(`docs/${old}`)) rmSync(join(ROOT, 'docs', old))
  for (const [path, text] of files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), text)
  }
  process.stdout.write(`wrote ${files.size} files\n`)
}
