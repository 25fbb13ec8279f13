// The agent's read-only REST. URLs are relative, so that a proxy may prefix them.
import type { FlowList, History, HttpError, RemoteList, Resolution } from '../../protocol/http.ts'

/** What is asked of the history. Times in milliseconds; without `device` it is the whole home. */
export interface HistoryQuery {
  device?: string | undefined
  resolution: Resolution
  from_ms: number
  to_ms: number
}

/** Reads the agent; each call ends when `signal` does, and throws an `ApiError` when the agent refuses. */
export interface Api {
  flows(limit: number, signal: AbortSignal): Promise<FlowList>
  history(query: HistoryQuery, signal: AbortSignal): Promise<History>
  remotes(query: HistoryQuery, limit: number, signal: AbortSignal): Promise<RemoteList>
  /** The open stream of `api/live`. */
  live(signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/** The agent answered with a status that is not 2xx; 401 means that a token is needed. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

/** Whether the agent wants a token, or another one. */
export function wantsToken(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401
}

/** An `Api` on `base`, with the token that `token()` gives at the time of each call. */
export function createApi(base: string | URL, token: () => string | undefined): Api {
  const get = async (path: string, query: object, signal: AbortSignal): Promise<Response> => {
    const url = new URL(`api/${path}`, base)
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, String(value))
    }
    const headers = new Headers()
    const secret = token()
    if (secret) headers.set('authorization', `Bearer ${secret}`)
    const response = await fetch(url, { headers, signal, cache: 'no-store' })
    if (!response.ok) throw new ApiError(response.status, await refusal(response))
    return response
  }
  return {
    flows: async (limit, signal) => (await get('flows', { limit }, signal)).json(),
    history: async (query, signal) => (await get('history', query, signal)).json(),
    remotes: async (query, limit, signal) =>
      (await get('history/remotes', { ...query, limit }, signal)).json(),
    live: async (signal) => {
      const { body } = await get('live', {}, signal)
      if (body === null) throw new Error('the agent answered without a stream; update the agent')
      return body
    },
  }
}

async function refusal(response: Response): Promise<string> {
  const answer = (await response.json().catch(() => undefined)) as Partial<HttpError> | undefined
  return answer?.error?.message ?? `the agent answered with status ${response.status}`
}
