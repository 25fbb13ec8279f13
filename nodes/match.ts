// Small questions that filters ask, each compiled once and asked many times.
import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { DEVICE_ID } from '../protocol/topics.ts'

/** The most entries that one list in a filter may have. */
export const MAX_ENTRIES = 1000

/**
 * The entries of a list as people write it: text with commas or spaces between, a number, or an array of these.
 * Absent or empty: no entries. Throws an Error that names `what` otherwise.
 */
export function entriesOf(value: unknown, what: string): string[] {
  const parts = Array.isArray(value) ? value : [value ?? '']
  if (!parts.every((part) => typeof part === 'string' || typeof part === 'number')) {
    throw new Error(`${what} must be text, a number, or a list of these`)
  }
  const entries = parts
    .flatMap((part) => String(part).split(/[\s,;]+/))
    .filter((entry) => entry !== '')
  if (entries.length > MAX_ENTRIES) throw new Error(`${what} has more than ${MAX_ENTRIES} entries`)
  return entries
}

/** The id that stands for `text`: an id, or a MAC in any of its usual spellings. Throws an Error otherwise. */
export function deviceIdOf(text: string): string {
  const id = text.toLowerCase().replace(/[:.-]/g, '')
  if (!DEVICE_ID.test(id)) throw new Error(`“${text}” is not a device id or a MAC address`)
  return id
}

/** Whether an address is one of `addresses`: single addresses or prefixes (`192.0.2.0/24`, `2001:db8::/32`), IPv4 and IPv6. */
export function addressMatch(addresses: readonly string[]): (ip: string) => boolean {
  const list = new BlockList()
  for (const entry of addresses) {
    const [ip = '', length, ...rest] = entry.split('/')
    const family = isIP(ip)
    const most = family === 6 ? 128 : 32
    const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Infinity
    if (family === 0 || rest.length > 0 || bits > most) {
      throw new Error(
        `“${entry}” is not an address (192.0.2.7) or a prefix (192.0.2.0/24, 2001:db8::/32)`,
      )
    }
    list.addSubnet(ip, bits, family === 6 ? 'ipv6' : 'ipv4')
  }
  return (ip) => list.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4')
}

/** Whether a name is one of `names` or below one: `example.com` (or `*.example.com`) stands for `api.example.com` too. */
export function nameMatch(names: readonly string[]): (name: string) => boolean {
  const zones = new Set(names.map(canonicalName))
  return (name) => {
    let rest = name.toLowerCase().replace(/\.$/, '')
    for (;;) {
      if (zones.has(rest)) return true
      const dot = rest.indexOf('.')
      if (dot < 0) return false
      rest = rest.slice(dot + 1)
    }
  }
}

/** Whether a port is one of `ports`: single ones or ranges (`8000-8100`). */
export function portMatch(ports: readonly string[]): (port: number | undefined) => boolean {
  const ranges = ports.map((entry) => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry)
    const from = Number(found?.[1])
    const to = Number(found?.[2] ?? found?.[1])
    if (!found || to > 65535 || from > to) {
      throw new Error(`“${entry}” is not a port (443) or a range of ports (8000-8100)`)
    }
    return [from, to] as const
  })
  return (port) => port !== undefined && ranges.some(([from, to]) => port >= from && port <= to)
}

function canonicalName(entry: string): string {
  const plain = entry
    .toLowerCase()
    .replace(/^\*?\./, '')
    .replace(/\.$/, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  const ascii = /^[\x00-\x7f]*$/.test(plain) ? plain : domainToASCII(plain)
  if (!/^[^.\s/]+(?:\.[^.\s/]+)*$/.test(ascii)) throw new Error(`“${entry}” is not a name`)
  return ascii
}
