// A home with a few devices, and all methods over it: what the tests of every way in ask.

import { parseMac } from '../../../agent/address.ts'
import type { LimitEntry } from '../../../agent/detect/limit-book.ts'
import type { Limits } from '../../../agent/detect/limits.ts'
import { Inventory } from '../../../agent/inventory/inventory.ts'
import { agentMethods } from '../../../agent/methods/catalogue.ts'
import type { IncidentBook } from '../../../agent/methods/changes.ts'
import type { Readable } from '../../../agent/methods/reads.ts'
import type { Methods } from '../../../agent/methods/registry.ts'
import { createRegistry } from '../../../agent/methods/registry.ts'
import type { PolicyDesk } from '../../../agent/policy/contract.ts'
import type { Incident } from '../../../protocol/act.ts'
import type { Flow } from '../../../protocol/messages.ts'
import { info } from '../mqtt/listener.ts'
import type { DeskDouble } from './desk-double.ts'
import { deskDouble } from './desk-double.ts'

export const CAMERA = '020de0000001'
export const TELEVISION = '020de0000002'
export const NOW = 1_790_000_000_000

const LIMITS: Limits = {
  connections: 150,
  remotes: 100,
  windowS: 10,
  policy: 'notify',
  level: 'full',
  forS: 3600,
}

/** To a remote whose name is known from DNS and from TLS. */
const FLOW: Flow = {
  ...{ type: 'flow', id: 'run-1', device_id: CAMERA, direction: 'outbound', protocol: 'tcp' },
  originator: { ip: '192.0.2.11', port: 50123 },
  responder: { ip: '203.0.113.9', port: 443 },
  ...{ remote_name: 'api.example.com', remote_name_source: 'dns', sni: 'api.example.com' },
  ...{ sent_bytes: 1, received_bytes: 2, sent_packets: 1, received_packets: 1 },
  ...{ first_ms: NOW, last_ms: NOW, state: 'active' },
}

export interface Home {
  methods: Methods
  desk: DeskDouble
  inventory: Inventory
  forgotten: string[]
  verdicts: [id: string, verdict: string, rememberS: number | undefined][]
}

export function incident(id: string, state: Incident['state'] = 'open'): Incident {
  return {
    type: 'incident',
    id,
    device_id: CAMERA,
    ips: ['192.0.2.11'],
    kind: 'connection_rate',
    severity: 'high',
    state,
    opened_ms: NOW,
    last_ms: NOW,
    sentence: 'The camera opened 200 connections in 10 s',
    params: {},
    evidence: [],
  }
}

/** Devices: a camera, a television with an address of each family, two tablets of one name, and one of a hostile name. */
export function testInventory(): Inventory {
  const inventory = new Inventory({ vendorOf: () => undefined })
  const add = (mac: string, name: string, ...ips: string[]): void => {
    for (const ip of ['', ...ips]) {
      const entry = inventory.seen(parseMac(mac) as number, ip, ip.includes(':'), NOW)
      inventory.name(entry, name, 'dhcp')
    }
  }
  add('02:0d:e0:00:00:01', 'camera', '192.0.2.11')
  add('02:0d:e0:00:00:02', 'Télévision', '192.0.2.12', '2001:db8::12')
  add('02:0d:e0:00:00:03', 'tablet', '192.0.2.13')
  add('02:0d:e0:00:00:04', 'tablet', '192.0.2.14')
  add('02:0d:e0:00:00:05', '<b>\u202eevil\u0007</b>', '192.0.2.15')
  return inventory
}

/** With the desk that is given, or a double; in `desk` is always the double. */
export function testHome(policy?: PolicyDesk): Home {
  const desk = deskDouble(() => NOW)
  const inventory = testInventory()
  const forgotten: string[] = []
  const verdicts: Home['verdicts'] = []
  const limitEntries: LimitEntry[] = []
  const open = new Map([['i-1', incident('i-1')]])
  const incidents: IncidentBook = {
    find: ({ limit }) => [...open.values()].slice(0, limit),
    resolve: (id) => {
      const found = open.get(id)
      return open.delete(id) && found !== undefined ? { ...found, state: 'closed' } : undefined
    },
  }
  const read = {
    info: () => info('one', 1),
    devices: () => ({ devices: [], rates: [] }),
    hasDevice: (id: string) => inventory.get(id) !== undefined,
    flows: () => ({ flows: [FLOW], total: 1 }),
    history: async () => ({
      resolution: 'minute',
      from_ms: 0,
      to_ms: 1,
      points: [],
      kept_from_ms: {},
    }),
    remotes: async () => ({
      remotes: ['cdn.example.net', '203.0.113.9'].map((remote) => ({
        ...{ device_id: CAMERA, remote, sent_bytes: 1, received_bytes: 2 },
      })),
    }),
    nowMs: () => NOW,
  } satisfies Readable
  const change = {
    policy: policy ?? desk,
    devices: inventory,
    timeZone: 'Europe/Amsterdam',
    rename: (id: string, name: string) => {
      const entry = inventory.get(id)
      if (entry !== undefined) inventory.name(entry, name, 'user')
    },
    forget: (id: string) => {
      forgotten.push(id)
      inventory.forget(id)
    },
    verdicts: {
      decide: (id: string, verdict: 'accept' | 'drop', rememberS: number | undefined) => {
        verdicts.push([id, verdict, rememberS])
        return id === 'c-1'
      },
    },
    installBlueprints: async () => [],
    incidents,
    limits: {
      all: () => LIMITS,
      list: () => limitEntries,
      set: (entry: LimitEntry) => {
        limitEntries.push(entry)
      },
    },
  }
  return {
    methods: createRegistry(agentMethods({ read, change })),
    desk,
    inventory,
    forgotten,
    verdicts,
  }
}

/** Arguments with which each change of the registry is carried out. */
export const EXAMPLES: Readonly<Record<string, Record<string, unknown>>> = {
  block: { device: CAMERA, domain: 'example.com' },
  allow: { device: CAMERA, endpoint: '203.0.113.9' },
  unblock: { device: CAMERA },
  quarantine: { device: CAMERA, level: 'full', for: '30m' },
  pause: { device: CAMERA },
  'pause-minutes': { device: CAMERA, minutes: 15 },
  release: { device: CAMERA },
  restrict: { device: CAMERA, restriction: 'no_encrypted_dns' },
  unrestrict: { device: CAMERA },
  undo: { seq: 1 },
  confirm: { rule: 'r1' },
  panic: {},
  verdict: { connection: 'c-1', verdict: 'drop' },
  'resolve-incident': { incident: 'i-1' },
  'device-rename': { device: TELEVISION, name: 'television' },
  'device-forget': { device: '020de0000003' },
  'device-accept': { device: CAMERA },
  'group-set': { group: 'kids', devices: ['192.0.2.14'] },
  'group-remove': { group: 'kids' },
  'limits-set': { device: CAMERA, connections: 20 },
  'blueprints-install': {},
}
