// Exceptions and blocks: by the other side, by service, and by addresses that the DNS gate found for names.

import type { Chain } from './chains.ts'
import { BOTH, deviceField, namedVerdict, perKind, remoteField } from './chains.ts'
import { isSet, PACKET_REPLY } from './marks.ts'
import type { Needs } from './ruleset-needs.ts'
import type { Action, Direction, Kind, Side } from './ruleset-sets.ts'
import { ACTIONS, setName, versionsOf } from './ruleset-sets.ts'

function remotePort(direction: Direction): string {
  return direction === 'from' ? 'th dport' : 'th sport'
}

/** Those that name no service, and those that do. */
function matchRules(
  { direction }: Side,
  kind: Kind | 'all',
  action: Action,
  verdict: string,
): { plain: string[]; services: string[] } {
  const before = kind === 'all' ? '' : `${deviceField(direction, kind)} . `
  const versions = kind === 'all' ? BOTH : versionsOf(kind)
  const service = `meta l4proto . ${remotePort(direction)}`
  const found = (what: string, field: string): string =>
    `${before}${field} @${setName(direction, kind, `${action}_${what}`)}`
  const rule = (what: string, field: string): string => `${found(what, field)} ${verdict}`
  const other = (field: string, v: 4 | 6): string => `${field} . ${service} != @kept${v}`
  // A block by port alone names nobody, so it spares protected machines. Elements that count are looked up last.
  const sparing = (v: 4 | 6): string => {
    const remote = other(remoteField(direction, v), v)
    if (kind !== 'all') return `${remote} ${rule('port', service)}`
    const device = other(deviceField(direction, `ip${v}`), v)
    return `${found('port', service)} ${remote} ${device} ${verdict}`
  }
  return {
    plain: [
      ...versions.map((v) => rule(`host${v}`, remoteField(direction, v))),
      ...versions.map((v) => rule(`net${v}`, remoteField(direction, v))),
    ],
    services: [
      ...(action === 'allow' ? [rule('port', service)] : versions.map(sparing)),
      ...versions.map((v) => rule(`host_port${v}`, `${remoteField(direction, v)} . ${service}`)),
    ],
  }
}

/** What a conversation by ports is called on a bridge, by the device's side of it. */
function talk(direction: Direction, version: 4 | 6): string {
  const [remote, own] = direction === 'from' ? ['dport', 'sport'] : ['sport', 'dport']
  const device = deviceField(direction, 'mac')
  return `${device} . ${remoteField(direction, version)} . meta l4proto . th ${remote} . th ${own}`
}

/**
 * Exceptions for ports are for what the device begins: to it only answers pass, by the connection's state; on a bridge, which has
 * none, no first segments and no datagrams but from where it has sent some.
 */
function answersOnly({ family }: Side): string[] {
  const begins = isSet('meta mark', PACKET_REPLY).replace('==', '!=')
  if (family !== 'bridge') {
    return ['tcp', 'udp'].map((protocol) => `meta l4proto ${protocol} ${begins} return`)
  }
  return [
    'tcp flags and (syn | ack) == syn return',
    ...BOTH.map((v) => `meta l4proto udp ${begins} ${talk('to', v)} != @asking${v} return`),
  ]
}

/** What a direction of one table lets pass and drops by single rules; who is meant by `_all` is everybody. */
export function matchChains(side: Side, needs: Needs): Chain[] {
  const { family, direction, kinds } = side
  const mac = deviceField(direction, 'mac')
  return ACTIONS.flatMap((action): Chain[] => {
    const name = `${direction}_${action}`
    const allows = action === 'allow'
    const asks = allows && direction === 'from' && family === 'bridge'
    const byService = asks ? 'goto from_asks' : allows ? 'accept' : 'drop'
    const [verdict, forAll, named, namedAll] = allows
      ? ['accept', 'accept', namedVerdict(side, needs), namedVerdict(side, needs)]
      : ['drop', `goto ${direction}_all_drop`, 'drop', 'drop']
    const names = BOTH.map(
      (v) => `${mac} . ${remoteField(direction, v)} @dns_${action}${v} ${named}`,
    )
    const all = BOTH.map((v) => `${remoteField(direction, v)} @dns_${action}_all${v} ${namedAll}`)
    const single = kinds.map((kind) => matchRules(side, kind, action, verdict))
    const services = kinds.flatMap((kind) => matchRules(side, kind, action, byService).services)
    const home = matchRules(side, 'all', action, allows ? byService : forAll).services
    // Only where something is to be said of who began.
    const apart = allows && direction === 'to'
    const guarded = (of: string, rules: string[]): string[] =>
      apart ? [`jump ${of}_ports`] : rules
    return [
      {
        name,
        rules: [
          ...perKind(side, action, verdict),
          ...single.flatMap(({ plain }) => plain),
          ...guarded(name, services),
          ...(kinds.includes('mac') ? names : []),
        ],
      },
      {
        name: `${name}_all`,
        rules: [
          ...matchRules(side, 'all', action, forAll).plain,
          ...guarded(`${name}_all`, home),
          ...all,
        ],
      },
      ...(apart
        ? [
            { name: `${name}_ports`, rules: [...answersOnly(side), ...services] },
            { name: `${name}_all_ports`, rules: [...answersOnly(side), ...home] },
          ]
        : []),
      ...(asks ? [asksChain()] : []),
    ]
  })
}

/** On a bridge: the device begins by an exception for ports, and gets answers for as long as a connection would wait for one. */
function asksChain(): Chain {
  const rules = BOTH.map(
    (v) => `meta l4proto udp update @asking${v} { ${talk('from', v)} timeout 3m }`,
  )
  return { name: 'from_asks', rules: [...rules, 'accept'] }
}
