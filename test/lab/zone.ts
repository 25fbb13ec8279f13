// The names of the lab's internet, known to its servers and to its clients alike, so that a test knows what is right.
import { isIP } from 'node:net'

/** One name: what it resolves to. */
export interface ZoneEntry {
  /** IPv4 and IPv6 addresses; empty for NXDOMAIN. */
  a: string[]
  aaaa: string[]
  /** Chain of aliases before the addresses. */
  cnames: string[]
  rcode: number
  /** The UDP answer is cut, so that the client asks again over TCP. */
  truncated: boolean
}

/** Where the servers of the lab answer. */
export const RESOLVER4 = '203.0.113.53'
export const RESOLVER6 = '2001:db8:113::53'

/** How many `host<N>` names have an address of their own. */
export const HOSTS = 40

const SHARED = { a: '203.0.113.80', aaaa: '2001:db8:113::80' }

function addressesOf(n: number): { a: string; aaaa: string } {
  return { a: `203.0.113.${100 + n}`, aaaa: `2001:db8:113::${(0x100 + n).toString(16)}` }
}

/** Every address that the UDP servers have to answer from. */
export function serverAddresses(): string[] {
  const own = Array.from({ length: HOSTS }, (_, n) => addressesOf(n)).flatMap((x) => [x.a, x.aaaa])
  return [...own, SHARED.a, SHARED.aaaa]
}

/** The name of the lab's DNS for an address: whoever has a domain may point it anywhere. */
export function nameOfAddress(ip: string): string {
  return `${Buffer.from(ip).toString('hex')}.at.example.net`
}

function addressOfName(name: string): string | undefined {
  const hex = /^([0-9a-f]{2,60})\.at\.example\.net$/.exec(name)?.[1]
  const ip = hex === undefined ? '' : Buffer.from(hex, 'hex').toString()
  return isIP(ip) === 0 ? undefined : ip
}

/**
 * What the lab's DNS knows: `host<N>.example.com` (an address each), `cdn<N>.example.net` (a chain of two aliases to
 * host N's address), `shared<anything>.example.org` (all on one address), `big<N>.example.com` (cut over UDP), and
 * `nameOfAddress`; everything else does not exist.
 */
export function lookUp(name: string): ZoneEntry {
  const entry: ZoneEntry = { a: [], aaaa: [], cnames: [], rcode: 0, truncated: false }
  const at = addressOfName(name)
  if (at !== undefined) return { ...entry, [isIP(at) === 4 ? 'a' : 'aaaa']: [at] }
  const shared = /^shared[a-z0-9-]*\.example\.org$/.test(name)
  const numbered = /^(host|cdn|big)(\d+)\.example\.(com|net)$/.exec(name)
  const n = Number(numbered?.[2])
  if (shared) return { ...entry, a: [SHARED.a], aaaa: [SHARED.aaaa] }
  if (!numbered || n >= HOSTS) return { ...entry, rcode: 3 }
  const { a, aaaa } = addressesOf(n)
  const cnames = numbered[1] === 'cdn' ? [`edge${n}.example.net`, `pop-${n}.edge.example.net`] : []
  return { ...entry, a: [a], aaaa: [aaaa], cnames, truncated: numbered[1] === 'big' }
}
