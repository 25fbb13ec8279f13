// The nodes that share a link, and what each was told last.
import type { SparingLog } from './link-log.ts'
import type { LinkState, LinkUser, Want } from './link-user.ts'

/** Tells many nodes; one that throws does so alone. */
export class LinkUsers {
  readonly #log: SparingLog
  readonly #users = new Map<LinkUser, LinkState>()

  constructor(log: SparingLog) {
    this.#log = log
  }

  get size(): number {
    return this.#users.size
  }

  all(): LinkUser[] {
    return [...this.#users.keys()]
  }

  /** Whether any of them wants it. */
  want(want: Want): boolean {
    return this.all().some((user) => user.wants.includes(want))
  }

  /** Adds a node that is to be in `state`; `tellState` tells it so. */
  add(user: LinkUser, state: LinkState): void {
    this.#users.set(user, state)
  }

  /** False: it was not there. */
  delete(user: LinkUser): boolean {
    return this.#users.delete(user)
  }

  clear(): void {
    this.#users.clear()
  }

  /** Tells a node the state that it is in. */
  tellState(user: LinkUser): void {
    const state = this.#users.get(user)
    if (state !== undefined) this.#call(() => user.state(state))
  }

  /** Tells each node whose state is another than it was. */
  tellStates(stateOf: (user: LinkUser) => LinkState): void {
    for (const [user, told] of [...this.#users]) {
      const state = stateOf(user)
      if (state === told) continue
      this.#users.set(user, state)
      this.tellState(user)
    }
  }

  each(tell: (user: LinkUser) => void): void {
    for (const user of this.all()) this.#call(() => tell(user))
  }

  #call(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      const what = error instanceof Error ? error.stack : error
      this.#log.tell('node', 'error', `a node failed: ${what}`)
    }
  }
}
