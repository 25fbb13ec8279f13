// The map as data: which nodes stand on which side and in which slot, and what joins them. A node keeps its slot while
// it matters, so that the picture does not jump.
import type { End, Link } from '../links.ts'
import { bytesOf } from '../links.ts'

/** A node: a device, a remote, the local network, or all that do not fit. */
export interface MapNode {
  id: string
  kind: 'device' | 'remote' | 'lan' | 'other_devices' | 'other_remotes'
  /** Device id, or name or address of a remote; empty for the others. */
  key: string
  sent_bytes: number
  received_bytes: number
  rate: number
  /** How many stand behind it. */
  count: number
}

/** What joins two nodes; `to` is on the right side, or another device on the left. */
export interface MapEdge {
  id: string
  from: string
  to: string
  is_local: boolean
  sent_bytes: number
  received_bytes: number
  rate: number
}

export interface MapModel {
  left: MapNode[]
  right: MapNode[]
  edges: MapEdge[]
}

/** The ids of a model's nodes by slot: hand it to the next `buildMap`. */
export interface MapSlots {
  left: readonly string[]
  right: readonly string[]
}

/** No slots yet. */
export const NO_SLOTS: MapSlots = { left: [], right: [] }

const OTHER_DEVICES = 'other_devices:'
const OTHER_REMOTES = 'other_remotes:'

/**
 * Which of `ranked` (best first) get one of `limit` slots: those that have one keep it until they fall far behind,
 * new ones take free slots.
 */
export function assignSlots(
  previous: readonly string[],
  ranked: readonly string[],
  limit: number,
): string[] {
  const rankOf = new Map(ranked.map((id, rank) => [id, rank]))
  const slots: (string | undefined)[] = previous
    .slice(0, limit)
    .map((id) => ((rankOf.get(id) ?? Number.POSITIVE_INFINITY) < limit * 1.5 ? id : undefined))
  const taken = new Set(slots)
  const fresh = ranked.slice(0, limit).filter((id) => !taken.has(id))
  for (const id of fresh) {
    const free = slots.indexOf(undefined)
    if (free >= 0) slots[free] = id
    else if (slots.length < limit) slots.push(id)
    else slots[worst(slots, rankOf)] = id
  }
  return slots.filter((id) => id !== undefined)
}

function worst(
  slots: readonly (string | undefined)[],
  rankOf: ReadonlyMap<string, number>,
): number {
  let at = 0
  slots.forEach((id, index) => {
    const rank = rankOf.get(id ?? '') ?? Number.POSITIVE_INFINITY
    if (rank > (rankOf.get(slots[at] ?? '') ?? Number.POSITIVE_INFINITY)) at = index
  })
  return at
}

/** Nodes and edges of the links, at most `limit` a side; the rest is summed as `other`. */
export function buildMap(links: readonly Link[], slots: MapSlots, limit: MapLimit): MapModel {
  const sums = new Map<string, MapNode>()
  for (const link of links) {
    add(sums, nodeOf({ kind: 'device', key: link.device_id }), link)
    add(sums, nodeOf(link.end), link)
  }
  const nodes = [...sums.values()].sort((a, b) => bytesOf(b) - bytesOf(a))
  const devices = nodes.filter(({ kind }) => kind === 'device').map(({ id }) => id)
  const remotes = nodes.filter(({ kind }) => kind !== 'device').map(({ id }) => id)
  const left = assignSlots(slots.left, devices, limit.devices)
  const top = assignSlots(slots.right, remotes, limit.remotes)
  const right = slots.right.length === 0 ? byMiddle(top, left, links) : top

  const shown = new Set([...left, ...right])
  const place = (end: End): string => {
    const { id } = nodeOf(end)
    if (shown.has(id)) return id
    return end.kind === 'device' ? OTHER_DEVICES : OTHER_REMOTES
  }
  const edges = new Map<string, MapEdge>()
  for (const link of links) addEdge(edges, link, place)

  const model: MapModel = {
    left: pick(sums, left),
    right: pick(sums, right),
    edges: [...edges.values()],
  }
  const rest = nodes.filter(({ id }) => !shown.has(id))
  const isDevice = ({ kind }: MapNode): boolean => kind === 'device'
  if (rest.some(isDevice))
    model.left.push(sumUp('other_devices', OTHER_DEVICES, rest.filter(isDevice)))
  const remoteRest = rest.filter((node) => !isDevice(node))
  if (remoteRest.length > 0) model.right.push(sumUp('other_remotes', OTHER_REMOTES, remoteRest))
  return model
}

