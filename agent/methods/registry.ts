// What a person or program may ask of the agent: name, who may, schema of the arguments, handler.
// HTTP, the socket and MQTT hand requests to the same registry.
import type { z } from 'zod'
import type { Results } from '../../protocol/results.ts'

export type Role = 'view' | 'admin'

/** Who asks, and by which way. */
export interface Caller {
  role: Role
  via: 'http' | 'socket' | 'mqtt'
  /** The address from which the client asks, where the transport knows it; it is never blocked by its own order. */
  address?: string
  /** They may give the safe orders alone, and take back only what these do. */
  safeOnly?: boolean
}

/** Why a method was not carried out; transports turn it into their own kind of answer. */
export type MethodErrorCode =
  | 'unknown_method'
  | 'invalid_arguments'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'unavailable'
  /** Protected, too wide, or not to be enforced here: the message says which. */
  | 'refused'

export class MethodError extends Error {
  readonly code: MethodErrorCode

  constructor(code: MethodErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MethodError'
    this.code = code
  }
}

/** All that can be asked. Throws a `MethodError`, or any other error for a fault of ours. */
export interface Methods {
  call(name: string, args: unknown, caller: Caller): Promise<unknown>
  /** In the order of definition; for documentation and for tests that walk over every method. */
  list(): readonly AnyMethod[]
}

/** The name of a type that a method answers. */
export type ResultName = keyof Results

export interface Method<
  Schema extends z.ZodType = z.ZodType,
  Result extends ResultName | undefined = undefined,
> {
  /** A verb of the contract, such as `get-devices`. */
  name: string
  /** One English sentence without its end, for the command line's help and for OpenAPI. */
  description: string
  /** The least role that may call it; `view` changes nothing. */
  role: Role
  /** Taken over MQTT with `mqtt.commands: safe`, where every account of the broker may ask. */
  safe: boolean
  /** Of the arguments, by name; use `z.strictObject`, so that a misspelt key is refused. */
  schema: Schema
  /** What it answers; every method of an agent says it. */
  result?: Result
  handler(
    args: z.infer<Schema>,
    caller: Caller,
  ): Result extends ResultName ? Results[Result] | Promise<Results[Result]> : unknown
}

/** A method whose arguments' type is known to its own schema alone. */
export interface AnyMethod {
  readonly name: string
  readonly description: string
  readonly role: Role
  readonly safe: boolean
  readonly schema: z.ZodType
  readonly result?: ResultName
  run(args: unknown, caller: Caller): Promise<unknown>
}

/** A method, its arguments checked by its schema before the handler sees them. */
export function defineMethod<
  Schema extends z.ZodType,
  Result extends ResultName | undefined = undefined,
>(method: Method<Schema, Result>): AnyMethod {
  const { result } = method
  return {
    name: method.name,
    description: method.description,
    role: method.role,
    safe: method.safe,
    schema: method.schema,
    ...(result === undefined ? {} : { result }),
    run: async (args, caller) => {
      const checked = method.schema.safeParse(args)
      if (!checked.success)
        throw new MethodError('invalid_arguments', sentenceOf(method.name, checked.error))
      return await method.handler(checked.data, caller)
    },
  }
}

/** The registry of `methods`. Throws an Error when two have one name. */
export function createRegistry(methods: readonly AnyMethod[]): Methods {
  const byName = new Map<string, AnyMethod>()
  for (const method of methods) {
    if (byName.has(method.name)) throw new Error(`two methods are called ${method.name}`)
    byName.set(method.name, method)
  }
  return {
    list: () => methods,
    call: async (name, args, caller) => {
      const method = byName.get(name)
      if (method === undefined)
        throw new MethodError('unknown_method', 'there is no method of that name')
      if (method.role === 'admin' && caller.role !== 'admin') {
        throw new MethodError('forbidden', `${name} needs the role admin`)
      }
      return await method.run(args, caller)
    },
  }
}

function sentenceOf(name: string, error: z.ZodError): string {
  const issues = error.issues.slice(0, 5).map((issue) => {
    const where = issue.path.map(String).join('.').slice(0, 100)
    return `${where === '' ? '' : `${where}: `}${issue.message.slice(0, 200)}`
  })
  // Keys come from outside: nothing in them may reach a terminal or turn the sentence round.
  return `${name}: ${issues.join('; ')}`.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd')
}
