// Argument checks of the DNS gate's facade: C++ trusts what comes from here.
import { isIP } from 'node:net'
import { checkArray, checkedMac, checkKeys, checkObject, shown } from './arguments.ts'
import type { DnsGateOptions, DnsPolicy, GatedDevice, GateSet, HeardAddresses } from './dns-gate.ts'
import {
  addressOf,
  booleanOf,
  MOST_ADDRESSES,
  MOST_DEVICES,
  numberIn,
  whereaboutsOf,
} from './queue-arguments.ts'

export type FilledDnsGate = Required<Omit<DnsGateOptions, 'served'>> &
  Pick<DnsGateOptions, 'served'>

const FAMILIES = ['inet', 'netdev', 'bridge']
const SET_KINDS = ['resolved', 'block', 'allow']
const SET_KEYS = ['mac', 'ip', 'none']
const MOST_SETS = 64

function checkSetNames({ table, set }: { table: unknown; set: unknown }): void {
  for (const name of [table, set]) {
    if (typeof name !== 'string' || !/^[A-Za-z][\w-]{0,30}$/.test(name)) {
      throw new TypeError(`${shown(name)} is not the name of a table or set`)
    }
  }
}

function gateSet(set: GateSet): GateSet {
  checkObject('a set', set)
  checkKeys('a set', set, ['family', 'table', 'set', 'kind', 'ipv6', 'key'])
  checkSetNames(set)
  if (!FAMILIES.includes(set.family)) {
    throw new TypeError(`${shown(set.family)} is not a family; known are ${FAMILIES.join(', ')}`)
  }
  if (!SET_KINDS.includes(set.kind)) {
    throw new TypeError(`${shown(set.kind)} is not a kind of set: ${SET_KINDS.join(', ')}`)
  }
  if (!SET_KEYS.includes(set.key)) {
    throw new TypeError(`${shown(set.key)} is not a key of a set: ${SET_KEYS.join(', ')}`)
  }
  return { ...set, ipv6: booleanOf('ipv6', set.ipv6) }
}

export function dnsGateOptions(options: DnsGateOptions): FilledDnsGate {
  checkObject('the options of a DNS gate', options)
  checkKeys('a DNS gate', options, ['queue', 'maxLength', 'sets', 'served', 'answerMark'])
  const sets = options.sets ?? []
  checkArray('sets', sets)
  const { served } = options
  if (served !== undefined) {
    checkObject('served', served)
    checkKeys('served', served, ['table', 'set'])
    checkSetNames(served)
  }
  if (sets.length > MOST_SETS) throw new RangeError(`a DNS gate fills at most ${MOST_SETS} sets`)
  return {
    queue: numberIn('queue', options.queue, [0, 65_535]),
    // Segments of answers over TCP wait in the queue as well, up to 96.
    maxLength: numberIn('maxLength', options.maxLength, [128, 65_536], 256),
    sets: sets.map(gateSet),
    ...(served === undefined ? {} : { served }),
    answerMark: numberIn('answerMark', options.answerMark, [0, 0xffffffff], 0),
  }
}

/** At most 64 names of interfaces. */
export function interfaceNames(names: readonly string[]): string[] {
  checkArray('the interfaces', names)
  if (names.length > 64) throw new RangeError('at most 64 interfaces can be served')
  return names.map((name) => {
    if (typeof name !== 'string' || !/^[!-~]{1,15}$/.test(name)) {
      throw new TypeError(`${shown(name)} is not the name of an interface`)
    }
    return name
  })
}