/** The most nodes of each side, the rest apart. */
export interface MapLimit {
  devices: number
  remotes: number
}

/** The slots of a model. */
export function slotsOf({ left, right }: MapModel): MapSlots {
  const ids = (nodes: readonly MapNode[]): string[] =>
    nodes.filter(({ kind }) => !kind.startsWith('other_')).map(({ id }) => id)
  return { left: ids(left), right: ids(right) }
}

function nodeOf({ kind, key }: End): MapNode {
  return { id: `${kind}:${key}`, kind, key, sent_bytes: 0, received_bytes: 0, rate: 0, count: 1 }
}

function add(sums: Map<string, MapNode>, node: MapNode, link: Link): void {
  const sum = sums.get(node.id) ?? node
  sums.set(node.id, sum)
  const isPeer = link.end.kind === 'device' && link.end.key === node.key
  sum.sent_bytes += isPeer ? link.received_bytes : link.sent_bytes
  sum.received_bytes += isPeer ? link.sent_bytes : link.received_bytes
  sum.rate += link.rate
}

function addEdge(edges: Map<string, MapEdge>, link: Link, place: (end: End) => string): void {
  const from = place({ kind: 'device', key: link.device_id })
  const to = place(link.end)
  if (from === to) return
  const id = `${from}>${to}`
  const edge = edges.get(id)
  const { sent_bytes, received_bytes, rate } = link
  if (edge === undefined) {
    const is_local = link.end.kind === 'device'
    edges.set(id, { id, from, to, is_local, sent_bytes, received_bytes, rate })
    return
  }
  edge.sent_bytes += sent_bytes
  edge.received_bytes += received_bytes
  edge.rate += rate
}

// Remotes stand near the devices that talk to them: fewer lines cross.
function byMiddle(
  right: readonly string[],
  left: readonly string[],
  links: readonly Link[],
): string[] {
  const at = new Map(left.map((id, index) => [id, index]))
  const sums = new Map<string, { weight: number; sum: number }>()
  for (const link of links) {
    const { id } = nodeOf(link.end)
    const weight = Math.sqrt(bytesOf(link)) + 1
    const sum = sums.get(id) ?? { weight: 0, sum: 0 }
    sum.weight += weight
    sum.sum += weight * (at.get(`device:${link.device_id}`) ?? left.length)
    sums.set(id, sum)
  }
  const middle = (id: string): number => {
    const { weight, sum } = sums.get(id) ?? { weight: 1, sum: 0 }
    return sum / weight
  }
  return [...right].sort((a, b) => middle(a) - middle(b))
}

function pick(sums: ReadonlyMap<string, MapNode>, ids: readonly string[]): MapNode[] {
  return ids.map((id) => sums.get(id)).filter((node) => node !== undefined)
}

function sumUp(kind: MapNode['kind'], id: string, nodes: readonly MapNode[]): MapNode {
  const sum: MapNode = {
    id,
    kind,
    key: '',
    sent_bytes: 0,
    received_bytes: 0,
    rate: 0,
    count: nodes.length,
  }
  for (const node of nodes) {
    sum.sent_bytes += node.sent_bytes
    sum.received_bytes += node.received_bytes
    sum.rate += node.rate
  }
  return sum
}
