// An embedded broker with Homespin's Home Assistant on one side and a listener, who may write too, on the other.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../agent/config-read.ts'
import { HomeAssistant } from '../../../agent/home-assistant/home-assistant.ts'
import { Inventory } from '../../../agent/inventory/inventory.ts'
import { EmbeddedBroker } from '../../../agent/mqtt/embedded-broker.ts'
import { EmbeddedLink } from '../../../agent/mqtt/embedded-link.ts'
import type { Incident } from '../../../protocol/act.ts'
import type { Device, Info } from '../../../protocol/messages.ts'
import type { DevicePolicy, RuleView } from '../../../protocol/policy.ts'
import type { Listener } from '../mqtt/listener.ts'
import { info, listenTo, recordingLog } from '../mqtt/listener.ts'

export const LEVELS_HERE = ['observe', 'local_only', 'full']

export const OPEN: DevicePolicy = { accepted: true, rules: [], restrictions: [], in_force: true }

/** What an agent that can act says of itself. */
export function actingInfo(levels: string[] = LEVELS_HERE): Info {
  const ok = levels.length > 0
  const capabilities = {
    enforce: { ok, reason: ok ? 'nftables, as two-armed gateway on br-lan' : 'only looks' },
    levels: { ok, reason: '', values: levels },
  }
  return { ...info('run', 1), mode: ok ? 'gateway' : 'mirror', capabilities }
}

export interface Setting {
  ha: HomeAssistant
  ear: Listener
  devices: Map<string, Device>
  incidents: Incident[]
  rules: RuleView[]
  info: Info
  data: string
  /** The last payload of a retained topic as JSON; undefined: none, or it was cleared. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at single keys.
  last: (topic: string) => any
  /** Writes what somebody else would. */
  write: (topic: string, payload: string, retain?: boolean) => Promise<void>
  /** The link goes away, and comes back. */
  reconnect: () => void
  stop: () => Promise<void>
}

export interface SettingOptions {
  env?: Record<string, string>
  devices?: Device[]
  info?: Info
  incidents?: Incident[]
  data?: string
}

/** Starts all of it; `env` are keys of the configuration. */
export async function setting(options: SettingOptions = {}): Promise<Setting> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'homespin-ha-'))
  const log = recordingLog()
  const env = { HOMESPIN_HOME_ASSISTANT_DISCOVERY: 'on', ...options.env }
  const config = { ...loadConfig(undefined, env, {}), data }
  const broker = new EmbeddedBroker({ listen: { host: '127.0.0.1', port: 0, fixed: true }, log })
  await broker.start()
  const ear = await listenTo(broker.url, '#')
  const own: Pick<Setting, 'devices' | 'incidents' | 'rules' | 'info'> = {
    devices: new Map((options.devices ?? []).map((each) => [each.id, each])),
    incidents: options.incidents ?? [],
    rules: [],
    info: options.info ?? actingInfo(),
  }
  const ha = new HomeAssistant({
    config,
    version: '1.2.3',
    history: {
      query: async () => ({
        resolution: 'minute',
        from_ms: 0,
        to_ms: 0,
        points: [],
        kept_from_ms: {},
      }),
      remotes: async () => ({ remotes: [] }),
    },
    publishNames: () => true,
    nowMs: () => Date.now(),
    log,
    devices: () => own.devices.values(),
    info: () => own.info,
    rules: () => own.rules,
    incidents: () => own.incidents,
    inventory: new Inventory({ vendorOf: () => undefined }),
  })
  const link = new EmbeddedLink(broker, ha.subscribe)
  link.start({
    connected: () => ha.connected(link),
    disconnected: () => ha.disconnected(),
    message: (topic, payload, retained) => ha.message(topic, payload, retained),
  })
  await ha.start()
  return Object.assign(own, {
    ha,
    ear,
    data,
    last: (topic: string) => {
      const text = ear.heard.findLast((one) => one.topic === topic)?.text ?? ''
      return text === '' ? undefined : JSON.parse(text)
    },
    write: async (topic: string, payload: string, retain = true) => {
      await ear.client.publishAsync(topic, payload, { retain, qos: 1 })
    },
    reconnect: () => {
      ha.disconnected()
      ha.connected(link)
    },
    stop: async () => {
      ha.stop()
      await link.stop()
      await ear.stop()
      await broker.stop()
      if (options.data === undefined) rmSync(data, { recursive: true, force: true })
    },
  })
}
