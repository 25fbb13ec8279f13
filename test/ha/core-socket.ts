// A client of Home Assistant's websocket API, signed in with a token: questions with answers, and subscriptions.

/** An answer that says no; `code` as Core gives it, `unauthorized` where the account may not. */
export class CoreRefusal extends Error {
  readonly code: string

  constructor(type: string, code: string, message: string) {
    super(`${type}: ${code}: ${message}`)
    this.code = code
  }
}

interface Answer {
  id: number
  type: string
  success?: boolean
  result?: unknown
  event?: unknown
  error?: { code: string; message: string }
}

const ANSWER_MS = 60_000

export class CoreSocket {
  readonly #url: string
  readonly #token: string
  #socket?: WebSocket
  #next = 1
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #listeners = new Map<number, (event: unknown) => void>()

  /** `url` of Core, as `http://127.0.0.1:8123`. */
  constructor(url: string, token: string) {
    this.#url = `${url.replace(/^http/, 'ws')}/api/websocket`
    this.#token = token
  }

  /** Connects and signs in. */
  async start(): Promise<this> {
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('error', () => reject(new Error(`no connection to ${this.#url}`)))
      socket.addEventListener('close', () => {
        const gone = { id: 0, type: 'result', error: { code: 'closed', message: 'it hung up' } }
        for (const answer of this.#waiting.values()) answer(gone)
        reject(new Error(`${this.#url} hung up`))
      })
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(String(data)) as Answer
        if (message.type === 'auth_required')
          socket.send(JSON.stringify({ type: 'auth', access_token: this.#token }))
        else if (message.type === 'auth_ok') resolve()
        else if (message.type === 'auth_invalid') reject(new Error('Core refuses the token'))
        else this.#take(message)
      })
    })
    return this
  }

  stop(): void {
    this.#socket?.close()
  }

  /** Asks; throws a CoreRefusal where Core says no. */
  async call<T = unknown>(type: string, args: object = {}): Promise<T> {
    return (await this.#ask(this.#next++, type, args)) as T
  }

  /** Calls back with each event of a subscription; resolves, once it stands, with the function that ends it. */
  async subscribe(
    type: string,
    args: object,
    listener: (event: unknown) => void,
  ): Promise<() => Promise<void>> {
    const id = this.#next++
    this.#listeners.set(id, listener)
    await this.#ask(id, type, args)
    return async () => {
      this.#listeners.delete(id)
      await this.call('unsubscribe_events', { subscription: id })
    }
  }

  #ask(id: number, type: string, args: object): Promise<unknown> {
    const socket = this.#socket
    if (socket?.readyState !== WebSocket.OPEN)
      return Promise.reject(new Error(`${type}: there is no connection to Core`))
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new Error(`${type}: no answer in ${ANSWER_MS} ms`))
      }, ANSWER_MS)
      this.#waiting.set(id, ({ success, result, error }) => {
        clearTimeout(late)
        this.#waiting.delete(id)
        if (success) resolve(result)
        else reject(new CoreRefusal(type, error?.code ?? 'unknown', error?.message ?? ''))
      })
      socket.send(JSON.stringify({ ...args, id, type }))
    })
  }

  #take(message: Answer): void {
    if (message.type === 'event') this.#listeners.get(message.id)?.(message.event)
    else this.#waiting.get(message.id)?.(message)
  }
}
