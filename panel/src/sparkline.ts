// Paths of a sparkline: received above the middle, sent below it. Unknown seconds leave a hole.
import type { Rate } from './rates.ts'

/** Two SVG path descriptions in a box of `width` × `height`. */
export interface SparkPaths {
  received: string
  sent: string
}

/** Draws `series` (oldest first) right-aligned in `slots` columns. The scale is that of its own largest value. */
export function sparkPaths(
  series: readonly (Rate | undefined)[],
  slots: number,
  width: number,
  height: number,
): SparkPaths {
  const known = series.filter((rate) => rate !== undefined)
  // A floor under the scale: a single ping is not drawn as if it were a download.
  const most = Math.max(400, ...known.map((rate) => Math.max(rate.received, rate.sent)))
  const middle = height / 2
  const step = width / slots
  const start = slots - series.length
  const rise = (bytes: number): number => Math.sqrt(bytes / most) * (middle - 0.5)
  let received = ''
  let sent = ''
  series.forEach((rate, index) => {
    if (rate === undefined) return
    const x = round((start + index) * step)
    const w = round(Math.max(0.6, step * 0.78))
    received += bar(x, middle, w, -Math.max(rise(rate.received), 0.25))
    sent += bar(x, middle, w, Math.max(rise(rate.sent), 0.25))
  })
  return { received, sent }
}

function bar(x: number, y: number, width: number, height: number): string {
  return `M${x} ${y}v${round(height)}h${width}V${y}z`
}

function round(n: number): number {
  return Math.round(n * 100) / 100
}
