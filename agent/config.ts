// The one schema of everything that can be configured: its keys are those of the file, the environment and the flags.
import { isIP } from 'node:net'
import { z } from 'zod'
import { LEVELS } from '../protocol/policy.ts'
import { AGENT_ID, DEFAULT_PREFIX, isTopicPrefix } from '../protocol/topics.ts'
import { homeAssistantSettings } from './home-assistant/settings.ts'
import { parsePrefix } from './inventory/locality.ts'
import { LOG_LEVELS } from './log.ts'
import { COMMAND_POLICIES, HA_CONTROLS } from './mqtt/command-policy.ts'
import { isSshPath, isTarget } from './ssh-target.ts'
import { isTimeZone } from './time-zone.ts'

/** Modes that `start` takes; `auto` is gateway where this box forwards for a LAN of its own, else host. */
export const MODES = [
  'auto',
  'gateway',
  'bridge',
  'mirror',
  'host',
  'remote',
  'file',
  'demo',
] as const

/** In messages it has to be plain that this is no secret to take over. */
const SECRET = '16-or-more-characters-of-your-own'

const interfaceName = z
  .string()
  .regex(/^[^\s/:]{1,15}$/, 'expected the name of an interface of at most 15 characters')
  .meta({ example: 'br-lan' })

const cidr = z
  .string()
  .refine((text) => parsePrefix(text) !== undefined, 'expected a prefix in CIDR notation')
  .meta({ example: '192.0.2.0/24' })

const address = z
  .string()
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), 'expected an IP address')
  .meta({ example: '192.0.2.10' })

const domain = z
  .string()
  .toLowerCase()
  .regex(
    /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/,
    'expected a domain',
  )
  .meta({ example: 'house.example.net' })

const path = z.string().min(1, 'expected a path').max(4096)

const sshHost = z
  .string()
  .refine((host) => isTarget({ host }), 'expected USER@HOST')
  .meta({ example: 'root@192.0.2.1' })

const sshPath = path.refine(isSshPath, 'expected a path without white space, quotes and %')

/** `HOST:PORT` with an address or name, IPv6 in brackets. */
const hostPort = z
  .string()
  .refine(
    (text) => text === 'off' || splitHostPort(text) !== undefined,
    'expected HOST:PORT or off',
  )
  .meta({ example: '127.0.0.1:8080' })

const brokerUrl = z
  .string()
  .refine(
    (text) => text === 'embedded' || text === 'supervisor' || isBrokerUrl(text),
    'expected embedded, mqtt://HOST[:PORT] or mqtts://HOST[:PORT]',
  )
  .meta({ example: 'mqtts://broker.example.net:8883' })

const seconds = (least: number, most: number): z.ZodNumber =>
  z
    .number()
    .int()
    .min(least)
    .max(most)
    .meta({ example: String(least) })

