// Answers, with the headers that every one of them carries.
import type { ServerResponse } from 'node:http'
import type { HttpError } from '../../protocol/http.ts'
import type { MethodErrorCode } from '../methods/registry.ts'
import { MethodError } from '../methods/registry.ts'

/** An error that ends a request with this status; `code` and the message go to whoever asked. */
export class RequestError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'RequestError'
    this.status = status
    this.code = code
  }
}

/** Nothing may be loaded but from here, and nobody may put this page into a frame of theirs. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/** Sets what every answer carries. */
export function setCommonHeaders(response: ServerResponse): void {
  response.setHeader('Content-Security-Policy', CSP)
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
  })
  response.end(body)
}

export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  sendJson(response, status, { error: { code, message } } satisfies HttpError)
}

const STATUS_OF: Record<MethodErrorCode, number> = {
  unknown_method: 404,
  invalid_arguments: 400,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  refused: 422,
  unavailable: 503,
}

/** Answers with what went wrong; false for a fault of ours, which is answered without its details. */
export function sendFailure(response: ServerResponse, error: unknown): boolean {
  if (error instanceof RequestError) sendError(response, error.status, error.code, error.message)
  else if (error instanceof MethodError)
    sendError(response, STATUS_OF[error.code], error.code, error.message)
  else {
    sendError(response, 500, 'internal', 'something went wrong in the agent; its log says what')
    return false
  }
  return true
}
