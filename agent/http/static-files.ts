// The panel's files, read once: what is served is what was in that folder at the start, by exact path and nothing else.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, posix } from 'node:path'
import { gzipSync } from 'node:zlib'

export interface StaticFile {
  body: Buffer
  /** Only where it is worth it. */
  gzipped?: Buffer
  type: string
  etag: string
  cacheControl: string
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}

const MAX_TOTAL_BYTES = 32 * 1024 * 1024
/** A name with a hash of the content in it, as vite makes them. */
const HASHED = /^\/assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/

/** The files below `dir` by URL path; `/` is `index.html`. Empty where there is no such folder; links are not followed. */
export function readStaticFiles(dir: string): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>()
  let total = 0
  for (const path of pathsBelow(dir, '/')) {
    const type = TYPES[extname(path)]
    if (type === undefined) continue
    const body = readFileSync(join(dir, path))
    total += body.length
    if (total > MAX_TOTAL_BYTES)
      throw new Error(`the page's files in ${dir} are larger than 32 MiB together`)
    files.set(path, staticFile(path, type, body))
  }
  const index = files.get('/index.html')
  if (index !== undefined) files.set('/', index)
  return files
}

/** Answers with `file`, or 304 where the browser has it. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: StaticFile,
): void {
  response.setHeader('Cache-Control', file.cacheControl)
  response.setHeader('ETag', file.etag)
  response.setHeader('Vary', 'Accept-Encoding')
  if (request.headers['if-none-match'] === file.etag) {
    response.writeHead(304).end()
    return
  }
  const gzip =
    file.gzipped !== undefined && /\bgzip\b/.test(String(request.headers['accept-encoding']))
  const body = gzip ? (file.gzipped as Buffer) : file.body
  if (gzip) response.setHeader('Content-Encoding', 'gzip')
  response.writeHead(200, { 'Content-Type': file.type, 'Content-Length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function staticFile(path: string, type: string, body: Buffer): StaticFile {
  const gzipped = /^(?:text|application|image\/svg)/.test(type) ? gzipSync(body) : undefined
  return {
    body,
    ...(gzipped !== undefined && gzipped.length < body.length && { gzipped }),
    type,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    cacheControl: HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
  }
}

function* pathsBelow(dir: string, at: string): Generator<string> {
  let entries: ReturnType<typeof list>
  try {
    entries = list(join(dir, at))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  for (const entry of entries) {
    const path = posix.join(at, entry.name)
    if (entry.isDirectory()) yield* pathsBelow(dir, path)
    else if (entry.isFile()) yield path
  }
}

function list(dir: string) {
  return readdirSync(dir, { withFileTypes: true })
}
