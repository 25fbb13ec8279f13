// A line of bars beside a device: decoration, the figures stand beside it.
import { svg } from 'lit'
import type { Rate } from '../rates.ts'
import { sparkPaths } from '../sparkline.ts'

const WIDTH = 120
const HEIGHT = 28

/** Draws `series`, oldest first, in `slots` columns. */
export function sparkline(series: readonly (Rate | undefined)[], slots: number) {
  const { received, sent } = sparkPaths(series, slots, WIDTH, HEIGHT)
  const middle = HEIGHT / 2
  return svg`
    <svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      <line class="base" x1="0" x2=${WIDTH} y1=${middle} y2=${middle}></line>
      <path class="in" d=${received}></path>
      <path class="out" d=${sent}></path>
    </svg>
  `
}
