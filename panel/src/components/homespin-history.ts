import type { PropertyValues } from 'lit'
import { css, html, LitElement, nothing } from 'lit'
import type { HistoryPoint } from '../../../protocol/http.ts'
import type { Api } from '../api.ts'
import { historyOption, isDamaged, pointAt } from '../charts/history-option.ts'
import type { ChartPoint } from '../charts/homespin-chart.ts'
import type { SpanData } from '../history-load.ts'
import { loadSpan } from '../history-load.ts'
import type { Span } from '../history-span.ts'
import { SPANS, STEP_MS, sumOf } from '../history-span.ts'
import type { I18n, Key } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import type { Palette } from '../palette.ts'
import { sharedStyles } from '../styles.ts'
import '../charts/homespin-chart.ts'
import './homespin-remotes.ts'

const REFRESH_MS = 60_000
const RETRY_MS = 15_000

/** Traffic over time of the home or a device, and the remotes of the same span. */
export class HomespinHistory extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    api: { attribute: false },
    selection: { attribute: false },
    palette: { attribute: false },
    isStill: { attribute: false },
    nowMs: { attribute: false },
    span: { state: true },
    data: { state: true },
    failure: { state: true },
    width: { state: true },
    point: { state: true },
  }
  declare i18n: I18n
  declare api: Api
  declare selection: Selection
  declare palette: Palette
  declare isStill: boolean
  /** By the agent's clock; 0 while it is not known. */
  declare nowMs: number
  declare span: Span
  declare data: SpanData | undefined
  declare failure: string | undefined
  declare width: number
  declare point: ChartPoint | null

  static override styles = [
    sharedStyles,
    css`
      .sums {
        display: flex;
        gap: 14px;
        font-size: 13px;
      }
      .legend,
      .kept {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 14px;
        padding: 0 16px 10px;
        color: var(--hs-muted);
        font-size: 12px;
      }
      .kept {
        padding: 8px 16px 12px;
      }
      .key {
        display: inline-block;
        width: 9px;
        height: 9px;
        border-radius: 2px;
        margin-inline-end: 5px;
      }
      .key.in {
        background: var(--hs-received);
      }
      .key.out {
        background: var(--hs-sent);
      }
      .key.part {
        background: color-mix(in srgb, var(--hs-received) 42%, transparent);
        border-bottom: 3px solid var(--hs-warn);
      }
      .key.none {
        width: 14px;
        background: repeating-linear-gradient(
          -45deg,
          var(--hs-faint) 0 1.2px,
          var(--hs-raised) 1.2px 4px
        );
        border: 1px solid var(--hs-faint);
      }
      .chart {
        padding: 0 8px;
      }
      @media (max-width: 340px) {
        .segments button {
          padding: 0 6px;
          font-size: 12.5px;
        }
      }
      .stale {
        opacity: 0.5;
      }
      .failure {
        display: flex;
        gap: 12px;
        align-items: center;
        justify-content: center;
      }
    `,
  ]

  #abort: AbortController | undefined
  #askedFor = ''
  #askedAt = 0

  constructor() {
    super()
    this.span = 'day'
    this.width = 0
    this.point = null
    this.nowMs = 0
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#abort?.abort()
    this.#askedFor = ''
  }

  // The clock alone changes nothing that is drawn, and a chart is dear to draw.
  override shouldUpdate(changed: PropertyValues<this>): boolean {
    const isOfClock = changed.size === 1 && changed.has('nowMs')
    if (isOfClock) void this.updateComplete.then(() => this.#ask())
    return !isOfClock
  }

  override updated(changed: PropertyValues<this>): void {
    if (
      changed.has('nowMs') ||
      changed.has('span') ||
      changed.has('selection') ||
      changed.has('api')
    ) {
      this.#ask()
    }
  }

  #ask(again = false): void {
    if (this.nowMs === 0 || this.api === undefined) return
    const wanted = `${this.span} ${this.selection.device_id ?? ''}`
    const age = performance.now() - this.#askedAt
    const isFresh = wanted === this.#askedFor && age < (this.failure ? RETRY_MS : REFRESH_MS)
    if (isFresh && !again) return
    if (wanted !== this.#askedFor) this.data = undefined
    this.#askedFor = wanted
    this.#askedAt = performance.now()
    void this.#load()
  }

  async #load(): Promise<void> {
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    try {
      const { api, span, selection, nowMs } = this
      const data = await loadSpan(api, span, selection.device_id, nowMs, abort.signal)
      if (abort.signal.aborted) return
      this.data = data
      this.failure = undefined
    } catch (error) {
      if (!abort.signal.aborted)
        this.failure = error instanceof Error ? error.message : String(error)
    }
  }

  override render() {
    const { i18n, data } = this
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('history')}</h2>
          ${data ? this.#sums(data) : nothing}
          <div class="segments" role="group" aria-label=${i18n.t('span')}>
            ${SPANS.map(
              (span) => html`
                <button
                  type="button"
                  aria-pressed=${this.span === span ? 'true' : 'false'}
                  @click=${() => {
                    this.span = span
                  }}
                >
                  ${i18n.t(`span_${span}`)}
                </button>
              `,
            )}
          </div>
        </div>
        ${this.failure ? this.#failure(this.failure) : nothing}
        ${!data && !this.failure ? html`<p class="empty">${i18n.t('loading')}</p>` : nothing}
        ${data ? this.#body(data) : nothing}
      </section>
    `
  }

  #failure(reason: string) {
    const { i18n } = this
    return html`
      <p class="empty failure" role="alert">
        ${i18n.t('history_failed', { reason })}
        <button type="button" class="field" @click=${() => this.#ask(true)}>${i18n.t('retry')}</button>
      </p>
    `
  }

  #sums(data: SpanData) {
    const { i18n } = this
    const sum = sumOf(data.points)
    return html`
      <span class="sums">
        <span title=${i18n.t('received')}>
          <span class="received">${downIcon}</span> ${i18n.bytes(sum.received_bytes)}
        </span>
        <span title=${i18n.t('sent')}><span class="sent">${upIcon}</span> ${i18n.bytes(sum.sent_bytes)}</span>
      </span>
    `
  }

  #body(data: SpanData) {
    const { i18n } = this
    if (data.points.length === 0) {
      return html`
        <p class="empty"><strong>${i18n.t('history_empty')}</strong>${i18n.t('history_empty_hint')}</p>
        ${this.#kept(data)}
      `
    }
    const hovered =
      this.point?.x_value === undefined ? undefined : pointAt(data, this.point.x_value)
    const sum = sumOf(data.points)
    const option = historyOption(data, {
      palette: this.palette,
      i18n,
      isStill: this.isStill,
      isNarrow: this.width < 560,
      focus_ms: hovered?.time_ms,
    })
    const label = i18n.t('history_label', {
      received: i18n.bytes(sum.received_bytes),
      sent: i18n.bytes(sum.sent_bytes),
    })
    return html`
      ${this.#legend(data)}
      <div class="chart ${this.failure ? 'stale' : ''}">
        <homespin-chart
          .option=${option}
          .height=${this.width < 560 ? 210 : 250}
          .label=${label}
          @chart-width=${(event: CustomEvent<number>) => {
            this.width = event.detail
          }}
          @chart-point=${(event: CustomEvent<ChartPoint | null>) => {
            this.point = event.detail
          }}
        >
          <div slot="tip">${this.#tip(data, hovered)}</div>
        </homespin-chart>
      </div>
      ${this.#kept(data)}
      <homespin-remotes .i18n=${i18n} .remotes=${data.remotes} .selection=${this.selection}></homespin-remotes>
    `
  }

  #legend(data: SpanData) {
    const { i18n } = this
    const key = (look: string, text: Key, title = '') =>
      html`<span title=${title}><span class="key ${look}"></span>${i18n.t(text)}</span>`
    return html`
      <p class="legend">
        ${key('in', 'received')} ${key('out', 'sent')}
        ${data.points.some((point) => isDamaged(data, point)) ? key('part', 'incomplete', i18n.t('incomplete_hint')) : nothing}
        ${data.gaps.length > 0 ? key('none', 'no_data') : nothing}
        <span>${i18n.t(perStep(data.plan.step_ms))}</span>
      </p>
    `
  }

  #tip(data: SpanData, hovered: HistoryPoint | undefined) {
    const { i18n } = this
    if (hovered === undefined) return html`<span class="muted">${i18n.t('no_data')}</span>`
    const isDay = data.plan.step_ms >= STEP_MS.day
    return html`
      <strong>${isDay ? i18n.tick(hovered.time_ms, STEP_MS.day) : i18n.moment(hovered.time_ms)}</strong>
      <div><span class="received">${downIcon}</span> ${i18n.bytes(hovered.received_bytes)}</div>
      <div><span class="sent">${upIcon}</span> ${i18n.bytes(hovered.sent_bytes)}</div>
      ${hovered.complete ? nothing : html`<div class="muted">${i18n.t(isDamaged(data, hovered) ? 'incomplete_hint' : 'bucket_running')}</div>`}
    `
  }

  #kept({ kept_from_ms }: SpanData) {
    const { i18n } = this
    const parts = (['minute', 'hour', 'day'] as const).flatMap((resolution) => {
      const from = kept_from_ms[resolution]
      return from === undefined
        ? []
        : [i18n.t(`goes_back_${resolution}`, { when: i18n.since(from) })]
    })
    if (parts.length === 0) return nothing
    return html`<p class="kept">${i18n.t('goes_back', { list: parts.join(' · ') })}</p>`
  }
}

function perStep(step_ms: number): Key {
  if (step_ms >= STEP_MS.day) return 'per_day'
  if (step_ms >= STEP_MS.hour) return 'per_hour'
  return step_ms > STEP_MS.minute ? 'per_ten_minutes' : 'per_minute'
}

customElements.define('homespin-history', HomespinHistory)
