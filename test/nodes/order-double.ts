// The part of an agent that takes orders, as protocol/commands.ts has it; how it answers is up to the test.
import { createHmac } from 'node:crypto'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { CommandResponse } from '../../protocol/commands.ts'
import type { DevicePolicy, RuleView } from '../../protocol/policy.ts'
import type { Topics } from '../../protocol/topics.ts'
import { topicsOf } from '../../protocol/topics.ts'
import { CAMERA } from './agent-double.ts'

/** An order as it came. */
export interface Taken {
  verb: string
  id: string
  args: Record<string, unknown>
  issuedMs: number
  ttlMs: number
  text: string
  retained: boolean
}

/** What holds for a device, with what is given in place of what is usual. */
export function policy(over: Partial<DevicePolicy> = {}): DevicePolicy {
  return { accepted: true, rules: [], restrictions: [], in_force: true, ...over }
}

/** A rule of the camera, with what is given in place of what is usual. */
export function rule(over: Partial<RuleView> = {}): RuleView {
  return {
    id: 'r1-7',
    action: 'quarantine',
    subject: { device_id: CAMERA },
    level: 'local_only',
    reason: '',
    actor: { kind: 'flow', via: 'mqtt' },
    created_ms: 2_000_000,
    state: 'active',
    ...over,
  }
}

/** The result of an order about the camera. */
export function ordered(over: Partial<DevicePolicy> = {}, ...rules: RuleView[]): object {
  return { rules, policies: { [CAMERA]: policy(over) }, journal_seq: 3 }
}

/** Takes orders and answers them. */
export class OrderDouble {
  readonly taken: Taken[] = []
  readonly topics: Topics = topicsOf('home')
  readonly #client: MqttClient
  readonly #key: string | undefined
  /** What is answered to an order; undefined: nothing. */
  answer: (order: Taken) => unknown = () => undefined

  constructor(client: MqttClient, key?: string) {
    this.#client = client
    this.#key = key
  }

  /** Connects and listens. With `key` orders must be signed. */
  static async connect(port: number, key?: string): Promise<OrderDouble> {
    const client = await connectAsync({ host: '127.0.0.1', port, protocol: 'mqtt' })
    const desk = new OrderDouble(client, key)
    client.on('message', (topic, payload, packet) => {
      void desk.#take(topic, payload.toString(), packet.retain)
    })
    await client.subscribeAsync(desk.topics.commands, { qos: 1 })
    return desk
  }

  async leave(): Promise<void> {
    await this.#client.endAsync(true)
  }

  /** Answers that it is done. */
  done(result: unknown): void {
    this.answer = ({ id }) => ({ type: 'response', id, ok: true, result })
  }

  /** Answers that it is not. */
  refuse(code: string, message: string): void {
    this.answer = ({ id }) => ({ type: 'response', id, ok: false, error: { code, message } })
  }

  /** Publishes an answer of any shape. */
  async respond(verb: string, response: CommandResponse | unknown): Promise<void> {
    const payload = typeof response === 'string' ? response : JSON.stringify(response)
    await this.#client.publishAsync(this.topics.response(verb), payload, { qos: 1 })
  }

  async #take(topic: string, text: string, retained: boolean): Promise<void> {
    const verb = topic.slice(topic.lastIndexOf('/') + 1)
    const json = this.#key === undefined ? text : text.slice(65)
    if (this.#key !== undefined) {
      const hmac = createHmac('sha256', this.#key).update(`home\n${verb}\n${json}`).digest('hex')
      if (text.slice(0, 65) !== `${hmac}.`) throw new Error('the signature is wrong')
    }
    const { id, issued_ms, ttl_ms, ...args } = JSON.parse(json)
    const order = { verb, id, args, issuedMs: issued_ms, ttlMs: ttl_ms, text, retained }
    this.taken.push(order)
    const response = this.answer(order)
    if (response !== undefined) await this.respond(verb, response)
  }
}
