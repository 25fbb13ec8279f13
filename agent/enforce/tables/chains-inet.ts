// The inet table's own: what needs to know who began a conversation, what goes to devices without netdev egress, and a gateway
// on one port.

import type { Place } from '../place/place.ts'
import type { Chain, Who } from './chains.ts'
import {
  BEFORE_CONNTRACK,
  BOTH,
  besideRouters,
  close,
  DNS,
  deviceField,
  entry,
  filter,
  IP,
  perKind,
  remoteField,
  routerRules,
  STATE_NAMED,
} from './chains.ts'
import { CT_RESOLVED, isSet, setBits } from './marks.ts'
import type { Needs } from './ruleset-needs.ts'
import type { Side } from './ruleset-sets.ts'

/** Behind conntrack (-200) and mangling (-150), before destinations are translated (-100). */
const BEHIND_CONNTRACK = -140
const TO_DEVICES = 160

/**
 * What comes from devices. Before connections are looked up, so that what is held costs least; behind, in the same order of
 * judgement, where something is ordered for which it matters who began. Other tables can't let pass what is dropped here.
 */
export function fromChain(side: Side, place: Place, needs: Needs): Chain {
  const priority = needs.has('state') ? BEHIND_CONNTRACK : BEFORE_CONNTRACK
  return {
    name: 'prerouting_from',
    hook: filter('prerouting', priority, 'inet'),
    rules: [...(needs.has('general') ? ['iifname "lo" accept'] : []), ...entry(side, place, needs)],
  }
}

/** At internet_only a device answers controllers and this box, and begins nothing but DNS. */
function stateLevels(side: Side, who: Who, place: Place): Chain {
  const dns = BOTH.map((v) => `${IP[v]} daddr @own${v} ${DNS} dport 53 return`)
  const router = routerRules(side).map((rule) => rule.replace(/accept$/, 'return'))
  const near = BOTH.flatMap((v) => [`${IP[v]} daddr @own${v}`, `${IP[v]} daddr @controllers${v}`])
  return {
    name: `state_${who}_levels`,
    rules: [
      'ct direction reply return',
      ...dns,
      ...(place.position === 'bridge' ? router : []),
      ...near.flatMap((before) => close(side, who, 'internet_only', before)),
    ],
  }
}

const RESOLVE = setBits('ct mark', CT_RESOLVED)

/** Connections to the internet that a list or `no_dns_no_connect` keeps to resolved addresses, and to resolvers that are believed. */
function stateInternet(side: Side, place: Place): Chain {
  const near = BOTH.flatMap((v) =>
    ['own', 'controllers', 'home'].map((set) => `${IP[v]} daddr @${set}${v} return`),
  )
  return {
    name: 'state_internet',
    rules: [
      ...near,
      ...(place.position === 'bridge' && place.knowsIpv6 ? [`${besideRouters(side)} return`] : []),
      `${isSet('ct mark', CT_RESOLVED)} return`,
      `${DNS} dport 53 ct direction original jump state_dns`,
      // Also what state_dns has marked.
      `${isSet('ct mark', CT_RESOLVED)} return`,
      ...BOTH.map((v) => {
        const pair = `${deviceField('from', 'mac')} . ${remoteField('from', v)}`
        return `${pair} @resolved${v} ${RESOLVE} return`
      }),
      ...perKind(side, 'allow_list', 'drop'),
      ...perKind(side, 'no_dns', 'drop'),
    ],
  }
}

/** Questions of gated devices, to resolvers that are believed. */
function stateDns(side: Side): Chain {
  const rules = BOTH.flatMap((v) =>
    perKind(side, 'gate', RESOLVE, `${remoteField('from', v)} @resolvers${v}`),
  )
  return { name: 'state_dns', rules }
}

/** Who is known by address; apart, as others do not pay for looking by it. */
function stateByIp(): Chain {
  const rules = BOTH.map((v) => {
    const pair = `${deviceField('from', `ip${v}`)} . ${remoteField('from', v)}`
    return `${pair} @resolved_ip${v} ${RESOLVE}`
  })
  return { name: 'state_held_ip', rules: [...rules, 'goto state_held'] }
}

/** What the judgement of `from` devices ends with behind conntrack. */
export function stateChains(side: Side, place: Place): Chain[] {
  return [
    // What a name has opened goes on when that has expired. What has no connection passes without.
    { name: STATE_NAMED, rules: [RESOLVE, 'accept'] },
    stateDns(side),
    stateInternet(side, place),
    stateLevels(side, 'held', place),
    stateLevels(side, 'unknown', place),
    { name: 'state_held', rules: ['jump state_held_levels', 'goto state_internet'] },
    stateByIp(),
    { name: 'state_unknown', rules: ['goto state_unknown_levels'] },
  ]
}

/** Without netdev egress: what goes to devices, by address, where it leaves. */
export function postroutingTo(side: Side, place: Place, needs: Needs): Chain {
  return {
    name: 'postrouting_to',
    hook: filter('postrouting', TO_DEVICES, 'inet'),
    rules: entry(side, place, needs),
  }
}

/** A gateway on one port: answers come back here, and nobody is told of a shorter way. */
export function oneArmedChains(place: Place): Chain[] {
  const uplinks = place.uplinks.map((name) => `"${name}"`).join(', ')
  const redirects: Chain = {
    name: 'output_redirects',
    hook: filter('output', 0, 'inet'),
    rules: ['icmp type redirect drop', 'icmpv6 type nd-redirect drop'],
  }
  if (!place.masquerade || uplinks === '') return [redirects]
  const lan = place.lan.filter((prefix) => !prefix.includes(':')).join(', ')
  if (lan === '') return [redirects]
  const masquerade: Chain = {
    name: 'postrouting_masquerade',
    hook: 'type nat hook postrouting priority 100; policy accept;',
    rules: [
      `oifname { ${uplinks} } ip saddr { ${lan} } ip saddr != @own4 ip daddr != @home4 masquerade`,
    ],
  }
  return [redirects, masquerade]
}
