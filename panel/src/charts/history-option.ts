// Traffic over time as ECharts options: received upwards, sent downwards, one pair of bars a bucket. A bucket that is
// absent stays open and shaded; one that is incomplete is pale and has a mark below it.
import type { HistoryPoint } from '../../../protocol/http.ts'
import type { SpanData } from '../history-load.ts'
import type { I18n } from '../i18n.ts'
import type { Palette } from '../palette.ts'
import type { ChartOption, CustomSeriesOption } from './echarts.ts'

type RenderItem = NonNullable<CustomSeriesOption['renderItem']>

/** The least number of bytes that the axis goes up to. */
const SMALLEST_TOP = 100

/** What the drawing needs besides the data. */
export interface HistoryLook {
  palette: Palette
  i18n: I18n
  isStill: boolean
  isNarrow: boolean
  /** The bucket under the pointer. */
  focus_ms: number | undefined
}

/** Options for a span. */
export function historyOption(data: SpanData, look: HistoryLook): ChartOption {
  const { palette, i18n } = look
  const { plan, points, gaps } = data
  const bar = (part: 'received' | 'sent'): RenderItem => {
    return ({ dataIndex }, api) => {
      const point = points[dataIndex]
      if (point === undefined) return undefined
      const { x, width } = columnOf(api, point.time_ms, plan.step_ms)
      const bytes = part === 'received' ? point.received_bytes : -point.sent_bytes
      const zero = api.coord([point.time_ms, 0])[1] ?? 0
      const end = api.coord([point.time_ms, bytes])[1] ?? 0
      // Silence that was observed is a hairline; nothing at all is what was not observed.
      const height = Math.max(Math.abs(end - zero), bytes === 0 ? 0.75 : 1.5)
      const y = part === 'received' ? zero - height : zero
      const isFocus = look.focus_ms === undefined || look.focus_ms === point.time_ms
      return {
        type: 'rect',
        shape: { x, y, width, height },
        transition: ['shape'],
        style: {
          fill: part === 'received' ? palette.received : palette.sent,
          opacity: (point.complete ? 1 : 0.42) * (isFocus ? 1 : 0.5),
        },
      }
    }
  }
  const common = { type: 'custom', silent: true, clip: true } as const
  return {
    animation: false,
    grid: { left: look.isNarrow ? 56 : 68, right: 12, top: 10, bottom: 30 },
    xAxis: {
      type: 'time',
      min: plan.from_ms,
      max: plan.to_ms,
      splitNumber: look.isNarrow ? 3 : 8,
      axisLine: { show: false, onZero: false },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        color: palette.muted,
        fontSize: 11,
        hideOverlap: true,
        formatter: (time_ms: number) => i18n.tick(time_ms, plan.step_ms),
      },
    },
    yAxis: {
      type: 'value',
      splitNumber: 4,
      // A step is a byte at least, and silence with a ping in it is not drawn as high as a download.
      minInterval: 1,
      max: ({ max }) => (max < SMALLEST_TOP ? SMALLEST_TOP : undefined),
      axisLabel: {
        color: palette.muted,
        fontSize: 11,
        formatter: (bytes: number) => (bytes === 0 ? '0' : i18n.bytes(Math.abs(bytes))),
      },
      splitLine: { lineStyle: { color: palette.line } },
    },
    series: [
      {
        ...common,
        id: 'gaps',
        z: 1,
        data: gaps.map((gap) => [gap.from_ms, 0]),
        renderItem: gapItem(data, look),
      },
      { ...common, id: 'received', z: 2, data: values(points, 1), renderItem: bar('received') },
      { ...common, id: 'sent', z: 2, data: values(points, -1), renderItem: bar('sent') },
      {
        ...common,
        id: 'marks',
        z: 3,
        clip: false,
        data: values(points, 1),
        renderItem: markItem(data, look),
      },
    ],
  }
}

