// The map as ECharts options: two custom series that draw the shapes of the layout.
import type { Palette } from '../palette.ts'
import type { ChartOption, CustomSeriesOption } from './echarts.ts'
import type { EdgeShape, MapLayout, NodeShape } from './map-layout.ts'
import type { MapNode } from './map-model.ts'

/** What the drawing needs besides the shapes. */
export interface MapLook {
  palette: Palette
  /** Label of a node, made safe to draw. */
  label(shape: NodeShape): string
  /** Colour of a node or, for an edge, of the device it begins at. */
  color(nodeId: string): string
  /** Node under the pointer, or chosen. */
  focus: string | undefined
  isStill: boolean
}

type RenderItem = NonNullable<CustomSeriesOption['renderItem']>

/** The font of a node's label, which is cut to fit before it is drawn. */
export function fontOf(kind: MapNode['kind'] | undefined): string {
  return `${kind === 'device' ? 600 : 400} 12px system-ui, sans-serif`
}

/** Ids of the two series. */
export const EDGES = 'edges'
export const NODES = 'nodes'

/** Options for a layout. Items are in the order of `layout.edges` and `layout.nodes`. */
export function mapOption(layout: MapLayout, look: MapLook): ChartOption {
  const isDim = (ids: readonly string[]): boolean =>
    look.focus !== undefined && !ids.includes(look.focus)
  const neighbours = new Set(
    layout.edges
      .filter(({ edge }) => edge.from === look.focus || edge.to === look.focus)
      .flatMap(({ edge }) => [edge.from, edge.to]),
  )
  const drawEdge: RenderItem = ({ dataIndex }) => {
    const shape = layout.edges[dataIndex]
    return shape && edgeItem(shape, look, isDim([shape.edge.from, shape.edge.to]))
  }
  const drawNode: RenderItem = ({ dataIndex }) => {
    const shape = layout.nodes[dataIndex]
    if (shape === undefined) return undefined
    return nodeItem(shape, look, isDim([shape.node.id]) && !neighbours.has(shape.node.id))
  }
  const common = { type: 'custom', coordinateSystem: 'none', clip: false } as const
  return {
    animation: !look.isStill,
    animationDuration: 250,
    animationDurationUpdate: 450,
    animationEasingUpdate: 'cubicOut',
    series: [
      {
        ...common,
        id: EDGES,
        z: 1,
        renderItem: drawEdge,
        data: layout.edges.map(({ edge }, index) => ({ id: edge.id, value: [index] })),
      },
      {
        ...common,
        id: NODES,
        z: 2,
        renderItem: drawNode,
        data: layout.nodes.map(({ node }, index) => ({ id: node.id, value: [index] })),
      },
    ],
  }
}

function edgeItem(shape: EdgeShape, look: MapLook, isDim: boolean): ReturnType<RenderItem> {
  const { edge, width, x1, y1, x2, y2, cpx1, cpy1, cpx2, cpy2 } = shape
  const opacity = isDim ? 0.06 : edge.rate > 0 ? 0.72 : 0.28
  return {
    type: 'bezierCurve',
    shape: { x1, y1, x2, y2, cpx1, cpy1, cpx2, cpy2, percent: 1 },
    transition: ['shape', 'style'],
    style: {
      fill: 'none',
      stroke: look.color(edge.from),
      lineWidth: width,
      lineDash: edge.is_local ? [5, 4] : undefined,
      opacity,
    },
  }
}

function nodeItem(shape: NodeShape, look: MapLook, isDim: boolean): ReturnType<RenderItem> {
  const { node, side, x, y, width, height } = shape
  const isQuiet = node.kind.startsWith('other_') || node.kind === 'lan'
  const left = side === 'left' ? 0 : x
  return {
    type: 'group',
    children: [
      {
        // The whole row answers to the pointer.
        type: 'rect',
        shape: {
          x: left,
          y: y - shape.row / 2,
          width: side === 'left' ? x + width : shape.label_width + 15,
          height: shape.row,
        },
        style: { fill: 'transparent' },
      },
      {
        type: 'rect',
        shape: { x, y: y - height / 2, width, height, r: 2 },
        transition: ['shape'],
        style: { fill: look.color(node.id), opacity: isDim ? 0.25 : 1 },
      },
      {
        type: 'text',
        style: {
          text: look.label(shape),
          x: shape.label_x,
          y,
          align: side === 'left' ? 'right' : 'left',
          verticalAlign: 'middle',
          font: fontOf(node.kind),
          fill: isQuiet ? look.palette.muted : look.palette.ink,
          opacity: isDim ? 0.35 : 1,
        },
      },
    ],
  }
}
