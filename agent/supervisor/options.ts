// The options that a person sets in Home Assistant, as keys of the configuration.
import { readFileSync } from 'node:fs'
import type { NetworkInterfaceInfo } from 'node:os'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { NOT_THE_HOME } from '../capture/plan.ts'
import { ConfigError } from '../config.ts'
import type { Given } from '../config-read.ts'
import type { SupervisorAccess } from './client.ts'

/** Keys of the configuration by the app's option; ha-addon/config.yaml describes the same ones to the Supervisor. */
export const APP_OPTIONS = {
  mode: 'mode',
  interfaces: 'interfaces',
  announce: 'home_assistant.announce',
  publish_names: 'mqtt.publish_names',
  admin_addresses: 'admin_addresses',
  router: 'remote.host',
  router_sudo: 'remote.sudo',
  broker: 'broker',
  broker_username: 'mqtt.username',
  broker_password: 'mqtt.password',
  log: 'log',
} as const satisfies Record<string, string>

/** The option that is no key of the configuration: see router-key.ts. */
export const ROUTER_HOST_KEY = 'router_host_key'

/**
 * What `options.json` in `data` says, and what an app is besides: no page but the one in Home Assistant, the broker that is
 * named there, and names from its registries. Options that nobody filled in are left out. Throws a ConfigError where the
 * file can't be read.
 */
export function appOptions(
  data: string,
  { url, token }: SupervisorAccess,
): [key: string, given: Given][] {
  const where = 'the options of the app'
  const all: [string, Given][] = Object.entries({
    data,
    broker: 'supervisor',
    http: 'off',
    'home_assistant.discovery': 'on',
    'home_assistant.url': `${url}/core`,
    'home_assistant.token': token,
  }).map(([key, value]) => [key, { value, where }])
  for (const [name, value] of Object.entries(readOptions(join(data, 'options.json')))) {
    // What a newer or an older version of the app had is not this one's.
    const key = (APP_OPTIONS as Partial<Record<string, string>>)[name]
    if (key === undefined || value === null || value === '') continue
    all.push([key, { value, where: `the option ${name}` }])
  }
  const has = (wanted: string): unknown => all.find(([key]) => key === wanted)?.[1].value
  const named = has('interfaces')
  const isNamed = Array.isArray(named) && named.length > 0
  // Docker lets every box with Home Assistant OS forward packets, so that says nothing of where it stands.
  if ((has('mode') ?? 'auto') === 'auto' && !isNamed) all.push(['mode', { value: 'host', where }])
  if (has('mode') === 'gateway' && !isNamed) {
    const ports = portsOf(networkInterfaces())
    // A box with one port that is to be a gateway is one by that port.
    if (ports.length === 1) all.push(['interfaces', { value: ports, where }])
  }
  const hasRouter = has('remote.host') !== undefined
  if (has('mode') === 'remote' && !hasRouter) {
    throw new ConfigError(
      'mode remote needs the option Router (SSH) (router), for example root@192.0.2.1',
    )
  }
  if (hasRouter) {
    all.push(['remote.identity_file', { value: join(data, 'ssh', 'id_ed25519'), where }])
    all.push(['remote.known_hosts_file', { value: join(data, 'ssh', 'known_hosts'), where }])
  }
  return all
}

/** Of the interfaces of a box, those that are ports to the home. */
export function portsOf(all: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  return Object.entries(all)
    .filter(([name, addresses = []]) => {
      const own = addresses.filter(({ internal, family }) => !internal && family === 'IPv4')
      return own.length > 0 && !NOT_THE_HOME.test(name)
    })
    .map(([name]) => name)
}

/** The router's host key, as a person has put it in; undefined where nobody has. */
export function routerHostKey(data: string): string | undefined {
  const value = (readOptions(join(data, 'options.json')) as Record<string, unknown>)[
    ROUTER_HOST_KEY
  ]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function readOptions(file: string): object {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new ConfigError(`${file} can't be read: ${(cause as Error).message}`, { cause })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw new ConfigError(`${file} holds no options: save them anew in Home Assistant`)
}
