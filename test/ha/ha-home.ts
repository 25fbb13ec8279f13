// A home whose router is also the box with Home Assistant: Core, its broker and the agent run on it, as with the app.

import { identifierOf } from '../../protocol/home-assistant.ts'
import type { Topics } from '../../protocol/topics.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { AgentPlace } from '../lab/agent-process.ts'
import { HTTP_PORT, LabAgent } from '../lab/agent-process.ts'
import { Home, LAN4, LAN6 } from '../lab/home.ts'
import { HttpOrders } from '../lab/orders.ts'
import { Probe } from '../lab/probing.ts'
import { until } from '../lab/process.ts'
import { BROKER_PASSWORD, BROKER_USER } from './broker.ts'
import type { CoreOptions, State } from './core.ts'
import { Core } from './core.ts'

/** Until an agent is announced, its devices are in the registry, and their entities have a state. */
const ANNOUNCE_MS = 60_000

export interface HaHomeOptions {
  devices: number
  /** More arguments of the agent. */
  args?: readonly string[]
  core?: Omit<CoreOptions, 'place'>
  /** False: the agent has no token for Core. Default true. */
  access?: boolean
  /** No agent is started: the app is, which calls itself so. */
  app?: string
}

export class HaHome {
  readonly home: Home
  readonly core: Core
  readonly place: AgentPlace
  /** Id of the agent. */
  readonly id: string
  readonly topics: Topics
  agent!: LabAgent
  http!: HttpOrders
  readonly #options: HaHomeOptions
  readonly #probes: Probe[] = []
  #ids: ReadonlyMap<string, string> = new Map()

  constructor(options: HaHomeOptions) {
    this.#options = options
    this.id = options.app ?? 'lab'
    this.topics = topicsOf(this.id)
    this.home = new Home({ position: 'two_armed', devices: options.devices })
    this.place = {
      inside: (...command) => this.home.inside('box', ...command),
      door: (port) => this.home.door(port),
    }
    this.core = new Core({ ...options.core, place: this.place })
  }

  async start(): Promise<void> {
    const { args = [], access = true, app } = this.#options
    await this.home.start()
    await this.core.start()
    if (app !== undefined) return
    this.agent = new LabAgent({
      args: [
        ...['--mode', 'gateway', '--interface', 'br-lan', '--lan', LAN4, '--lan', LAN6],
        ...['--http', `127.0.0.1:${HTTP_PORT}`, '--home-assistant-discovery', 'on', ...args],
        ...(access ? ['--home-assistant-url', `http://127.0.0.1:${this.core.port}`] : []),
      ],
      broker: `mqtt://127.0.0.1:${this.core.broker.port}`,
      env: {
        HOMESPIN_MQTT_USERNAME: BROKER_USER,
        HOMESPIN_MQTT_PASSWORD: BROKER_PASSWORD,
        ...(access ? { HOMESPIN_HOME_ASSISTANT_TOKEN: this.core.admin.token } : {}),
      },
      inside: this.place.inside,
    }).start()
    this.http = new HttpOrders(await this.home.door(HTTP_PORT))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#probes.map((each) => each.stop()))
    await this.agent?.stop()
    await this.core.stop()
    await this.home.stop()
  }

  /** Sends something from each device until it is seen and announced. */
  async meet(...numbers: number[]): Promise<void> {
    const devices = numbers.map((i) => this.home.device(i))
    const isMet = async (): Promise<true | undefined> => {
      const ids = await this.core.entities()
      const waiting = devices.filter(({ id }) => !ids.has(`${identifierOf(this.id, id)}_detection`))
      for (const device of waiting) {
        const step = { does: 'send', to: '203.0.113.9', port: 9, count: 3, size: 100 } as const
        await this.home.does(device, step)
      }
      return waiting.length === 0 ? true : undefined
    }
    await until('the devices in Home Assistant', isMet, ANNOUNCE_MS, 1000)
  }

  probe(where: string, ...args: string[]): Probe {
    const each = new Probe(this.home, where, ...args).start()
    this.#probes.push(each)
    return each
  }

  /** Id of an entity of a device, or of the agent, once it is there. */
  entity(key: string, device?: string): Promise<string> {
    const wanted = `${identifierOf(this.id, device)}_${key}`
    const look = async (): Promise<string | undefined> => {
      if (!this.#ids.has(wanted)) this.#ids = await this.core.entities()
      return this.#ids.get(wanted)
    }
    return until(`the entity ${wanted}`, look, ANNOUNCE_MS, 200)
  }

  /** Waits until an entity has a state. */
  async untilShown(
    key: string,
    value: string,
    device?: string,
    timeoutMs = 30_000,
  ): Promise<State> {
    const id = await this.entity(key, device)
    return await this.core.untilState(id, ({ state }) => state === value, timeoutMs)
  }

  /** As a person does it in the settings of entities; Core loads all of MQTT anew for it, half a minute later. */
  async enable(device: string, ...keys: string[]): Promise<void> {
    const internet = await this.entity('internet', device)
    let isUnloaded = false
    const hear = (event: unknown): void => {
      const { data } = event as { data: { entity_id: string; new_state?: { state: string } } }
      isUnloaded ||= data.entity_id === internet && data.new_state?.state === 'unavailable'
    }
    const forget = await this.core.subscribe(
      'subscribe_events',
      { event_type: 'state_changed' },
      hear,
    )
    const ids = await Promise.all(keys.map((key) => this.entity(key, device)))
    for (const entity_id of ids)
      await this.core.call('config/entity_registry/update', { entity_id, disabled_by: null })
    await until('MQTT to be loaded anew', () => (isUnloaded ? true : undefined), 120_000)
    await forget()
    await this.core.untilState(internet, ({ state }) => state !== 'unavailable')
    for (const id of ids) await this.core.untilState(id, ({ state }) => state !== 'unavailable')
  }

  /** An automation from one of Homespin's blueprints, as the editor saves it. */
  async automate(blueprint: string, input: object): Promise<void> {
    const use_blueprint = { path: `homespin/${blueprint}.yaml`, input }
    const headers = {
      authorization: `Bearer ${this.core.admin.token}`,
      'content-type': 'application/json',
    }
    const body = JSON.stringify({ alias: blueprint, use_blueprint })
    const url = `${this.core.url}/api/config/automation/config/${blueprint}`
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`${blueprint}: ${answer.status} ${await answer.text()}`)
    await this.core.untilState(`automation.${blueprint}`, ({ state }) => state === 'on')
  }

  /** Takes it away again. */
  async end(blueprint: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.core.admin.token}` }
    const url = `${this.core.url}/api/config/automation/config/${blueprint}`
    const answer = await fetch(url, { method: 'DELETE', headers })
    if (!answer.ok) throw new Error(`${blueprint}: ${answer.status}`)
  }
}
