// Orders to a running agent by each of its ways, as a person or a program would give them.
import { createHmac, randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { Ordered } from '../../agent/policy/contract.ts'
import type { CommandResponse } from '../../protocol/commands.ts'
import { topicsOf } from '../../protocol/topics.ts'
import { HTTP_PORT } from './agent-process.ts'

/** What came of an order: what stands, or why it was refused. */
export interface Outcome {
  result?: Ordered
  error?: { code: string; message: string }
  /** Milliseconds from the order to the answer. */
  ms: number
}

const TIMEOUT_MS = 15_000

/** Over HTTP, to an agent behind a port of this side. */
export class HttpOrders {
  readonly #port: number
  readonly #token: string | undefined

  constructor(port: number, token?: string) {
    this.#port = port
    this.#token = token
  }

  async rpc(method: string, params: object): Promise<Outcome> {
    const began = performance.now()
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const { result, error } = JSON.parse(await this.#post('/api/rpc', body)) as {
      result?: Ordered
      error?: { message: string; data?: { code?: string } }
    }
    const ms = performance.now() - began
    if (result !== undefined) return { result, ms }
    return { error: { code: error?.data?.code ?? '', message: error?.message ?? '' }, ms }
  }

  async rest(verb: string, args: object): Promise<Outcome> {
    const began = performance.now()
    const answer = JSON.parse(await this.#post(`/api/${verb}`, JSON.stringify(args))) as object
    const ms = performance.now() - began
    if ('error' in answer) return { error: answer.error as { code: string; message: string }, ms }
    return { result: answer as Ordered, ms }
  }

  #post(path: string, body: string): Promise<string> {
    const headers: OutgoingHttpHeaders = {
      host: `127.0.0.1:${HTTP_PORT}`,
      'content-type': 'application/json',
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
    }
    const options = { host: '127.0.0.1', port: this.#port, path, method: 'POST', headers }
    return new Promise((resolve, reject) => {
      const asking = request({ ...options, timeout: TIMEOUT_MS }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        answer.on('end', () => resolve(text))
      })
      asking.on('timeout', () => asking.destroy(new Error(`${path}: no answer`)))
      asking.on('error', reject).end(body)
    })
  }
}

/** By MQTT, to an agent on a broker behind a port of this side; signed where there is a key. */
export class MqttOrders {
  readonly #topics: ReturnType<typeof topicsOf>
  readonly #client: MqttClient
  readonly #agent: string
  readonly #key: string | undefined
  readonly #waiting = new Map<string, (response: CommandResponse) => void>()
  /** Every answer, the oldest first, by id; empty where the agent could not read one. */
  readonly responses: CommandResponse[] = []

  private constructor(client: MqttClient, agent: string, key: string | undefined) {
    this.#client = client
    this.#agent = agent
    this.#key = key
    this.#topics = topicsOf(agent)
    client.on('message', (_, payload) => {
      const response = JSON.parse(payload.toString()) as CommandResponse
      this.responses.push(response)
      this.#waiting.get(response.id)?.(response)
      this.#waiting.delete(response.id)
    })
  }

  static async connect(port: number, agent: string, key?: string): Promise<MqttOrders> {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
    const orders = new MqttOrders(client, agent, key)
    await client.subscribeAsync(orders.#topics.response('block').replace(/block$/, '+'), { qos: 1 })
    return orders
  }

  async stop(): Promise<void> {
    await this.#client.endAsync(true)
  }

  /** The keys that every command has. */
  envelope(): { id: string; issued_ms: number; ttl_ms: number } {
    return { id: randomUUID(), issued_ms: Date.now(), ttl_ms: 30_000 }
  }

  /** Any payload on the topic of a verb. */
  async raw(verb: string, payload: string | Buffer, retain = false): Promise<void> {
    await this.#client.publishAsync(this.#topics.command(verb), payload, { qos: 1, retain })
  }

  /** What is published for this text of JSON: with its signature, where there is a key. */
  signed(verb: string, json: string, key = this.#key, agent = this.#agent): string {
    if (key === undefined) return json
    const hmac = createHmac('sha256', key).update(`${agent}\n${verb}\n${json}`).digest('hex')
    return `${hmac}.${json}`
  }

  async order(verb: string, args: object): Promise<Outcome> {
    const began = performance.now()
    const envelope = this.envelope()
    const answered = this.answerTo(envelope.id)
    await this.raw(verb, this.signed(verb, JSON.stringify({ ...envelope, ...args })))
    const answer = await answered
    const ms = performance.now() - began
    return answer.ok ? { result: answer.result as Ordered, ms } : { error: answer.error, ms }
  }

  /** The answer to the command with this id; ask before it is sent. */
  answerTo(id: string): Promise<CommandResponse> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new Error(`no answer to ${id}`))
      }, TIMEOUT_MS)
      this.#waiting.set(id, (response) => {
        clearTimeout(late)
        resolve(response)
      })
    })
  }
}
