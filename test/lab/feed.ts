// The agent's HTTP side as a browser sees it: one request, or the live feed of server-sent events.
import type { ClientRequest } from 'node:http'
import { request } from 'node:http'

/** An answer. */
export interface Answer {
  status: number
  type: string
  body: string
}

/** Asks `path` at a door to the agent; `host` is what the agent takes itself to be called. */
export function ask(port: number, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      const type = answer.headers['content-type'] ?? ''
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, type, body }))
    })
    asking.setTimeout(10_000, () => asking.destroy(new Error(`${path}: no answer`)))
    asking.on('error', reject).end()
  })
}

/** The live feed; `events` grows until `stop()`. */
export class Feed {
  readonly events: { name: string; data: unknown; arrivedMs: number }[] = []
  #request: ClientRequest | undefined
  #text = ''

  start(port: number, host: string): void {
    const headers = { host, accept: 'text/event-stream' }
    const options = { host: '127.0.0.1', port, path: '/api/live', headers }
    this.#request = request(options, (answer) => {
      answer.setEncoding('utf8').on('data', (piece: string) => this.#take(piece))
      answer.on('error', () => {})
    })
    this.#request.on('error', () => {}).end()
  }

  stop(): void {
    this.#request?.destroy()
  }

  #take(piece: string): void {
    const blocks = (this.#text + piece).split('\n\n')
    this.#text = blocks.pop() ?? ''
    for (const block of blocks) {
      const name = /^event: ?(.*)$/m.exec(block)?.[1]
      const data = /^data: ?(.*)$/m.exec(block)?.[1]
      if (name === undefined || data === undefined) continue
      this.events.push({ name, data: JSON.parse(data), arrivedMs: Date.now() })
    }
  }
}
