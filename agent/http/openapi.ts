// What can be asked over HTTP as OpenAPI 3.1, made of the same schemas that check it.
import { z } from 'zod'
import type { MethodDescription } from '../methods/catalogue.ts'
import { pathOf } from './rest.ts'

/** What a method answers: a type of docs/protocol.md; whatever is not listed answers `Ordered`. */
const RESULTS: Readonly<Record<string, string>> = {
  'get-info': 'Info',
  'get-devices': 'DeviceList',
  'get-flows': 'FlowList',
  'get-history': 'History',
  'get-remotes': 'RemoteList',
  'get-rules': 'RuleList',
  'get-groups': 'GroupList',
  'get-journal': 'JournalList',
  'get-incidents': 'IncidentList',
  'resolve-incident': 'Incident',
  verdict: 'the connection and the verdict',
  'device-rename': 'the id and the name of the device',
  'device-forget': 'the id of the device',
  'blueprints-install': 'path and name of each blueprint, and whether an earlier one was replaced',
}

type Json = Record<string, unknown>

const ERROR: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', description: 'one word for programs, such as `refused`' },
        message: { type: 'string', description: 'one sentence for people' },
      },
    },
  },
}

/** The document; paths are relative to where the page is, so that a proxy may prefix them. */
export function openApi(methods: readonly MethodDescription[], version: string): Json {
  const paths: Record<string, Json> = {}
  for (const method of methods) {
    const verb = method.role === 'view' ? 'get' : 'post'
    paths[pathOf(method)] = { [verb]: operationOf(method) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Homespin',
      version,
      description: 'What the agent answers. The live feed (api/live) is in docs/protocol.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '.' }],
    // Without a token where none is configured: then the agent listens on loopback alone.
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { HttpError: ERROR },
      responses: {
        refused: {
          description: 'Not done; nothing has changed.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/HttpError' } } },
        },
      },
    },
  }
}

function operationOf(method: MethodDescription): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(method.schema, { io: 'input' }) as Json
  const input =
    method.role === 'view'
      ? { parameters: parametersOf(schema) }
      : { requestBody: { required: true, content: { 'application/json': { schema } } } }
  return {
    operationId: method.name,
    summary: method.description,
    'x-role': method.role,
    'x-mqtt': method.safe ? 'safe' : 'all',
    ...input,
    responses: {
      200: {
        description: RESULTS[method.name] ?? 'Ordered: what stands now, as the kernel has it',
        content: { 'application/json': { schema: { type: 'object' } } },
      },
      default: { $ref: '#/components/responses/refused' },
    },
  }
}

function parametersOf(schema: Json): Json[] {
  const properties = (schema.properties ?? {}) as Record<string, Json>
  const required = (schema.required ?? []) as string[]
  return Object.entries(properties).map(([name, { description, ...of }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: of,
  }))
}
