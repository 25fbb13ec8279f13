// Argument checks of the facade: C++ trusts what comes from here.

import { isIP, isIPv4 } from 'node:net'
import type { CaptureOptions, InterfaceSpec, Locality, VlanTag } from './index.ts'
import { NAME_KINDS } from './layout.ts'

const DEFAULTS: Required<CaptureOptions> = {
  maxFlows: 131_072,
  tcpIdleSeconds: 600,
  halfOpenIdleSeconds: 60,
  udpIdleSeconds: 60,
  otherIdleSeconds: 60,
  updates: true,
  names: ['dns', 'sni'],
  namesPerSecond: 200,
  namesBurst: 2000,
  ringBytes: 8 * 1024 * 1024,
}

const RANGES: Partial<Record<keyof CaptureOptions, [number, number]>> = {
  maxFlows: [16, 4_194_304],
  tcpIdleSeconds: [1, 86_400],
  halfOpenIdleSeconds: [1, 86_400],
  udpIdleSeconds: [1, 86_400],
  otherIdleSeconds: [1, 86_400],
  namesPerSecond: [0, 1_000_000],
  namesBurst: [0, 1_000_000],
  ringBytes: [65_536, 1 << 30],
}

const SPEC_KEYS = ['name', 'count', 'promiscuous', 'upstreamMacs', 'withoutVlans']
/** What a filter of the kernel has room for. */
const MOST_VLANS = 1024
const COUNT_RULES = ['all', 'incoming', 'own_outgoing']

export function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/** How many letters apart two words are, for a hint at the right one. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

export function checkKeys(what: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const near = known.toSorted(
      (a, b) =>
        distance(key.toLowerCase(), a.toLowerCase()) - distance(key.toLowerCase(), b.toLowerCase()),
    )[0]
    const hint =
      near && distance(key.toLowerCase(), near.toLowerCase()) <= 3
        ? `; did you mean '${near}'?`
        : `; known are ${known.join(', ')}`
    throw new TypeError(`${what} has no '${key}'${hint}`)
  }
}

export function checkObject(what: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} must be an object, not ${shown(value)}`)
  }
}

export function checkArray(what: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${what} must be an array, not ${shown(value)}`)
}

/** Options with defaults filled in; the kinds of names also as bits by their index in `NAME_KINDS`. */
export type FilledOptions = Required<CaptureOptions> & { nameBits: number }

/** Checks and fills in. */
export function captureOptions(options: CaptureOptions): FilledOptions {
  checkObject('the options of a capture', options)
  checkKeys('a capture', options, Object.keys(DEFAULTS))
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const filled: Required<CaptureOptions> = { ...DEFAULTS, ...given }
  for (const [key, [low, high]] of Object.entries(RANGES)) {
    const value: unknown = filled[key as keyof CaptureOptions]
    if (key === 'namesPerSecond' && value === Number.POSITIVE_INFINITY) continue
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw new TypeError(`${key} must be a whole number, not ${shown(value)}`)
    }
    if (value < low || value > high) {
      throw new RangeError(`${key} must be from ${low} to ${high}, not ${value}`)
    }
  }
  if (typeof filled.updates !== 'boolean') {
    throw new TypeError(`updates must be true or false, not ${shown(filled.updates)}`)
  }
  checkArray('names', filled.names)
  for (const kind of filled.names) {
    if (!NAME_KINDS.includes(kind)) {
      throw new TypeError(`names has ${shown(kind)}; known are ${NAME_KINDS.join(', ')}`)
    }
  }
  const nameBits = filled.names.reduce((bits, kind) => bits | (1 << NAME_KINDS.indexOf(kind)), 0)
  return { ...filled, nameBits }
}

/** A path that can be opened as it is. */
export function checkedPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new TypeError(`the path of a capture must be a string, not ${shown(path)}`)
  }
  return path
}

/** A descriptor by its number. */
export function checkedDescriptor(fd: unknown): number {
  if (typeof fd !== 'number' || !Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) {
    throw new TypeError(`a descriptor must be a whole number from 0, not ${shown(fd)}`)
  }
  return fd
}