export const configSchema = z.strictObject({
  agent: z
    .string()
    .regex(AGENT_ID, 'expected 1 to 32 of a–z, 0–9, _ and -')
    .default('home')
    .meta({ example: 'home', help: 'id of this agent in MQTT topics', flag: 'ID' }),
  mode: z
    .enum(MODES)
    .default('auto')
    .meta({ example: 'gateway', help: 'where traffic is seen', flag: MODES.join('|') }),
  interfaces: z.array(interfaceName).max(64).default([]).meta({
    example: '[br-lan]',
    help: 'interfaces to capture; none: chosen by mode',
    flag: 'NAME',
    singular: 'interface',
  }),
  lan: z.array(cidr).max(64).default([]).meta({
    example: '[192.0.2.0/24]',
    help: 'prefixes of the home besides those of the interfaces',
    flag: 'CIDR',
  }),
  files: z.array(path).max(64).default([]).meta({
    example: '[home.pcap]',
    help: 'captures to play in mode file',
    flag: 'FILE',
    singular: 'file',
  }),
  promiscuous: z
    .boolean()
    .default(false)
    .meta({ example: 'true', help: "take frames to others' MACs too (mode mirror always does)" }),
  remote: z
    .strictObject({
      host: sshHost.optional().meta({
        example: 'root@192.0.2.1',
        help: 'the router of mode remote, as ssh takes it: USER@HOST',
        flag: 'USER@HOST',
      }),
      port: z.number().int().min(1).max(65535).optional().meta({ example: '22' }),
      identity_file: sshPath.optional().meta({
        example: '/etc/homespin/router.key',
        help: 'private key without a passphrase',
        flag: 'FILE',
      }),
      known_hosts_file: sshPath.optional().meta({
        example: '/etc/homespin/known_hosts',
        help: "file with the router's host key",
        flag: 'FILE',
      }),
      sudo: z
        .boolean()
        .default(false)
        .meta({ example: 'true', help: 'nft and tcpdump are run by sudo there' }),
      interfaces: z.array(interfaceName).max(16).default([]).meta({
        example: '[br-lan]',
        help: 'interfaces of the router towards the devices; none: chosen by where it stands',
        flag: 'NAME',
        singular: 'remote_interface',
      }),
    })
    .prefault({})
    .meta({ help: 'a router that is watched and acted on by SSH' }),
  trust_clock: z.boolean().default(false).meta({
    example: 'true',
    help: "this box's clock is right though no NTP keeps it so",
  }),
  data: path
    .optional()
    .meta({ example: '/var/lib/homespin', help: 'where state is kept', flag: 'DIR' }),
  broker: brokerUrl.default('embedded').meta({
    example: 'mqtt://127.0.0.1:1883',
    help: 'MQTT broker',
    flag: 'embedded|mqtt://HOST[:PORT]|mqtts://HOST[:PORT]',
  }),
  mqtt: z
    .strictObject({
      username: z.string().max(256).optional().meta({ example: 'homespin' }),
      password: z.string().max(1024).optional().meta({ example: 'a long one' }),
      ca_file: path.optional().meta({ example: '/etc/homespin/ca.pem' }),
      cert_file: path.optional().meta({ example: '/etc/homespin/agent.pem' }),
      key_file: path.optional().meta({ example: '/etc/homespin/agent.key' }),
      prefix: z
        .string()
        .refine(isTopicPrefix, 'expected topic levels of letters, digits, _ and -')
        .default(DEFAULT_PREFIX)
        .meta({ example: 'homespin' }),
      publish_names: z.boolean().optional().meta({ example: 'true' }),
      embedded_port: z.number().int().min(0).max(65535).optional().meta({ example: '1883' }),
      commands: z
        .enum(COMMAND_POLICIES)
        .default('safe')
        .meta({
          example: 'safe',
          help: 'which orders are taken by MQTT: none, safe (what any account of the broker may order) or all',
          flag: COMMAND_POLICIES.join('|'),
        }),
      command_key: z.string().min(16, 'expected at least 16 characters').max(1024).optional().meta({
        example: SECRET,
        help: 'orders by MQTT must be signed with it; openssl rand -hex 24 makes one',
      }),
      ha_controls: z
        .enum(HA_CONTROLS)
        .default('signed')
        .meta({
          example: 'unsigned',
          help: 'with command_key: Home Assistant can not sign, and may look (signed) or order too (unsigned)',
          flag: HA_CONTROLS.join('|'),
        }),
    })
    .prefault({})
    .meta({ help: 'the connection to the broker' }),
  home_assistant: homeAssistantSettings,
  http: hostPort
    .optional()
    .meta({ example: '127.0.0.1:8080', help: 'where the page is served', flag: 'HOST:PORT|off' }),
  token: z.string().min(16, 'expected at least 16 characters').max(1024).optional().meta({
    example: SECRET,
    help: 'asked for over HTTP; needed where http is not on loopback; openssl rand -hex 24 makes one',
  }),
  view_token: z.string().min(16, 'expected at least 16 characters').max(1024).optional().meta({
    example: SECRET,
    help: 'who comes with it over HTTP may look and change nothing; needs token',
  }),
  admin_addresses: z.array(address).max(64).default([]).meta({
    example: '[192.0.2.10]',
    help: 'addresses that no order may shut off, such as that of your own computer',
    flag: 'ADDRESS',
    singular: 'admin_address',
  }),
  enforce: z
    .strictObject({
      on_stop: z.enum(['keep', 'remove']).default('keep').meta({
        example: 'keep',
        help: 'what becomes of blocks when the agent stops: kept in the kernel, or removed',
        flag: 'keep|remove',
      }),
      controllers: z.array(address).max(64).default([]).meta({
        example: '[192.0.2.20]',
        help: 'Home Assistant and others that may reach devices of the level internet_only',
        flag: 'ADDRESS',
        singular: 'enforce_controller',
      }),
      masquerade: z.boolean().default(true).meta({
        example: 'false',
        help: 'as a one-armed gateway: devices show the address of this box to the router, so that answers come back through it',
      }),
      resolvers: z.array(address).max(64).default([]).meta({
        example: '[192.0.2.53]',
        help: 'to believe besides this box, its gateways and well-known ones; devices on a list may ask no other',
        flag: 'ADDRESS',
        singular: 'enforce_resolver',
      }),
      local_names: z.array(domain).max(64).default([]).meta({
        example: '[house.example.net]',
        help: 'domains of the home besides lan, local, home.arpa and such: their names may have addresses in it',
        flag: 'DOMAIN',
        singular: 'enforce_local_name',
      }),
      verdict_default: z.enum(['accept', 'drop']).default('accept').meta({
        example: 'accept',
        help: 'what is done with a first packet that nobody decided about in time; without the agent they pass',
        flag: 'accept|drop',
      }),
      verdict_deadline_ms: z.number().int().min(10).max(5000).default(200).meta({
        example: '200',
        help: 'how long a first packet waits for a verdict',
      }),
    })
    .prefault({})
    .meta({ help: 'what is done in the kernel' }),
  policy: z
    .strictObject({
      time_zone: z
        .string()
        .max(64)
        .refine(isTimeZone, 'expected a time zone of IANA')
        .optional()
        .meta({
          example: 'Europe/Amsterdam',
          help: 'time zone of schedules that name none; unless given, that of this system',
        }),
    })
    .prefault({})
    .meta({ help: 'rules' }),
  reverse_firewall: z
    .strictObject({
      connections: z.number().int().min(1).max(1_000_000).default(150).meta({
        example: '150',
        help: 'new connections of one device in the window, above which an incident is opened',
      }),
      remotes: z.number().int().min(1).max(1_000_000).default(100).meta({
        example: '100',
        help: 'different remotes of one device in the window, above which an incident is opened',
      }),
      window_s: seconds(1, 600).default(10),
      policy: z.enum(['notify', 'ask', 'quarantine']).default('notify').meta({
        example: 'notify',
        help: 'what is done then: tell, ask, or quarantine the device',
        flag: 'notify|ask|quarantine',
      }),
      level: z
        .enum(LEVELS)
        .default('full')
        .meta({
          example: 'full',
          help: 'how far it is shut off',
          flag: LEVELS.join('|'),
        }),
      for_s: seconds(10, 31_622_400).default(3600),
    })
    .prefault({})
    .meta({ help: 'devices that open too many connections' }),
  flows: z
    .strictObject({
      max: z.number().int().min(16).max(4194304).default(131072).meta({ example: '131072' }),
      tcp_idle_s: seconds(10, 86400).default(600),
      udp_idle_s: seconds(10, 86400).default(60),
      other_idle_s: seconds(10, 86400).default(60),
    })
    .prefault({})
    .meta({ help: 'the flow table' }),
  devices: z
    .strictObject({
      max: z.number().int().min(16).max(1048576).default(16384).meta({ example: '16384' }),
      gone_after_s: seconds(60, 86400).default(600),
    })
    .prefault({})
    .meta({ help: 'the device table' }),
  history: z
    .strictObject({
      minutes_days: z.number().min(0.01).max(3660).default(2).meta({ example: '2' }),
      hours_days: z.number().min(0.01).max(3660).default(14).meta({ example: '14' }),
      days_days: z.number().min(0.01).max(3660).default(90).meta({ example: '90' }),
      top_remotes: z.number().int().min(1).max(10000).default(200).meta({ example: '200' }),
      max_mb: z.number().min(1).max(1048576).default(200).meta({ example: '200' }),
    })
    .prefault({})
    .meta({ help: 'what is kept of the past' }),
  log: z
    .enum(LOG_LEVELS)
    .default('info')
    .meta({ example: 'info', help: 'how much is logged', flag: LOG_LEVELS.join('|') }),
})

