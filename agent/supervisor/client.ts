// What the Supervisor of Home Assistant tells its apps, over HTTP with the token that it gave this one.
import type { IncomingMessage, RequestOptions } from 'node:http'

/** The Supervisor did not answer, or said no; `status` is undefined where nothing was answered. */
export class SupervisorError extends Error {
  readonly status: number | undefined

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SupervisorError'
    this.status = status
  }
}

export interface SupervisorAccess {
  /** Without a slash at its end: `http://supervisor`. */
  url: string
  token: string
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_000_000

/** How this app's own page is called there: an app was an add-on until 2026. */
const SELF = ['/addons/self/info', '/apps/self/info', '/v2/apps/self/info'] as const

/** Asks the Supervisor. */
export class SupervisorClient {
  readonly #access: SupervisorAccess
  #self: string | undefined

  constructor(access: SupervisorAccess) {
    this.#access = access
  }

  get access(): SupervisorAccess {
    return this.#access
  }

  /** The `data` of its answer. Throws a SupervisorError. */
  async get(path: string): Promise<Record<string, unknown>> {
    const { status, text } = await this.#ask(path)
    const answer = parse(text)
    const data = answer.data
    if (status === 200 && answer.result === 'ok' && isRecord(data)) return data
    const why =
      typeof answer.message === 'string' ? answer.message.slice(0, 300) : 'no reason given'
    throw new SupervisorError(`the Supervisor refuses ${path} (${status}): ${why}`, status)
  }

  /** What it knows of this app. Throws a SupervisorError. */
  async self(): Promise<Record<string, unknown>> {
    if (this.#self !== undefined) return await this.get(this.#self)
    let last: unknown
    for (const path of SELF) {
      try {
        const data = await this.get(path)
        this.#self = path
        return data
      } catch (error) {
        last = error
        if (!(error instanceof SupervisorError) || error.status !== 404) throw error
      }
    }
    throw last
  }

  async #ask(path: string): Promise<{ status: number; text: string }> {
    // Not imported: see ../http/node-server.ts.
    const http = process.getBuiltinModule('node:http')
    const options: RequestOptions = {
      headers: { Authorization: `Bearer ${this.#access.token}`, Connection: 'close' },
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const request = http.request(`${this.#access.url}${path}`, options, resolve)
        request.once('error', reject)
        request.end()
      })
      return { status: response.statusCode ?? 0, text: await read(response) }
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const why = `the Supervisor does not answer at ${this.#access.url} (${code ?? message})`
      throw new SupervisorError(why, undefined, { cause })
    }
  }
}

async function read(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) {
    text += part
    if (text.length > MAX_BYTES) throw new Error('too long an answer')
  }
  return text
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
