// What can be asked over HTTP as OpenAPI 3.1: arguments by the schemas that check them, answers by those made of the types that
// handlers are compiled against.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { MethodDescription } from '../methods/catalogue.ts'
import { pathOf } from './rest.ts'

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

/** Of the types in `Results`, by their names; made by scripts/build-docs.ts. Read when it is asked for: few ask. */
function resultSchemas(): Json {
  return JSON.parse(readFileSync(new URL('./results.json', import.meta.url), 'utf8')) as Json
}

/** The document; paths are relative to where the page is, so that a proxy may prefix them. */
export function openApi(
  methods: readonly MethodDescription[],
  version: string,
  results: Json = resultSchemas(),
): Json {
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
      schemas: { HttpError: ERROR, ...results },
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
        description: method.result ?? '',
        content: {
          'application/json': { schema: { $ref: `#/components/schemas/${method.result}` } },
        },
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