/** What the agent runs with; `data` is absolute. */
export type Config = z.infer<typeof configSchema> & { data: string }

/** A configuration that can't be used; the message says where, what was expected, and an example. */
export class ConfigError extends Error {}

/** Every key that can be given alone, by its dotted path. */
export function keysOf(): { path: string; schema: z.ZodType }[] {
  return Object.entries(configSchema.shape).flatMap(([key, schema]) => {
    const group = groupOf(schema)
    if (group === undefined) return [{ path: key, schema: schema as z.ZodType }]
    return Object.entries(group.shape).map(([inner, of]) => ({
      path: `${key}.${inner}`,
      schema: of as z.ZodType,
    }))
  })
}

function groupOf(schema: unknown): z.ZodObject | undefined {
  const inner = schema instanceof z.ZodPrefault ? schema.unwrap() : schema
  return inner instanceof z.ZodObject ? inner : undefined
}

/** The flag of a key: `--mqtt-password`; a list's is its singular, `--interface`. */
export function flagOf(path: string, schema: z.ZodType): string {
  const singular = schema.meta()?.singular
  return `--${(typeof singular === 'string' ? singular : path).replace(/[._]/g, '-')}`
}

/** The schema below defaults and options. */
export function baseOf(schema: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
    return baseOf(schema.unwrap())
  return schema
}

/** The example of a key, as its schema gives it. */
export function exampleOf(schema: z.ZodType): string | undefined {
  for (
    let at: unknown = schema;
    at instanceof z.ZodType;
    at = at instanceof z.ZodDefault || at instanceof z.ZodOptional ? at.unwrap() : undefined
  ) {
    const example = at.meta()?.example
    if (typeof example === 'string') return example
  }
  return undefined
}

/** Splits `HOST:PORT`; undefined if it is not of that form. */
export function splitHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || !(port <= 65535) ? undefined : { host, port }
}

function isBrokerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const plain =
    ['', '/'].includes(url.pathname) && url.search === '' && url.hash === '' && !text.includes('@')
  return ['mqtt:', 'mqtts:'].includes(url.protocol) && url.hostname !== '' && plain
}
