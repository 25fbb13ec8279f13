import { css, html, LitElement } from 'lit'
import type { Rate } from '../rates.ts'
import { sparkPaths } from '../sparkline.ts'
import { KEPT_FRAMES } from '../store.ts'

const WIDTH = 120
const HEIGHT = 32

/** The last seconds of a `series` of rates; decoration, the figures stand beside it. */
export class HomespinSparkline extends LitElement {
  static override properties = { series: { attribute: false } }
  declare series: readonly (Rate | undefined)[]

  static override styles = css`
    :host {
      display: block;
      height: 26px;
    }
    svg {
      display: block;
      width: 100%;
      height: 100%;
    }
    .received {
      fill: var(--hs-received);
    }
    .sent {
      fill: var(--hs-sent);
    }
    .base {
      stroke: var(--hs-line);
    }
  `

  constructor() {
    super()
    this.series = []
  }

  override render() {
    const { received, sent } = sparkPaths(this.series, KEPT_FRAMES, WIDTH, HEIGHT)
    const middle = HEIGHT / 2
    return html`
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
        <line class="base" x1="0" x2=${WIDTH} y1=${middle} y2=${middle}></line>
        <path class="received" d=${received}></path>
        <path class="sent" d=${sent}></path>
      </svg>
    `
  }
}

customElements.define('homespin-sparkline', HomespinSparkline)
