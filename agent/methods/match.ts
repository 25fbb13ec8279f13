// The other side of a block or an exception, checked and written in one form, so that the same is the same.

import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { z } from 'zod'
import type { Match } from '../../protocol/policy.ts'
import { formatIp } from '../address.ts'
import { parsePrefix } from '../inventory/locality.ts'
import { addressOf } from './devices.ts'

/** Name and port of a protocol that has one of its own here (IANA protocol numbers). */
const NUMBERS = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58 } as const

/** An address or prefix: RFC 5952, no bits set beyond the prefix, no length where it is one address. Undefined if it is none. */
export function endpointOf(text: string): string | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return addressOf(text)
  const prefix = parsePrefix(text)
  if (prefix === undefined) return undefined
  const { bytes, length, ipv6 } = prefix
  const address = addressOf(text.slice(0, slash)) ?? ''
  if (ipv6 && isIP(address) === 4) {
    // Bits of the 96 before a mapped IPv4 address can't be left out.
    return length < 96 ? undefined : endpointOf(`${address}/${length - 96}`)
  }
  for (let bit = length; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] = (bytes[bit >> 3] as number) & ~(0x80 >> (bit & 7))
  }
  const network = formatIp(bytes, ipv6)
  return length === bytes.length * 8 ? network : `${network}/${length}`
}

/** A name as lower-case A-labels (RFC 5890), `*.` before and a dot behind left away. Undefined if it is none. */
export function domainOf(text: string): string | undefined {
  if (text.length > 1024 || /[%/?#@:\\[\]]/.test(text)) return undefined
  const name = domainToASCII(text.trim().replace(/^\*\./, '').replace(/\.$/, ''))
  const labels = name.split('.')
  const sound = labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  return sound && name.length <= 253 && isIP(name) === 0 ? name : undefined
}

function normal(text: z.ZodString, of: (given: string) => string | undefined, message: string) {
  return text.transform((given, context) => {
    const written = of(given)
    if (written !== undefined) return written
    context.issues.push({ code: 'custom', message, input: given })
    return z.NEVER
  })
}

const protocolNumber = z.number().int().min(0).max(255)
const PORT_MESSAGE = 'expected a port or a range, such as 443 or 8000-8010'
const port = z.number().int().min(1).max(65535)

/** The keys of a match, for `z.strictObject`. */
export const matchShape = {
  endpoint: normal(
    z.string().min(1).max(64),
    endpointOf,
    'expected an address or a prefix, such as 203.0.113.9 or 2001:db8::/64',
  )
    .optional()
    .meta({ description: 'address or prefix of the other side', example: '203.0.113.0/24' }),
  domain: normal(
    z.string().min(1).max(1024),
    domainOf,
    'expected a domain, such as example.com; its subdomains are always meant too',
  )
    .optional()
    .meta({
      description: 'name of the other side, with all its subdomains',
      example: 'ads.example.com',
    }),
  protocol: z
    .union(
      [z.enum(['tcp', 'udp', 'icmp', 'icmpv6']), protocolNumber, z.string().regex(/^\d{1,3}$/)],
      {
        error: 'expected tcp, udp, icmp, icmpv6 or a number from 0 to 255',
      },
    )
    .transform((given, context): NonNullable<Match['protocol']> => {
      const number = typeof given === 'number' ? given : /^\d/.test(given) ? Number(given) : given
      if (typeof number === 'number' && number > 255) {
        context.issues.push({ code: 'custom', message: 'expected 0 to 255', input: given })
        return z.NEVER
      }
      const name = Object.entries(NUMBERS).find(([, of]) => of === number)?.[0]
      return (name ?? number) as NonNullable<Match['protocol']>
    })
    .optional()
    .meta({ description: 'protocol: tcp, udp, icmp, icmpv6 or its number', example: 'tcp' }),
  port: z
    .union([port, z.string().regex(/^\d{1,5}(?:-\d{1,5})?$/, PORT_MESSAGE)], {
      error: PORT_MESSAGE,
    })
    .transform((given, context): readonly [number, number] => {
      const [from = 0, to = from] = String(given).split('-').map(Number)
      if (from >= 1 && to <= 65535 && from <= to) return [from, to]
      context.issues.push({
        code: 'custom',
        message: 'expected ports from 1 to 65535',
        input: given,
      })
      return z.NEVER
    })
    .optional()
    .meta({
      description: 'port of the other side, or a range; with protocol tcp or udp',
      example: '8000-8010',
    }),
}

type MatchArguments = z.infer<z.ZodObject<typeof matchShape>>

/** What is wrong with the keys together; undefined: nothing. */
export function matchFault({
  endpoint,
  domain,
  protocol,
  port,
}: MatchArguments): string | undefined {
  if (endpoint !== undefined && domain !== undefined)
    return 'give endpoint or domain, not both: two orders say it'
  if (port !== undefined && protocol !== 'tcp' && protocol !== 'udp')
    return 'a port needs protocol tcp or udp'
  return undefined
}

/** The match of these arguments; without any key the whole device. */
export function matchOf({ endpoint, domain, protocol, port }: MatchArguments): Match {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(domain === undefined ? {} : { domain }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(port === undefined ? {} : { port: port[0] }),
    ...(port === undefined || port[0] === port[1] ? {} : { port_to: port[1] }),
  }
}
