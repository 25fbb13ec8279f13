// Publishers, a real mosquitto and whoever listens, all ended by `stopAll`.
import { MqttLink } from '../../../agent/mqtt/mqtt-link.ts'
import type { PublisherOptions } from '../../../agent/mqtt/publisher.ts'
import { linkNeeds, Publisher } from '../../../agent/mqtt/publisher.ts'
import { topicsOf } from '../../../protocol/topics.ts'
import type { Mosquitto, MosquittoOptions } from '../../nodes/mosquitto.ts'
import { startMosquitto } from '../../nodes/mosquitto.ts'
import type { Listener } from './listener.ts'
import { listenTo, recordingLog } from './listener.ts'

export const topics = topicsOf('house')

export const cleanUps: (() => Promise<unknown>)[] = []

/** For `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
}

export async function broker(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const started = await startMosquitto({
    ...options,
    config: ['max_queued_messages 0', ...(options.config ?? [])],
  })
  cleanUps.push(started.stop)
  return started
}

export function publisher(
  port: number,
  more: Partial<PublisherOptions> = {},
): {
  publisher: Publisher
  link: MqttLink
  log: ReturnType<typeof recordingLog>
} {
  const log = recordingLog()
  const link = new MqttLink({
    url: `mqtt://127.0.0.1:${port}`,
    clientIdPrefix: 'homespin-test',
    ...linkNeeds(topics),
    log,
    maxBackOffMs: 300,
  })
  const made = new Publisher({
    link,
    topics,
    instance: 'one',
    clock: { now: () => Date.now() },
    log,
    publishNames: true,
    ...more,
  })
  made.start()
  cleanUps.push(() => made.stop())
  return { publisher: made, link, log }
}

export async function listener(
  port: number,
  filter: string | string[] = 'homespin/#',
): Promise<Listener> {
  const made = await listenTo(`mqtt://127.0.0.1:${port}`, filter)
  cleanUps.push(made.stop)
  return made
}
