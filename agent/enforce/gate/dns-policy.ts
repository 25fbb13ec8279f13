// What of a `Desired` the DNS gate has to know: names by device and for everybody. Plain data in, plain data out.
import type { DnsPolicy, GatedDevice, GateSet } from '../../../native/dns-gate.ts'
import type { Desired, DesiredDevice, DesiredLevel, DesiredMatch } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
import type { SetSpec } from '../tables/sets.ts'
import { ENCRYPTED_RESOLVER_NAMES } from './encrypted-resolvers.ts'

/** What the gate has to know besides what is ordered. */
export interface GateSurroundings {
  /** Addresses and prefixes that no block may take. */
  protect: readonly string[]
  /** Whose answers open addresses, and shut them for others than who asked; none: anybody's. */
  resolvers: readonly string[]
  /** Those of them that may stand anywhere in the home: there, whoever poses as one of them is believed. */
  neighbours?: readonly string[]
  /** Names of the home, besides those that always are. */
  local: readonly string[]
  /** Networks of the home. */
  home?: readonly string[]
}

/** RFC 6761, 6762 and 8375, ICANN's `internal`, and what home routers use; addresses of private networks by RFC 6303. */
const LOCAL_NAMES: readonly string[] = [
  ...['local', 'home.arpa', 'internal', 'lan', 'home', 'localdomain', 'localhost', 'fritz.box'],
  ...['10.in-addr.arpa', '168.192.in-addr.arpa', '254.169.in-addr.arpa', 'd.f.ip6.arpa'],
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
]

const SET = /^(resolved|dns_block|dns_allow)(?:_(all|ip))?([46])$/
const KINDS = { resolved: 'resolved', dns_block: 'block', dns_allow: 'allow' } as const
const KEYS = { all: 'none', ip: 'ip', mac: 'mac' } as const

/** The sets that the gate fills, of all sets that are there. */
export function gateSets(sets: readonly SetSpec[]): GateSet[] {
  return sets.flatMap(({ family, table, name }): GateSet[] => {
    const [, what, by = 'mac', version] = SET.exec(name) ?? []
    if (what === undefined) return []
    const kind = KINDS[what as keyof typeof KINDS]
    const key = KEYS[by as keyof typeof KEYS]
    return [{ family, table, set: name, kind, ipv6: version === '6', key }]
  })
}

function namesOf(matches: readonly DesiredMatch[], action: DesiredMatch['action']): string[] {
  return matches.flatMap((match) =>
    match.action === action && match.domain !== undefined ? [match.domain] : [],
  )
}

function listsOf(names: string[]): string[][] {
  return names.length === 0 ? [] : [names]
}

/** Why only names of the home are answered, if so. */
function localOnly(of: Desired['unknown'] | DesiredDevice): DesiredLevel | undefined {
  return levelsOf(of ?? {}).find(({ level }) => level === 'local_only')
}

function gatedDevice(device: DesiredDevice): GatedDevice {
  const { mac, ips, restrictions, matches } = device
  return {
    mac,
    ips,
    block: listsOf(namesOf(matches, 'block')),
    allow: listsOf(namesOf(matches, 'allow')),
    allowList: restrictions.allow_list !== undefined,
    localOnly: localOnly(device) !== undefined,
    noDnsNoConnect: restrictions.no_dns_no_connect !== undefined,
    canary: restrictions.no_encrypted_dns !== undefined,
  }
}

function says(device: GatedDevice): boolean {
  const { block, allow, allowList, localOnly, noDnsNoConnect, canary } = device
  return block.length + allow.length > 0 || allowList || localOnly || noDnsNoConnect || canary
}

const NOTHING_SAID = {
  block: [],
  allow: [],
  allowList: false,
  localOnly: false,
  noDnsNoConnect: false,
  canary: false,
} as const

/** `02:0d:e0:00:00:01` of a MAC or of the id of a device that was made of one. */
export function macOf(text: string): string | undefined {
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)) return text
  return /^[0-9a-f]{12}$/.test(text) ? text.match(/../g)?.join(':') : undefined
}

/** What the gate does from now on; undefined: nothing, and nobody's DNS has to be looked at. */
export function dnsPolicyOf(desired: Desired, around: GateSurroundings): DnsPolicy | undefined {
  const block = listsOf(namesOf(desired.everyone, 'block'))
  const allow = listsOf(namesOf(desired.everyone, 'allow'))
  const strict = localOnly(desired.unknown) !== undefined
  const named = block.length + allow.length > 0
  const devices = desired.devices.map(gatedDevice).filter((device) => strict || says(device))
  if (strict) {
    // Known devices are told apart from those that nobody knows.
    const listed = new Set(devices.map(({ mac }) => mac))
    for (const free of desired.unknown?.free ?? []) {
      const mac = macOf(free)
      if (mac !== undefined && !listed.has(mac)) devices.push({ ...NOTHING_SAID, mac, ips: [] })
    }
  }
  if (devices.length === 0 && !named && !strict) return undefined
  return {
    devices,
    otherwise: named || strict ? { ...NOTHING_SAID, localOnly: strict } : undefined,
    block,
    allow,
    protect: around.protect,
    home: around.home ?? [],
    resolvers: around.resolvers,
    local: [...LOCAL_NAMES, ...around.local],
    encrypted: ENCRYPTED_RESOLVER_NAMES,
  }
}

function fits(name: string, domain: string | undefined): boolean {
  return domain !== undefined && (name === domain || name.endsWith(`.${domain}`))
}

/** The rule that makes a name not exist for a device: the longest that fits, its own before everybody's. */
export function ruleOfName(
  desired: Desired,
  device: DesiredDevice | undefined,
  name: string,
): string | undefined {
  const found = [...(device?.matches ?? []), ...desired.everyone]
    .filter(({ action, domain }) => action === 'block' && fits(name, domain))
    .toSorted((a, b) => (b.domain?.length ?? 0) - (a.domain?.length ?? 0))[0]
  if (found) return found.ruleId
  const local = localOnly(device)
  if (local !== undefined) return local.ruleId
  const isEncrypted =
    name === 'use-application-dns.net' || ENCRYPTED_RESOLVER_NAMES.some((each) => fits(name, each))
  if (device?.restrictions.no_encrypted_dns && isEncrypted) {
    return device.restrictions.no_encrypted_dns.ruleId
  }
  return device === undefined ? localOnly(desired.unknown)?.ruleId : undefined
}