/** Whether a bucket lacks something that it will not get any more; the one that is still filling does not. */
export function isDamaged(
  { now_ms, plan }: SpanData,
  { complete, time_ms }: HistoryPoint,
): boolean {
  return !complete && time_ms + plan.step_ms <= now_ms
}

/** The bucket that `time_ms` lies in. */
export function pointAt(data: SpanData, time_ms: number): HistoryPoint | undefined {
  return data.points.find(
    (point) => time_ms >= point.time_ms && time_ms < point.time_ms + data.plan.step_ms,
  )
}

function values(points: readonly HistoryPoint[], sign: 1 | -1): [number, number][] {
  return points.map((point) => [point.time_ms, sign > 0 ? point.received_bytes : -point.sent_bytes])
}

function columnOf(
  api: Parameters<RenderItem>[1],
  time_ms: number,
  step_ms: number,
): { x: number; width: number } {
  const from = api.coord([time_ms, 0])[0] ?? 0
  const to = api.coord([time_ms + step_ms, 0])[0] ?? 0
  const space = to - from > 5 ? Math.min(4, (to - from) * 0.22) : to - from > 2.5 ? 0.75 : 0
  return { x: from + space / 2, width: Math.max(0.75, to - from - space) }
}

const hatches = new Map<string, { image: HTMLCanvasElement; repeat: 'repeat' }>()

/** Slanting lines: what is empty because nothing is known can't be taken for silence. */
function hatchOf({ raised, faint }: Palette): { image: HTMLCanvasElement; repeat: 'repeat' } {
  const key = `${raised} ${faint}`
  const known = hatches.get(key)
  if (known !== undefined) return known
  const image = document.createElement('canvas')
  image.width = image.height = 8
  const pen = image.getContext('2d')
  if (pen !== null) {
    pen.fillStyle = raised
    pen.fillRect(0, 0, 8, 8)
    pen.strokeStyle = faint
    pen.lineWidth = 1.2
    // Three lines, so that the corners join.
    pen.beginPath()
    for (const x of [-8, 0, 8]) {
      pen.moveTo(x, 8)
      pen.lineTo(x + 8, 0)
    }
    pen.stroke()
  }
  const hatch = { image, repeat: 'repeat' } as const
  hatches.set(key, hatch)
  return hatch
}

function gapItem({ gaps }: SpanData, { palette, i18n }: HistoryLook): RenderItem {
  return (params, api) => {
    const gap = gaps[params.dataIndex]
    if (gap === undefined) return undefined
    const area = params.coordSys as unknown as {
      x: number
      y: number
      width: number
      height: number
    }
    const from = Math.max(area.x, api.coord([gap.from_ms, 0])[0] ?? 0)
    const to = Math.min(area.x + area.width, api.coord([gap.to_ms, 0])[0] ?? 0)
    const width = Math.max(0, to - from)
    return {
      type: 'group',
      children: [
        {
          type: 'rect',
          shape: { x: from, y: area.y, width, height: area.height },
          style: { fill: hatchOf(palette) },
        },
        {
          type: 'text',
          ignore: width < 64,
          style: {
            text: i18n.t('no_data'),
            x: from + width / 2,
            y: area.y + area.height / 2,
            align: 'center',
            verticalAlign: 'middle',
            font: '400 12px system-ui, sans-serif',
            fill: palette.muted,
            backgroundColor: palette.surface,
            padding: [2, 5],
            borderRadius: 4,
          },
        },
      ],
    }
  }
}

function markItem(data: SpanData, { palette }: HistoryLook): RenderItem {
  const { points, plan } = data
  return (params, api) => {
    const point = points[params.dataIndex]
    if (point === undefined || !isDamaged(data, point)) return undefined
    const area = params.coordSys as unknown as { y: number; height: number }
    const { x, width } = columnOf(api, point.time_ms, plan.step_ms)
    return {
      type: 'rect',
      shape: { x, y: area.y + area.height + 1, width: Math.max(2, width), height: 3 },
      style: { fill: palette.warn },
    }
  }
}
