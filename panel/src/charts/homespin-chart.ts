// A canvas that shows a chart: owns the ECharts instance, its size and its pointer; what it shows comes from outside.
import { css, html, LitElement } from 'lit'
import { define } from '../define.ts'
import { sharedStyles } from '../styles.ts'
import type { ChartOption, EChartsType } from './echarts.ts'
import { initChart } from './echarts.ts'

/** An item of a series. */
export interface ChartItem {
  series: string
  index: number
}

/** Where the pointer is: on an item, and over which value of the x axis where there is one. */
export interface ChartPoint {
  item?: ChartItem
  x_value?: number
}

declare global {
  interface HTMLElementTagNameMap {
    'homespin-chart': HomespinChart
  }
}

/**
 * `option` and `height` (CSS pixels) in; `chart-point` (a `ChartPoint`, or null when the pointer left), `chart-pick`
 * (a `ChartItem`) and `chart-width` (CSS pixels) out. The slot `tip` follows the pointer.
 */
export class HomespinChart extends LitElement {
  static override properties = {
    option: { attribute: false },
    height: { type: Number },
    label: { type: String },
    hasTip: { state: true },
  }
  declare option: ChartOption | undefined
  declare height: number
  declare label: string
  declare hasTip: boolean

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: block;
        position: relative;
      }
      .canvas {
        width: 100%;
        overflow: hidden;
        touch-action: pan-y;
      }
      .tip {
        position: absolute;
        inset: 0 auto auto 0;
        z-index: 2;
        pointer-events: none;
        max-width: min(300px, 80%);
        padding: 8px 11px;
        border: 1px solid var(--hs-line);
        border-radius: 9px;
        background: var(--hs-surface);
        box-shadow: 0 6px 20px rgb(0 0 0 / 16%);
        font-size: 12.5px;
      }
    `,
  ]

  #chart: EChartsType | undefined
  #resize: ResizeObserver | undefined
  #width = 0

  constructor() {
    super()
    this.height = 240
    this.label = ''
    this.hasTip = false
  }

  override connectedCallback(): void {
    super.connectedCallback()
    void this.updateComplete.then(() => this.#watch())
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#resize?.disconnect()
    this.#resize = undefined
    this.#chart?.dispose()
    this.#chart = undefined
    this.#width = 0
  }

  override render() {
    return html`
      <div class="canvas" role="img" aria-label=${this.label}></div>
      <div class="tip" ?hidden=${!this.hasTip}><slot name="tip"></slot></div>
    `
  }

  override updated(): void {
    const canvas = this.#canvas()
    // Through the CSSOM: the content security policy forbids style attributes.
    canvas.style.height = `${this.height}px`
    this.#draw()
  }

  #canvas(): HTMLElement {
    return this.renderRoot.querySelector('.canvas') as HTMLElement
  }

  #watch(): void {
    if (!this.isConnected || this.#resize !== undefined) return
    this.#resize = new ResizeObserver(() => this.#fit())
    this.#resize.observe(this.#canvas())
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.#canvas()
    if (clientWidth === 0 || clientHeight === 0) return
    if (this.#chart === undefined) this.#open()
    this.#chart?.resize({ width: clientWidth, height: clientHeight })
    if (clientWidth !== this.#width) {
      this.#width = clientWidth
      this.dispatchEvent(new CustomEvent('chart-width', { detail: clientWidth }))
    }
    this.#draw()
  }

  #open(): void {
    const chart = initChart(this.#canvas(), undefined, { renderer: 'canvas' })
    this.#chart = chart
    const toItem = (params: unknown): ChartItem => {
      const { seriesId, dataIndex } = params as { seriesId: string; dataIndex: number }
      return { series: seriesId, index: dataIndex }
    }
    chart.on('click', (params) => {
      this.dispatchEvent(new CustomEvent('chart-pick', { detail: toItem(params) }))
    })
    chart.on('mousemove', (params) => {
      const { offsetX, offsetY } = (
        params as unknown as { event: { offsetX: number; offsetY: number } }
      ).event
      this.#point({ item: toItem(params) }, offsetX, offsetY)
    })
    const zr = chart.getZr()
    zr.on('mousemove', ({ target, offsetX, offsetY }) => {
      if (target !== undefined && target !== null) return
      const isInside =
        this.option?.grid !== undefined && chart.containPixel('grid', [offsetX, offsetY])
      const at = isInside ? chart.convertFromPixel('grid', [offsetX, offsetY])[0] : undefined
      this.#point(at === undefined ? null : { x_value: at }, offsetX, offsetY)
    })
    zr.on('globalout', () => this.#point(null, 0, 0))
  }

  #draw(): void {
    // A chart in a view that is not shown has no size: it is drawn when it gets one.
    if (this.option === undefined || this.#chart === undefined) return
    this.#chart.setOption(this.option, { replaceMerge: ['series'], lazyUpdate: true })
  }

  #point(point: ChartPoint | null, x: number, y: number): void {
    this.hasTip = point !== null
    this.dispatchEvent(new CustomEvent('chart-point', { detail: point }))
    if (point !== null)
      void this.updateComplete.then(() => requestAnimationFrame(() => this.#placeTip(x, y)))
  }

  #placeTip(x: number, y: number): void {
    const tip = this.renderRoot.querySelector('.tip') as HTMLElement
    const { offsetWidth, offsetHeight } = tip
    const left = x + 16 + offsetWidth > this.#width ? Math.max(0, x - 14 - offsetWidth) : x + 16
    const below = y + 16 + offsetHeight > this.height ? y - 12 - offsetHeight : y + 16
    const top = Math.max(0, below)
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`
  }
}

define('homespin-chart', HomespinChart)