/** Names as C++ takes them: canonical text, each on a line of its own. */
function lines(names: readonly string[]): string {
  checkArray('a list of names', names)
  for (const name of names) {
    if (typeof name !== 'string' || !/^[!-@[-~]{1,1024}$/.test(name)) {
      throw new TypeError(`${shown(name)} is not a name in lower-case ASCII`)
    }
  }
  return names.map((name) => `${name}\n`).join('')
}

function prefixOf(value: unknown): string {
  const [ip, bits, more] = typeof value === 'string' ? value.split('/') : []
  const most = isIP(ip ?? '') === 4 ? 32 : 128
  const sound = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  if (!isIP(ip ?? '') || ip?.includes('%') || more !== undefined || !sound) {
    throw new TypeError(`${shown(value)} is not an address or a prefix like 192.0.2.0/24`)
  }
  return String(value)
}

const DEVICE_KEYS = ['block', 'allow', 'allowList', 'localOnly', 'noDnsNoConnect', 'canary']

/** A policy as C++ takes it: each list once, devices point to them. */
export function dnsPolicy(policy: DnsPolicy): object {
  checkObject('a DNS policy', policy)
  checkKeys('a DNS policy', policy, [
    'devices',
    'otherwise',
    'block',
    'allow',
    'protect',
    'home',
    'resolvers',
    'local',
    'encrypted',
  ])
  checkArray('the devices of a DNS policy', policy.devices)
  if (policy.devices.length > MOST_DEVICES) {
    throw new RangeError(`at most ${MOST_DEVICES} devices can be gated`)
  }
  const lists: string[] = []
  const places = new Map<readonly string[], number>()
  const placeOf = (names: readonly string[]): number => {
    const known = places.get(names)
    if (known !== undefined) return known
    places.set(names, lists.push(lines(names)) - 1)
    return lists.length - 1
  }
  const placesOf = (what: string, names: unknown): number[] => {
    checkArray(what, names)
    return (names as readonly (readonly string[])[]).map(placeOf)
  }
  const deviceOf = (device: GatedDevice): object => {
    checkObject('a device', device)
    checkKeys('a device', device, [...DEVICE_KEYS, 'mac', 'ips'])
    return {
      ...whereaboutsOf(device),
      block: placesOf('block', device.block),
      allow: placesOf('allow', device.allow),
      allowList: booleanOf('allowList', device.allowList),
      localOnly: booleanOf('localOnly', device.localOnly),
      noDnsNoConnect: booleanOf('noDnsNoConnect', device.noDnsNoConnect),
      canary: booleanOf('canary', device.canary),
    }
  }
  const devices = policy.devices.map(deviceOf)
  const { otherwise } = policy
  checkArray('protect', policy.protect)
  checkArray('resolvers', policy.resolvers)
  return {
    devices,
    otherwise: otherwise === undefined ? undefined : deviceOf({ ...otherwise, ips: [] }),
    block: placesOf('block', policy.block),
    allow: placesOf('allow', policy.allow),
    lists,
    protect: policy.protect.map(prefixOf),
    home: (policy.home ?? []).map(prefixOf),
    resolvers: policy.resolvers.map((ip) => addressOf('a resolver', ip)),
    local: lines(policy.local),
    encrypted: lines(policy.encrypted ?? []),
  }
}

export function heardAddresses(heard: HeardAddresses): object {
  checkObject('what was heard', heard)
  checkKeys('what was heard', heard, ['only', 'names', 'ips', 'ttlS'])
  lines(heard.names)
  if (heard.names.length === 0 || heard.names.length > 16) {
    throw new RangeError('what was heard must be of 1 to 16 names')
  }
  checkArray('ips', heard.ips)
  const { only } = heard
  return {
    only:
      only === undefined
        ? undefined
        : {
            mac: only.mac === undefined ? undefined : checkedMac(only.mac),
            ip: addressOf('who asked', only.ip),
          },
    names: heard.names,
    ips: heard.ips.slice(0, MOST_ADDRESSES).map((ip) => addressOf('an address', ip)),
    ttlS: numberIn('ttlS', heard.ttlS, [0, 0xffffffff]),
  }
}

export function markOrder(
  mark: number,
  keep: readonly string[],
): [mark: number, keep: readonly string[]] {
  checkArray('the addresses whose connections stay', keep)
  return [
    numberIn('the mark', mark, [0, 0xffffffff]),
    keep.map((ip) => addressOf('an address', ip)),
  ]
}
