// The agent's REST: reads, and orders by their verb. URLs are relative, so that a proxy may prefix them.
import type {
  DeviceList,
  FlowList,
  History,
  HttpError,
  IncidentList,
  JournalList,
  RemoteList,
  Resolution,
  RuleList,
} from '../../protocol/http.ts'

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
  devices(signal: AbortSignal): Promise<DeviceList>
  rules(signal: AbortSignal): Promise<RuleList>
  /** Entries before number `before`, the latest first. */
  journal(before: number | undefined, limit: number, signal: AbortSignal): Promise<JournalList>
  incidents(state: 'open' | 'closed', limit: number, signal: AbortSignal): Promise<IncidentList>
  /** Carries out a method that changes something; resolves with its result when the kernel has it. */
  order(verb: string, args: object, signal: AbortSignal): Promise<unknown>
  /** The open stream of `api/live`. */
  live(signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/** What whoever asks may do: a view token may look, and change nothing. */
export type Role = 'view' | 'admin'

/** Why somebody may only look: the token that was given, or who it is in Home Assistant. */
export type RoleReason = 'token' | 'user'

/** The agent answered with a status that is not 2xx; 401 means that a token is needed. */
export class ApiError extends Error {
  readonly status: number
  /** The agent's word for it, such as `refused` or `forbidden`. */
  readonly code: string
  constructor(status: number, message: string, code = '') {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

/** Whether the agent wants a token, or another one. */
export function wantsToken(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401
}

/**
 * An `Api` on `base`, with the token that `token()` gives at the time of each call. `onRole` hears what the agent says
 * of the asker's role (header `Homespin-Role`), where it says it.
 */
export function createApi(
  base: string | URL,
  token: () => string | undefined,
  onRole: (role: Role, why: RoleReason) => void = () => {},
): Api {
  const ask = async (url: URL, options: RequestInit): Promise<Response> => {
    const headers = new Headers(options.headers)
    const secret = token()
    if (secret) headers.set('authorization', `Bearer ${secret}`)
    const response = await fetch(url, { ...options, headers, cache: 'no-store' })
    if (!response.ok) throw await refusal(response)
    const role = response.headers.get('homespin-role')
    const why = response.headers.get('homespin-role-why') === 'user' ? 'user' : 'token'
    if (role === 'view' || role === 'admin') onRole(role, why)
    return response
  }
  const get = (path: string, query: object, signal: AbortSignal): Promise<Response> => {
    const url = new URL(`api/${path}`, base)
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, String(value))
    }
    return ask(url, { signal })
  }
  return {
    flows: async (limit, signal) => (await get('flows', { limit }, signal)).json(),
    history: async (query, signal) => (await get('history', query, signal)).json(),
    remotes: async (query, limit, signal) =>
      (await get('history/remotes', { ...query, limit }, signal)).json(),
    devices: async (signal) => (await get('devices', {}, signal)).json(),
    rules: async (signal) => (await get('rules', {}, signal)).json(),
    journal: async (before, limit, signal) =>
      (await get('journal', { before, limit }, signal)).json(),
    incidents: async (state, limit, signal) =>
      (await get('incidents', { state, limit }, signal)).json(),
    order: async (verb, args, signal) => {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify(args)
      return (
        await ask(new URL(`api/${verb}`, base), { method: 'POST', headers, body, signal })
      ).json()
    },
    live: async (signal) => {
      const { body } = await get('live', {}, signal)
      if (body === null) throw new Error('the agent answered without a stream; update the agent')
      return body
    },
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const answer = (await response.json().catch(() => undefined)) as Partial<HttpError> | undefined
  const { message, code } = answer?.error ?? {}
  return new ApiError(
    response.status,
    message ?? `the agent answered with status ${response.status}`,
    code,
  )
}
