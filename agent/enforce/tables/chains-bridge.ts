// A bridge of the LAN: frames from port to port, which neither the inet hooks nor the bridge's own egress sees. Frames to and
// from this box itself are judged there, by the same rules; `forward` keeps the two apart, `prerouting` would not.

import type { Place } from '../place/place.ts'
import type { Chain } from './chains.ts'
import { BEFORE_CONNTRACK, BOTH, entry, filter, IP } from './chains.ts'
import type { Needs } from './ruleset-needs.ts'
import { judges } from './ruleset-needs.ts'
import type { Side } from './ruleset-sets.ts'

/** A bridge has no conntrack here, so what controllers begin is kept by the two ends, for as long as either speaks. */
function beginChain(version: 4 | 6): Chain {
  const talk = `ether daddr . ${IP[version]} saddr . meta l4proto . th sport . th dport`
  const set = `@begun${version}`
  return {
    name: `begin${version}`,
    rules: [
      // A TCP connection is begun by its SYN alone, so that one that the device began does not count as the controller's.
      `tcp flags and (syn | ack) == syn update ${set} { ${talk} timeout 1h } return`,
      `meta l4proto udp update ${set} { ${talk} timeout 3m } return`,
      `${talk} ${set} update ${set} { ${talk} timeout 1h }`,
    ],
  }
}

/**
 * What leads to the judgement of frames. `output` only where netdev egress can't do it. What controllers begin is kept also
 * while nothing is held: it shall go on when something is.
 */
export function bridgeChains(from: Side, to: Side, place: Place, needs: Needs): Chain[] {
  const toDevice = judges(needs) ? entry(to, place, needs) : []
  const begins =
    place.controllers.length > 0
      ? BOTH.map((v) => `${IP[v]} saddr @controllers${v} jump begin${v}`)
      : []
  const bases: Chain[] = [
    {
      name: 'forward_from',
      hook: filter('forward', BEFORE_CONNTRACK, 'bridge'),
      rules: judges(needs) ? entry(from, place, needs) : [],
    },
    {
      // A chain of its own: an exception of the sender is none of the receiver.
      name: 'forward_to',
      hook: filter('forward', BEFORE_CONNTRACK + 1, 'bridge'),
      rules: [...begins, ...toDevice],
    },
  ]
  if (!place.features.egress) {
    const hook = filter('output', BEFORE_CONNTRACK, 'bridge')
    bases.push({ name: 'output_to', hook, rules: toDevice })
  }
  return [...BOTH.map(beginChain), ...bases.filter(({ rules }) => rules.length > 0)]
}
