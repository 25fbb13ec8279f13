import { css, html, LitElement, nothing } from 'lit'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { closeIcon, downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { isSelected, remoteOf } from '../links.ts'
import { activeDevices, currentRate, rateSeries } from '../rates.ts'
import type { PanelState } from '../store.ts'
import { sharedStyles } from '../styles.ts'
import './homespin-sparkline.ts'

/** The home, or the selected device, at a glance: what goes in and out now, and how much is going on. */
export class HomespinSummary extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    state: { attribute: false },
    selection: { attribute: false },
    isLive: { attribute: false },
    whose: { attribute: false },
  }
  declare i18n: I18n
  declare state: PanelState
  declare selection: Selection
  declare isLive: boolean
  /** Name of the selected device as it is drawn, where nothing else says it; else undefined. */
  declare whose: string | undefined

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        grid-template-columns: auto auto minmax(120px, 1fr) auto auto auto;
        align-items: center;
        gap: 8px 28px;
        padding: 12px 20px;
      }
      dt {
        font-size: 12px;
        color: var(--hs-muted);
        white-space: nowrap;
      }
      dd {
        font-size: 21px;
        font-weight: 600;
        letter-spacing: -0.015em;
        line-height: 1.25;
        white-space: nowrap;
      }
      .rate dd {
        min-width: 118px;
      }
      .rate svg {
        margin-inline-end: 3px;
      }
      .of {
        font-size: 13px;
        font-weight: 400;
        color: var(--hs-muted);
        letter-spacing: 0;
      }
      homespin-sparkline {
        height: 44px;
      }
      .whose {
        grid-column: 1 / -1;
        display: flex;
        min-width: 0;
        flex: 1 0 100%;
      }
      .whose button {
        display: inline-flex;
        align-items: center;
        gap: 8px;
        max-width: 100%;
        min-height: 28px;
        padding: 0 11px;
        border: 1px solid var(--hs-line);
        border-radius: 14px;
        background: var(--hs-raised);
        font-weight: 600;
      }
      .unknown dd {
        color: var(--hs-muted);
      }
      @media (max-width: 1180px) {
        .card {
          gap: 8px 20px;
        }
      }
      @media (max-width: 860px) {
        .card {
          display: flex;
          flex-wrap: wrap;
          padding: 12px 14px;
          gap: 8px 12px;
        }
        .rate {
          flex: 1 1 44%;
        }
        :host([compact]) :is(.fact, homespin-sparkline) {
          display: none;
        }
        homespin-sparkline {
          flex: 1 0 100%;
          height: 34px;
        }
        .fact {
          flex: 1 1 auto;
        }
        .fact dd {
          font-size: 17px;
        }
      }
    `,
  ]

  override render() {
    const { i18n, state, selection, isLive } = this
    const series = rateSeries(state.frames, selection.device_id)
    const now = isLive ? currentRate(series) : undefined
    const counts = this.#counts()
    const rate = (bytes: number | undefined): string =>
      bytes === undefined ? '–' : i18n.rate(bytes)
    return html`
      <dl class="card ${now === undefined ? 'unknown' : ''}">
        ${this.#whose()}
        <div class="rate">
          <dt><span class="received">${downIcon}</span>${i18n.t('received_now')}</dt>
          <dd>${rate(now?.received)}</dd>
        </div>
        <div class="rate">
          <dt><span class="sent">${upIcon}</span>${i18n.t('sent_now')}</dt>
          <dd>${rate(now?.sent)}</dd>
        </div>
        <homespin-sparkline .series=${series} title=${i18n.t('last_minute')}></homespin-sparkline>
        ${
          selection.device_id === undefined
            ? html`
                <div class="fact">
                  <dt>${i18n.t('active_devices')}</dt>
                  <dd>
                    ${isLive ? i18n.number(activeDevices(state)) : '–'}
                    <span class="of">${i18n.t('of', { n: i18n.number(state.devices.size) })}</span>
                  </dd>
                </div>
              `
            : nothing
        }
        <div class="fact">
          <dt>${i18n.t('open_connections')}</dt>
          <dd>${isLive ? i18n.number(counts.open) : '–'}</dd>
        </div>
        <div class="fact">
          <dt>${i18n.t('remotes_seen')}</dt>
          <dd>${isLive ? i18n.number(counts.remotes) : '–'}</dd>
        </div>
      </dl>
    `
  }

  #whose() {
    const { i18n, whose, selection } = this
    if (whose === undefined) return nothing
    const { device_id: _, ...rest } = selection
    return html`
      <div class="whose">
        <dt class="hidden-text">${i18n.t('device')}</dt>
        <dd class="clip">
          <button
            type="button"
            class="plain"
            title=${i18n.t('clear_device')}
            aria-label="${whose}: ${i18n.t('clear_device')}"
            @click=${() => select(this, rest)}
          >
            <bdi class="clip">${whose}</bdi>${closeIcon}
          </button>
        </dd>
      </div>
    `
  }

  #counts(): { open: number; remotes: number } {
    const remotes = new Set<string>()
    let open = 0
    for (const { flow } of this.state.flows.values()) {
      if (!isSelected(flow, this.selection)) continue
      if (flow.state !== 'closed') open += 1
      if (flow.direction !== 'local') remotes.add(remoteOf(flow))
    }
    return { open, remotes: remotes.size }
  }
}

customElements.define('homespin-summary', HomespinSummary)