/** Something to call. */
export function checkedFunction<T>(what: string, value: T): T {
  if (typeof value !== 'function')
    throw new TypeError(`${what} must be a function, not ${shown(value)}`)
  return value
}

/** A name that the kernel takes (`dev_valid_name`). */
export function checkedInterfaceName(name: unknown): string {
  if (
    typeof name !== 'string' ||
    !/^[^\s/:\0]{1,15}$/.test(name) ||
    name === '.' ||
    name === '..'
  ) {
    throw new TypeError(`${shown(name)} is not the name of an interface`)
  }
  return name
}

/** `02:0d:e0:00:00:01`, either case. */
export function checkedMac(mac: unknown): string {
  if (typeof mac !== 'string' || !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new TypeError(`${shown(mac)} is not a MAC address like 02:0d:e0:00:00:01`)
  }
  return mac.toLowerCase()
}

function checkedVlans(what: string, tags: readonly VlanTag[]): VlanTag[] {
  checkArray(what, tags)
  if (tags.length > MOST_VLANS) throw new RangeError(`${what} must be at most ${MOST_VLANS}`)
  return tags.map(({ type, id }) => {
    if (type !== 0x8100 && type !== 0x88a8) {
      throw new TypeError(`${what}: a tag is of type 0x8100 or 0x88a8, not ${shown(type)}`)
    }
    if (!Number.isInteger(id) || id < 0 || id > 4094) {
      throw new RangeError(`${what}: an id is from 0 to 4094, not ${shown(id)}`)
    }
    return { type, id }
  })
}

/** Interfaces with everything filled in. */
export function checkedSpecs(specs: readonly InterfaceSpec[]): Required<InterfaceSpec>[] {
  checkArray('the interfaces', specs)
  if (specs.length === 0 || specs.length > 256) {
    throw new RangeError(`a capture takes 1 to 256 interfaces, not ${specs.length}`)
  }
  const names = new Set<string>()
  return specs.map((spec) => {
    checkObject('an interface', spec)
    checkKeys('an interface', spec, SPEC_KEYS)
    const name = checkedInterfaceName(spec.name)
    if (names.has(name)) throw new RangeError(`interface ${name} is there twice`)
    names.add(name)
    if (!COUNT_RULES.includes(spec.count)) {
      throw new TypeError(
        `count of ${name} must be ${COUNT_RULES.join(', ')}, not ${shown(spec.count)}`,
      )
    }
    const promiscuous = spec.promiscuous ?? false
    if (typeof promiscuous !== 'boolean') {
      throw new TypeError(`promiscuous of ${name} must be true or false, not ${shown(promiscuous)}`)
    }
    const upstreamMacs = spec.upstreamMacs ?? []
    checkArray(`upstreamMacs of ${name}`, upstreamMacs)
    return {
      name,
      count: spec.count,
      promiscuous,
      upstreamMacs: upstreamMacs.map(checkedMac),
      withoutVlans: checkedVlans(`withoutVlans of ${name}`, spec.withoutVlans ?? []),
    }
  })
}

/** Prefixes and addresses that parse. */
export function checkedLocality(locality: Locality): Locality {
  checkObject('the locality', locality)
  checkKeys('the locality', locality, ['prefixes', 'own'])
  checkArray('prefixes', locality.prefixes)
  checkArray('own', locality.own)
  for (const prefix of locality.prefixes) {
    const [ip, bits, more] = typeof prefix === 'string' ? prefix.split('/') : []
    const most = isIPv4(ip ?? '') ? 32 : 128
    if (
      !isIP(ip ?? '') ||
      more !== undefined ||
      !/^\d{1,3}$/.test(bits ?? '') ||
      Number(bits) > most
    ) {
      throw new TypeError(`${shown(prefix)} is not a prefix like 192.0.2.0/24`)
    }
  }
  for (const ip of locality.own) {
    if (typeof ip !== 'string' || !isIP(ip))
      throw new TypeError(`${shown(ip)} is not an IP address`)
  }
  return { prefixes: [...locality.prefixes], own: [...locality.own] }
}
