// Elements for machines of the protected list: orders about many leave them alone, and no block by port alone closes the way
// to them.
import type { Place } from '../place/place.ts'
import type { Span } from './elements-boxes.ts'
import { disjoint } from './elements-boxes.ts'
import { Gathered } from './elements-gathered.ts'
import type { AddressSpan } from './elements-keys.ts'
import { addressKey, addressSpan, macText } from './elements-keys.ts'

/** TCP, UDP and ICMP of each version of IP: what blocks by protocol and port name. */
const PROTOCOLS = { 4: [1, 6, 17], 6: [6, 17, 58] } as const
const ANY_PORT: Span = [0n, 65535n]
/** DNS over UDP and TCP, over TLS and over QUIC: what is kept of a resolver. */
const NAME_PROTOCOLS = [6, 17]
const NAME_PORTS: readonly Span[] = [
  [53n, 53n],
  [853n, 853n],
]

function one(value: number): Span {
  return [BigInt(value), BigInt(value)]
}

function spansOf(texts: readonly string[]): AddressSpan[] {
  return texts.flatMap((text) => addressSpan(text) ?? [])
}

/** By name of the set: those that every table has. */
export function machineElements(place: Place): { set: string; key: string }[] {
  const { machines, own, controllers } = place
  const into = new Gathered()
  const keep = ({ version, span }: AddressSpan, protocol: number, ports: Span): void => {
    const part = { what: '', version, spans: [span, one(protocol), ports] }
    into.addRange(`kept${version}`, '', part, { ruleIds: [] })
  }
  for (const each of spansOf([...own, ...controllers, ...(machines?.kept ?? [])])) {
    for (const protocol of PROTOCOLS[each.version]) keep(each, protocol, ANY_PORT)
  }
  for (const each of spansOf(machines?.resolvers ?? [])) {
    for (const protocol of NAME_PROTOCOLS)
      for (const ports of NAME_PORTS) keep(each, protocol, ports)
  }
  const kept = [...into.finish()].flatMap(([set, keys]) =>
    [...keys.keys()].map((key) => ({ set, key })),
  )
  const near = spansOf(machines?.unresolved ?? [])
  const told = ([4, 6] as const).flatMap((version) => {
    const boxes = near
      .filter((each) => each.version === version)
      .map(({ span }) => ({ spans: [span], untilBootMs: undefined, ruleIds: [] }))
    return disjoint(boxes).flatMap(({ spans: [span] }) =>
      span === undefined ? [] : [{ set: `machines${version}`, key: addressKey(span, version) }],
    )
  })
  return [...kept, ...told]
}

/** MACs of machines that no order about unknown devices is about. */
export function machineMacs({ machines }: Place): string[] {
  return (machines?.macs ?? []).flatMap((mac) => macText(mac) ?? [])
}
