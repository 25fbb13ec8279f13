// REST: which path asks which method, and what of a query is a number. The methods' schemas check the rest.
import { z } from 'zod'
import type { AnyMethod } from '../methods/registry.ts'
import { RequestError } from './answer.ts'

export interface Route {
  /** Verb of HTTP. */
  verb: 'GET' | 'POST'
  /** Name of a method of the registry. */
  method: string
}

/** Reads whose path is not their name without `get-`. */
const PATHS: Readonly<Record<string, string>> = {
  'get-remotes': '/api/history/remotes',
}

/** Where a method is: reads under their subject by `GET`, changes under their name by `POST`. */
export function pathOf({ name, role }: Pick<AnyMethod, 'name' | 'role'>): string {
  return PATHS[name] ?? `/api/${role === 'view' ? name.replace(/^get-/, '') : name}`
}

/** The routes of methods by path. Throws an Error where two would have one path. */
export function routesOf(
  methods: readonly Pick<AnyMethod, 'name' | 'role'>[],
): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>()
  for (const method of methods) {
    const path = pathOf(method)
    if (routes.has(path)) throw new Error(`two methods are at ${path}`)
    routes.set(path, { verb: method.role === 'view' ? 'GET' : 'POST', method: method.name })
  }
  return routes
}

/** Keys of a method's arguments that are numbers. */
export function numbersOf(schema: z.ZodType): string[] {
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape).flatMap(([key, of]) => (isNumber(of) ? [key] : []))
}

function isNumber(schema: unknown): boolean {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return isNumber(schema.unwrap())
  return schema instanceof z.ZodNumber
}

/** The arguments in a query (without `?`). Throws a RequestError for a key that comes twice or a number that is none. */
export function queryArguments(query: string, numbers: readonly string[]): Record<string, unknown> {
  // A key may be `__proto__`: without a prototype that is a key as any other, and the schema refuses it.
  const args = Object.create(null) as Record<string, unknown>
  for (const [key, value] of new URLSearchParams(query)) {
    if (key in args)
      throw new RequestError(400, 'invalid_arguments', 'a key of the query comes twice')
    args[key] = numbers.includes(key) ? numberOf(key, value) : value
  }
  return { ...args }
}

function numberOf(key: string, text: string): number {
  if (!/^-?\d{1,16}(?:\.\d{1,6})?$/.test(text)) {
    throw new RequestError(400, 'invalid_arguments', `${key} must be a number, such as 100`)
  }
  return Number(text)
}
