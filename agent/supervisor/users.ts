// Who of Home Assistant's users is an administrator: the Supervisor says who asks, and not what they may.
import type { Log } from '../log.ts'
import type { Role } from '../methods/registry.ts'
import type { SupervisorAccess } from './client.ts'
import { isRecord } from './client.ts'

export interface UsersParts {
  access: SupervisorAccess
  log: Log
  /** For tests: asks Core. */
  list?: () => Promise<ReadonlySet<string>>
}

/** So long a list is believed: who is no administrator any more acts no longer than this. */
const KEPT_MS = 30_000
/** Somebody who is not in the list makes it be asked for again, but not more often than this. */
const SOONEST_MS = 5000
const TIMEOUT_MS = 10_000
const MAX_BYTES = 4_000_000

/** Roles of users by their id, looked up when first needed. */
export class Users {
  readonly #parts: UsersParts
  #administrators: ReadonlySet<string> = new Set()
  #askedMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined
  #isSaid = false

  constructor(parts: UsersParts) {
    this.#parts = parts
  }

  /** `admin` for an administrator whom Home Assistant knows now; whoever else asks may look. Never rejects. */
  async roleOf(userId: string | undefined): Promise<Role> {
    if (userId === undefined || !/^[0-9a-f]{32}$/.test(userId)) return 'view'
    const age = performance.now() - this.#askedMs
    if (age > (this.#administrators.has(userId) ? KEPT_MS : SOONEST_MS)) await this.#ask()
    return this.#administrators.has(userId) ? 'admin' : 'view'
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined
      this.#askedMs = performance.now()
    })
    return this.#asking
  }

  async #askOnce(): Promise<void> {
    const { log, access, list = () => listAdministrators(access) } = this.#parts
    try {
      this.#administrators = await list()
      this.#isSaid = false
    } catch (error) {
      // Nobody is an administrator on the word of a list that may have changed.
      this.#administrators = new Set()
      if (this.#isSaid) return
      this.#isSaid = true
      const why = (error as Error).message
      log.warn(`nobody may act on the page until Home Assistant tells who its users are: ${why}`)
    }
  }
}

/** Ids of all active administrators, over Core's websocket. Throws an Error. */
async function listAdministrators({ url, token }: SupervisorAccess): Promise<Set<string>> {
  const answer = await new Promise<unknown>((resolve, reject) => {
    // The global one is loaded only here, when somebody opens the page.
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/core/websocket`)
    const timer = setTimeout(() => fail('Home Assistant does not answer'), TIMEOUT_MS)
    const end = (): void => {
      clearTimeout(timer)
      socket.close()
    }
    const fail = (why: string): void => {
      end()
      reject(new Error(why))
    }
    socket.onerror = () => fail('its websocket can not be reached')
    socket.onclose = () => fail('it closed its websocket')
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string' || data.length > MAX_BYTES) return fail('too long an answer')
      const message = recordOf(data)
      if (message.type === 'auth_required') {
        socket.send(JSON.stringify({ type: 'auth', access_token: token }))
      } else if (message.type === 'auth_ok') {
        socket.send(JSON.stringify({ id: 1, type: 'config/auth/list' }))
      } else if (message.type === 'auth_invalid') {
        fail('it does not take the token of this app')
      } else if (message.type === 'result' && message.id === 1) {
        if (message.success !== true) return fail('it does not list its users to this app')
        end()
        resolve(message.result)
      }
    }
  })
  return administratorsOf(answer)
}

function recordOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

/** Of the answer to `config/auth/list`: owners, and who is in the group of administrators. */
export function administratorsOf(answer: unknown): Set<string> {
  const users = Array.isArray(answer) ? answer.filter(isRecord) : []
  const may = ({ id, is_owner, is_active, group_ids }: Record<string, unknown>): boolean =>
    typeof id === 'string' &&
    is_active === true &&
    (is_owner === true || (Array.isArray(group_ids) && group_ids.includes('system-admin')))
  return new Set(users.filter(may).map(({ id }) => id as string))
}
