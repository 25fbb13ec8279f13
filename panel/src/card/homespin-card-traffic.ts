import { css, html, LitElement, nothing } from 'lit'
import { HISTORY_POINT_MS } from '../../../protocol/home-assistant.ts'
import type { HistoryPoint } from '../../../protocol/http.ts'
import { historyOption, pointAt } from '../charts/history-option.ts'
import type { ChartPoint } from '../charts/homespin-chart.ts'
import { define } from '../define.ts'
import { sumOf } from '../history-span.ts'
import type { I18n } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Palette } from '../palette.ts'
import { sharedStyles } from '../styles.ts'
import '../charts/homespin-chart.ts'
import { spanOf } from './card-history.ts'

/** The last 24 hours in half hours, of a device or of several together. */
export class HomespinCardTraffic extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    points: { attribute: false },
    palette: { attribute: false },
    bucketMs: { attribute: false },
    height: { type: Number },
    width: { state: true },
    point: { state: true },
  }
  declare i18n: I18n
  declare points: readonly HistoryPoint[]
  declare palette: Palette
  /** When the bucket that is filling began: the chart is drawn anew with each. */
  declare bucketMs: number
  declare height: number
  declare width: number
  declare point: ChartPoint | null

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: block;
        font: inherit;
      }
      homespin-chart {
        font: inherit;
        margin-inline: -8px -4px;
      }
      .none {
        padding: 10px 0;
        font-size: 13px;
        color: var(--hs-muted);
      }
    `,
  ]

  constructor() {
    super()
    this.points = []
    this.height = 150
    this.width = 0
    this.point = null
    this.bucketMs = 0
  }

  override render() {
    const { i18n, points, palette } = this
    if (points.length === 0) {
      return html`<p class="none">${i18n.t('card_no_history')}. ${i18n.t('card_no_history_hint')}</p>`
    }
    // In the middle of the bucket: which one is the last does not depend on the second.
    const data = spanOf(points, this.bucketMs + HISTORY_POINT_MS - 1)
    const hovered =
      this.point?.x_value === undefined ? undefined : pointAt(data, this.point.x_value)
    const sum = sumOf(data.points)
    const plain = historyOption(data, {
      palette,
      i18n,
      isStill: true,
      isNarrow: this.width < 560,
      focus_ms: hovered?.time_ms,
    })
    const option = {
      ...plain,
      grid: { ...plain.grid, bottom: 22 },
      textStyle: { fontFamily: getComputedStyle(this).fontFamily },
    }
    const label = i18n.t('history_label', {
      received: i18n.bytes(sum.received_bytes),
      sent: i18n.bytes(sum.sent_bytes),
    })
    return html`
      <homespin-chart
        .option=${option}
        .height=${this.height}
        .label=${label}
        @chart-width=${(event: CustomEvent<number>) => {
          this.width = event.detail
        }}
        @chart-point=${(event: CustomEvent<ChartPoint | null>) => {
          this.point = event.detail
        }}
      >
        <div slot="tip">${this.#tip(hovered)}</div>
      </homespin-chart>
    `
  }

  #tip(hovered: HistoryPoint | undefined) {
    const { i18n } = this
    if (hovered === undefined) return html`<span class="muted">${i18n.t('no_data')}</span>`
    const { time_ms, received_bytes, sent_bytes } = hovered
    const isRunning = time_ms === this.bucketMs
    return html`
      <strong>${i18n.moment(time_ms)}</strong>
      <div><span class="received">${downIcon}</span> ${i18n.bytes(received_bytes)}</div>
      <div><span class="sent">${upIcon}</span> ${i18n.bytes(sent_bytes)}</div>
      ${isRunning ? html`<div class="muted">${i18n.t('bucket_running')}</div>` : nothing}
    `
  }
}

define('homespin-card-traffic', HomespinCardTraffic)
