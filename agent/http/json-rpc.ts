// JSON-RPC 2.0 over `POST api/rpc`: the methods of the registry, parameters by name.

import type { Caller, MethodErrorCode, Methods } from '../methods/registry.ts'
import { MethodError } from '../methods/registry.ts'

export interface RpcError {
  code: number
  message: string
  /** The registry's own word for it. */
  data?: { code: string }
}

export type RpcResponse =
  | { jsonrpc: '2.0'; id: string | number | null; result: unknown }
  | { jsonrpc: '2.0'; id: string | number | null; error: RpcError }

/** Calls in one batch. */
const MAX_BATCH = 20

const CODE_OF: Record<MethodErrorCode, number> = {
  unknown_method: -32601,
  invalid_arguments: -32602,
  forbidden: -32001,
  not_found: -32002,
  conflict: -32003,
  unavailable: -32004,
  refused: -32005,
}

/**
 * Carries out a request or a batch; undefined where nothing is to be answered (notifications).
 * Faults of ours go to `onFault` and are answered without their details.
 */
export async function answerRpc(
  body: unknown,
  methods: Methods,
  caller: Caller,
  onFault: (error: unknown) => void,
): Promise<RpcResponse | RpcResponse[] | undefined> {
  if (!Array.isArray(body)) return await answerOne(body, methods, caller, onFault)
  if (body.length === 0 || body.length > MAX_BATCH) {
    return failure(null, -32600, `a batch holds 1 to ${MAX_BATCH} requests`)
  }
  const answers: RpcResponse[] = []
  for (const request of body) {
    const answer = await answerOne(request, methods, caller, onFault)
    if (answer !== undefined) answers.push(answer)
  }
  return answers.length === 0 ? undefined : answers
}

async function answerOne(
  request: unknown,
  methods: Methods,
  caller: Caller,
  onFault: (error: unknown) => void,
): Promise<RpcResponse | undefined> {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return failure(null, -32600, 'a request is an object')
  }
  const { jsonrpc, id, method, params = {} } = request as Record<string, unknown>
  const known = typeof id === 'string' || typeof id === 'number' || id === null
  const answerId = known ? (id as string | number | null) : null
  if (jsonrpc !== '2.0' || typeof method !== 'string' || !(known || id === undefined)) {
    return failure(answerId, -32600, 'a request has jsonrpc "2.0", a method and an id')
  }
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    return id === undefined
      ? undefined
      : failure(answerId, -32602, 'params are given by name, as an object')
  }
  const answer = await callMethod(method, params, answerId, methods, caller, onFault)
  return id === undefined ? undefined : answer
}

async function callMethod(
  method: string,
  params: object,
  id: string | number | null,
  methods: Methods,
  caller: Caller,
  onFault: (error: unknown) => void,
): Promise<RpcResponse> {
  try {
    return { jsonrpc: '2.0', id, result: (await methods.call(method, params, caller)) ?? null }
  } catch (error) {
    if (error instanceof MethodError)
      return failure(id, CODE_OF[error.code], error.message, error.code)
    onFault(error)
    return failure(id, -32603, 'something went wrong in the agent; its log says what', 'internal')
  }
}

function failure(
  id: string | number | null,
  code: number,
  message: string,
  word?: string,
): RpcResponse {
  return {
    jsonrpc: '2.0',
    id,
    error: { code, message, ...(word !== undefined && { data: { code: word } }) },
  }
}
