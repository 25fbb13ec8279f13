// A request's JSON body: capped before it is kept, its depth checked before it is parsed.
import type { IncomingMessage } from 'node:http'
import { RequestError } from './answer.ts'

/** The largest body that is read. */
export const MAX_BODY_BYTES = 65536
/** Objects and arrays inside each other. */
export const MAX_DEPTH = 16

/** Reads and parses the body. Throws a RequestError: 400, 413 or 415. */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  // Any other type could be sent by a page of another site without asking first (CORS preflight).
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    throw new RequestError(415, 'wrong_type', 'send the request as application/json')
  }
  const body = await readBody(request)
  if (nestingOf(body) > MAX_DEPTH) {
    throw new RequestError(400, 'too_deep', `the JSON is deeper than ${MAX_DEPTH} levels`)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    throw new RequestError(400, 'malformed', 'the body is not JSON in UTF-8')
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new RequestError(
    413,
    'too_large',
    `the body is larger than ${MAX_BODY_BYTES} bytes`,
  )
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The deepest nesting of JSON text, found without parsing it; what is no JSON gives some number. */
export function nestingOf(text: Uint8Array): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > deepest) deepest = depth
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return deepest
}
