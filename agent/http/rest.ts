// REST: which path asks which method, and what of a query is a number. The methods' schemas check the rest.
import { RequestError } from './answer.ts'

export interface Route {
  method: string
  /** Keys of the query whose values are numbers. */
  numbers: readonly string[]
}

/** `GET` routes by path. */
export const ROUTES: ReadonlyMap<string, Route> = new Map([
  ['/api/info', { method: 'get-info', numbers: [] }],
  ['/api/devices', { method: 'get-devices', numbers: [] }],
  ['/api/flows', { method: 'get-flows', numbers: ['limit'] }],
  ['/api/history', { method: 'get-history', numbers: ['from_ms', 'to_ms'] }],
  ['/api/history/remotes', { method: 'get-remotes', numbers: ['from_ms', 'to_ms', 'limit'] }],
])

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
