// Makes docs/schema/*.json and docs/protocol.md of the types in protocol/: node scripts/build-docs.ts
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SchemaGenerator } from 'ts-json-schema-generator'
import { createGenerator } from 'ts-json-schema-generator'
import { PROTOCOL } from '../protocol/messages.ts'
import { DEFAULT_PREFIX, MAX_PAYLOAD_BYTES, topicsOf } from '../protocol/topics.ts'
import { EXAMPLES } from './protocol-examples.ts'

const ROOT = join(import.meta.dirname, '..')

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
  'protocol/messages.ts': Object.keys(EXAMPLES),
  'protocol/http.ts': [
    'DeviceList',
    'FlowList',
    'History',
    'RemoteList',
    'LiveEvents',
    'HttpError',
  ],
}

/** Types that messages are made of, which the page tells once. */
const PARTS = ['Endpoint', 'DnsAnswer', 'Loss', 'Capability', 'InterfaceInfo'] as const

const DEVICE = '0'.repeat(12)
const topics = topicsOf('agent')
const shown = (topic: string): string =>
  topic.replace(`${DEFAULT_PREFIX}/agent/`, `${DEFAULT_PREFIX}/<agent>/`).replace(DEVICE, '<id>')

/** Topic, QoS, retained, payload. */
const TOPIC_ROWS: readonly (readonly [string, number, string, string])[] = [
  [topics.status, 1, 'yes, last will', 'the bare word `online` or `offline`'],
  [topics.info, 1, 'yes', '[Info](#info)'],
  [topics.flow, 0, 'no', '[FlowBatch](#flowbatch)'],
  [topics.dns, 0, 'no', '[DnsBatch](#dnsbatch)'],
  [topics.device(DEVICE), 1, 'yes', '[Device](#device); empty: forgotten'],
  [topics.event, 1, 'no', '[AgentEvent](#agentevent)'],
]

const HTTP_ROWS: readonly (readonly [string, string])[] = [
  ['GET api/info', 'info'],
  ['GET api/devices', 'device-list'],
  ['GET api/flows', 'flow-list'],
  ['GET api/history', 'history'],
  ['GET api/history/remotes', 'remote-list'],
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
  if (schema.anyOf) return schema.anyOf.map((each) => typeText(each, all)).join(' or ')
  if (schema.items) return `list of ${typeText(schema.items, all)}`
  if (typeof schema.additionalProperties === 'object')
    return `by name: ${typeText(schema.additionalProperties, all)}`
  return String(schema.type)
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
    ...fields(schema, all),
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
  for (const [path, names] of Object.entries(TYPES)) {
    const generator: SchemaGenerator = createGenerator({
      path: join(ROOT, path),
      tsconfig: join(ROOT, 'tsconfig.json'),
      expose: 'export',
      topRef: false,
      additionalProperties: true,
      skipTypeCheck: true,
    })
    for (const name of names) schemas.set(name, generator.createSchema(name) as Schema)
  }
  const files = new Map<string, string>()
  for (const [name, schema] of schemas) {
    const titled = { $schema: 'http://json-schema.org/draft-07/schema#', title: name, ...schema }
    files.set(`docs/schema/${kebab(name)}.json`, `${JSON.stringify(titled, null, 2)}\n`)
  }
  files.set('docs/protocol.md', page(schemas))
  return files
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
