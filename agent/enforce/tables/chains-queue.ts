// What waits for user space: DNS of gated devices, and first packets of devices that are asked about. Chains are hooked only
// where there are such devices; all else passes them by a comparison or two.
import type { Chain } from './chains.ts'
import { BOTH, filter, forEverybody, IP, namesByIp, perKind, strangers } from './chains.ts'
import { CT_DNS, CT_RESOLVED, isSet, PACKET_ANSWER, PACKET_REPLY, setBits } from './marks.ts'
import type { Needs } from './ruleset-needs.ts'
import type { Side } from './ruleset-sets.ts'
import { SERVED } from './ruleset-sets.ts'

/** Regular chains that are empty until a queue rule is put into them. */
export const DNS_QUEUE = 'dns_queue'
export const FIRST_QUEUE = 'first_queue'

/** Behind whatever judges devices, before destinations are translated (-100): what the device itself asked for. */
const QUERIES = -139
/** Behind the translation of destinations: what begins outside is for the device only then. */
const FIRST = -90
/** Behind the translation of sources (100): answers look as the device will see them. */
const ANSWERS = 150
/** Before the queue of these, which is a packet's way out of their chain. */
const REPLIES = 149

/** Queries of gated devices on their way in, answers on their way out, forwarded and of this host's resolver alike. */
export function dnsChains(side: Side, needs: Needs): Chain[] {
  const strange = strangers('from').replace('@from_unknown', '@gate_unknown')
  const regular: Chain[] = [
    { name: DNS_QUEUE, rules: [] },
    {
      name: 'dns_query',
      rules: [`iifname != @${SERVED} return`, setBits('ct mark', CT_DNS), `jump ${DNS_QUEUE}`],
    },
    {
      name: 'dns_gate',
      rules: [
        ...perKind(side, 'gate', 'goto dns_query'),
        'ether saddr @infrastructure accept',
        ...BOTH.map((v) => `${IP[v]} saddr @machines${v} accept`),
        'iifname @gate_all goto dns_query',
        `${strange} goto dns_query`,
      ],
    },
  ]
  if (!needs.has('gate')) return regular
  return [
    ...regular,
    {
      name: 'prerouting_dns',
      hook: filter('prerouting', QUERIES, 'inet'),
      // Not a set of both protocols: that is a look-up for every packet.
      rules: ['udp', 'tcp'].map(
        (protocol) => `${protocol} dport 53 ct direction original goto dns_gate`,
      ),
    },
    {
      name: 'postrouting_answers',
      hook: filter('postrouting', ANSWERS, 'inet'),
      rules: [
        // Netdev egress knows no connections, so it is told by the packet's mark. Before the queue: nothing behind it is asked,
        // neither about what comes out of it nor about what passes because nobody serves it.
        `ct direction reply ${isSet('ct mark', CT_RESOLVED)} ${setBits('meta mark', PACKET_ANSWER)}`,
        `ct direction reply ${isSet('ct mark', CT_DNS)} oifname @${SERVED} jump ${DNS_QUEUE}`,
      ],
    },
  ]
}

/** Exceptions for ports are for what a device begins: netdev egress is told by the packet's mark what is an answer to that. */
export function replyChains(needs: Needs): Chain[] {
  if (!needs.has('ports')) return []
  return [
    {
      name: 'postrouting_replies',
      hook: filter('postrouting', REPLIES, 'inet'),
      rules: [`ct direction reply ${setBits('meta mark', PACKET_REPLY)}`],
    },
  ]
}

/**
 * First packets of connections that a device begins, or that begin elsewhere and go to it. The kernel confirms a connection when
 * its first packet leaves: whatever is confirmed was decided, also one-way UDP, which is `new` for ever.
 */
export function askChains(side: Side, needs: Needs): Chain[] {
  const regular: Chain[] = [
    { name: FIRST_QUEUE, rules: [] },
    // Where the queue ends a packet's way through the chain: whatever is decided without it comes before.
    { name: 'ask_waits', rules: [`iifname @${SERVED} jump ${FIRST_QUEUE}`] },
    {
      name: 'ask_from',
      rules: [
        'jump from_always',
        ...namesByIp(side, 'allow', 'accept'),
        'jump from_allow',
        ...forEverybody(side, 'allow', needs),
        'goto ask_waits',
      ],
    },
    {
      name: 'ask',
      rules: [
        // DNS is the gate's, and what goes to many is nobody's.
        ...['udp', 'tcp'].map((protocol) => `${protocol} dport 53 return`),
        'meta pkttype { broadcast, multicast } return',
        ...perKind(side, 'ask', 'goto ask_from'),
        ...BOTH.map((v) => `${IP[v]} daddr @asked${v} goto ask_waits`),
      ],
    },
  ]
  if (!needs.has('ask')) return regular
  return [
    ...regular,
    {
      name: 'prerouting_ask',
      hook: filter('prerouting', FIRST, 'inet'),
      rules: ['ct status confirmed accept', 'ct state new goto ask'],
    },
  ]
}
