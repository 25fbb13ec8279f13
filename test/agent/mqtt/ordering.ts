// Agents' MQTT rooms with all methods over a policy double, and whoever orders something of them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../../agent/config.ts'
import { loadConfig } from '../../../agent/config-read.ts'
import { MqttRoom } from '../../../agent/mqtt/mqtt-room.ts'
import type { Capability } from '../../../protocol/messages.ts'
import { topicsOf } from '../../../protocol/topics.ts'
import type { Mosquitto } from '../../nodes/mosquitto.ts'
import { startMosquitto } from '../../nodes/mosquitto.ts'
import type { Home } from '../methods/home.ts'
import { testHome } from '../methods/home.ts'
import type { Listener } from './listener.ts'
import { info, listenTo, recordingLog, until } from './listener.ts'

export const topics = topicsOf('house')

export interface Running {
  room: MqttRoom
  home: Home
  /** What it has said of other instances with its id. */
  instances: Capability[]
  /** Whether the agent believes its clock. */
  synchronised: { is: boolean }
  lines: string[]
}

export interface Answered {
  type: string
  id: string
  ok: boolean
  result?: { rules: { level?: string }[] }
  error?: { code: string; message: string }
  not_kept?: string
}

export const cleanUps: (() => Promise<unknown> | unknown)[] = []
let count = 0

/** Ends whatever was started here; for `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
}

/** A folder for an agent's state. */
export function dataFolder(): string {
  const data = mkdtempSync(join(tmpdir(), 'homespin-commands-'))
  cleanUps.push(() => rmSync(data, { recursive: true, force: true }))
  return data
}

export async function broker(): Promise<Mosquitto> {
  const started = await startMosquitto({ config: ['max_queued_messages 0'] })
  cleanUps.push(started.stop)
  return started
}

/** An agent's MQTT with all methods; it takes orders once this has resolved. */
export async function agent(
  config: Record<string, string>,
  more: { data?: string; instance?: string } = {},
): Promise<Running> {
  const home = testHome()
  const { instance = 'one', data = dataFolder() } = more
  const synchronised = { is: true }
  const instances: Capability[] = []
  const begun = performance.now()
  const log = recordingLog()
  const room = new MqttRoom({
    config: loadConfig(undefined, {}, { agent: 'house', data, ...config }) as Config,
    instance,
    clock: { now: () => Date.now() },
    upMs: () => performance.now() - begun,
    log,
    onInstances: (capability) => instances.push(capability),
    commands: { methods: home.methods, data, isSynchronised: () => synchronised.is },
  })
  await room.start()
  cleanUps.push(() => room.stop())
  room.info(info(instance, 1000))
  return { room, home, instances, synchronised, lines: log.lines }
}

export async function client(
  port: number,
  protocolVersion: 4 | 5 = 5,
  filter = 'homespin/#',
): Promise<Listener> {
  const url = `mqtt://127.0.0.1:${port}`
  const made = await listenTo(url, filter === 'homespin/#' ? filter : [filter, topics.info], {
    protocolVersion,
  })
  cleanUps.push(made.stop)
  await until(() => made.heard.some(({ topic }) => topic === topics.info), 5000, 'no agent')
  return made
}

export function envelope(args: object = {}): Record<string, unknown> {
  return { id: `c${++count}`, issued_ms: Date.now(), ttl_ms: 20_000, ...args }
}

export async function order(
  from: Listener,
  verb: string,
  payload: object | string | Buffer,
  options: object = {},
  answeredAt = verb,
): Promise<Answered> {
  const body =
    typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)
  const topic = topics.response(answeredAt)
  const before = from.on(topic).length
  await from.client.publishAsync(`homespin/house/command/${verb}`, body, { qos: 1, ...options })
  await until(() => from.on(topic).length > before, 5000, `no answer to ${verb}`)
  return from.on(topic)[before]
}
