// Where the map's nodes and edges are drawn, in CSS pixels.
import { bytesOf } from '../links.ts'
import type { MapEdge, MapModel, MapNode } from './map-model.ts'

/** Height of a row. */
export const ROW = 28
const BAR = 5
const EDGE_SPACE = ROW - 8
const PADDING = 10

/** A node's bar and the room of its label. */
export interface NodeShape {
  node: MapNode
  side: 'left' | 'right'
  /** Left edge, centre and height of the bar. */
  x: number
  y: number
  width: number
  height: number
  /** Height of the row that is the node's. */
  row: number
  label_x: number
  label_width: number
}

/** A cubic curve. */
export interface EdgeShape {
  edge: MapEdge
  x1: number
  y1: number
  cpx1: number
  cpy1: number
  cpx2: number
  cpy2: number
  x2: number
  y2: number
  width: number
}

export interface MapLayout {
  height: number
  nodes: NodeShape[]
  edges: EdgeShape[]
}

/** Lays out a model in `width`, with room for at least `rows` rows. */
export function layoutMap(model: MapModel, width: number, rows: number): MapLayout {
  const most = Math.max(rows, model.left.length, model.right.length, 1)
  const height = most * ROW + 2 * PADDING
  // Remotes have the longer names: on a phone they get the larger part.
  const isNarrow = width < 560
  const labels = {
    left: Math.round(Math.min(230, width * (isNarrow ? 0.3 : 0.29))),
    right: Math.round(Math.min(230, width * (isNarrow ? 0.41 : 0.29))),
  }
  const column = (nodes: readonly MapNode[], side: NodeShape['side']): NodeShape[] => {
    const spacing = nodes.length === 0 ? ROW : Math.min(ROW * 1.8, (most * ROW) / nodes.length)
    const top = (height - spacing * nodes.length) / 2
    return nodes.map((node, index) => ({
      node,
      side,
      x: side === 'left' ? labels.left : width - labels.right - BAR,
      y: top + spacing * (index + 0.5),
      width: BAR,
      height: BAR,
      row: spacing,
      label_x: side === 'left' ? labels.left - 7 : width - labels.right + 7,
      label_width: labels[side] - 8,
    }))
  }
  const nodes = [...column(model.left, 'left'), ...column(model.right, 'right')]
  const shapes = new Map(nodes.map((shape) => [shape.node.id, shape]))
  const widths = edgeWidths(model)
  const ends = attach(model.edges, shapes, widths)
  const edges: EdgeShape[] = []
  for (const edge of model.edges) {
    const from = shapes.get(edge.from)
    const to = shapes.get(edge.to)
    if (from === undefined || to === undefined) continue
    const y1 = ends.get(`${edge.id}|${edge.from}`) ?? from.y
    const y2 = ends.get(`${edge.id}|${edge.to}`) ?? to.y
    const x1 = from.x + BAR
    const x2 = edge.is_local ? to.x + BAR : to.x
    const room = width - labels.left - labels.right - 2 * BAR
    const reach = edge.is_local ? Math.min(room * 0.5, 26 + Math.abs(y2 - y1) * 0.4) : room / 2
    const cpx1 = x1 + reach
    const cpx2 = edge.is_local ? x2 + reach : x2 - reach
    edges.push({
      edge,
      x1,
      y1,
      cpx1,
      cpy1: y1,
      cpx2,
      cpy2: y2,
      x2,
      y2,
      width: widths.get(edge.id) ?? 1,
    })
  }
  return { height, nodes, edges }
}

// The width goes with the square root of the bytes: a film does not hide a thermostat. The busiest node fills its row.
function edgeWidths({ edges }: MapModel): Map<string, number> {
  const sums = new Map<string, number>()
  for (const edge of edges) {
    const root = Math.sqrt(bytesOf(edge))
    sums.set(edge.from, (sums.get(edge.from) ?? 0) + root)
    sums.set(edge.to, (sums.get(edge.to) ?? 0) + root)
  }
  const most = Math.max(1, ...sums.values())
  return new Map(
    edges.map((edge) => [edge.id, Math.max(1, (Math.sqrt(bytesOf(edge)) / most) * EDGE_SPACE)]),
  )
}

// Edges leave a node's bar side by side, in the order of where they go.
function attach(
  edges: readonly MapEdge[],
  shapes: ReadonlyMap<string, NodeShape>,
  widths: ReadonlyMap<string, number>,
): Map<string, number> {
  const byNode = new Map<string, { edge: MapEdge; other: number }[]>()
  for (const edge of edges) {
    const from = shapes.get(edge.from)
    const to = shapes.get(edge.to)
    if (from === undefined || to === undefined) continue
    for (const [id, other] of [
      [edge.from, to.y],
      [edge.to, from.y],
    ] as const) {
      byNode.set(id, [...(byNode.get(id) ?? []), { edge, other }])
    }
  }
  const ends = new Map<string, number>()
  for (const [id, ofNode] of byNode) {
    const shape = shapes.get(id)
    if (shape === undefined) continue
    ofNode.sort((a, b) => a.other - b.other)
    const total = ofNode.reduce((sum, { edge }) => sum + (widths.get(edge.id) ?? 1), 0)
    shape.height = Math.max(BAR, Math.min(total, ROW - 4))
    // More thin edges than fit overlap evenly.
    const squeeze = Math.min(1, shape.height / total)
    let at = shape.y - (total * squeeze) / 2
    for (const { edge } of ofNode) {
      const width = (widths.get(edge.id) ?? 1) * squeeze
      ends.set(`${edge.id}|${id}`, at + width / 2)
      at += width
    }
  }
  return ends
}
