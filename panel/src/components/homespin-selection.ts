import { css, html, LitElement, nothing } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { Today } from '../device-list.ts'
import { shownName, shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { closeIcon, downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { sharedStyles } from '../styles.ts'

/** What the page is narrowed to: all that is known of the device, the remote, and the way back. */
export class HomespinSelection extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    device: { attribute: false },
    selection: { attribute: false },
    today: { attribute: false },
    tint: { attribute: false },
    nowMs: { attribute: false },
    isOpen: { state: true },
  }
  declare i18n: I18n
  declare device: Device | undefined
  declare selection: Selection
  declare today: Today
  declare tint: number | undefined
  declare nowMs: number
  /** On a phone the facts are folded until they are asked for. */
  declare isOpen: boolean

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 12px 16px;
      }
      .chips {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px;
      }
      .chip {
        display: inline-flex;
        align-items: center;
        gap: 8px;
        max-width: 100%;
        min-height: 32px;
        padding: 0 11px;
        border: 1px solid var(--hs-line);
        border-radius: 16px;
        background: var(--hs-raised);
        font-weight: 600;
      }
      .chip:hover {
        border-color: var(--hs-faint);
      }
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(170px, 1fr));
        gap: 10px 20px;
        margin-top: 12px;
      }
      .wide {
        grid-column: span 2;
      }
      dt {
        font-size: 12px;
        color: var(--hs-muted);
      }
      dd {
        overflow-wrap: anywhere;
      }
      .note {
        margin-top: 10px;
        color: var(--hs-muted);
        font-size: 12.5px;
      }
      .more {
        display: none;
        margin-inline-start: auto;
        color: var(--hs-accent);
        min-height: 32px;
      }
      .sum {
        white-space: nowrap;
      }
      @media (max-width: 860px) {
        .more {
          display: block;
        }
        .facts:not(.open) {
          display: none;
        }
      }
      @media (max-width: 420px) {
        dl {
          grid-template-columns: 1fr 1fr;
          gap: 8px 12px;
        }
      }
    `,
  ]

  constructor() {
    super()
    this.isOpen = false
  }

  override render() {
    const { i18n, device } = this
    return html`
      <section class="card" aria-label=${i18n.t('showing')}>
        <div class="chips">${this.#deviceChip()} ${this.#remoteChip()} ${device ? this.#more() : nothing}</div>
        <div class="facts ${this.isOpen ? 'open' : ''}">${device ? this.#facts(device) : nothing}</div>
      </section>
    `
  }

  #more() {
    return html`
      <button
        type="button"
        class="plain more"
        aria-expanded=${this.isOpen ? 'true' : 'false'}
        @click=${() => {
          this.isOpen = !this.isOpen
        }}
      >
        ${this.i18n.t(this.isOpen ? 'facts_less' : 'facts_more')}
      </button>
    `
  }

  #deviceChip() {
    const { i18n, device, selection, tint } = this
    if (selection.device_id === undefined) return nothing
    const name = shownName(device?.name, selection.device_id)
    const rest = selection.remote === undefined ? {} : { remote: selection.remote }
    return html`
      <button
        type="button"
        class="plain chip"
        title="${i18n.t('clear_device')} (${name.title})"
        aria-label="${name.text}: ${i18n.t('clear_device')}"
        @click=${() => select(this, rest)}
      >
        <span class="dot tint-${tint ?? 0}"></span><bdi class="clip">${name.text}</bdi>${closeIcon}
      </button>
    `
  }

  #remoteChip() {
    const { i18n, selection } = this
    if (selection.remote === undefined) return nothing
    const name = shownRemote(selection.remote)
    const rest = selection.device_id === undefined ? {} : { device_id: selection.device_id }
    return html`
      <button
        type="button"
        class="plain chip"
        title="${i18n.t('clear_remote')} (${name.title})"
        aria-label="${name.text}: ${i18n.t('clear_remote')}"
        @click=${() => select(this, rest)}
      >
        <bdi class="clip">${name.text}</bdi>${closeIcon}
      </button>
    `
  }

  #facts(device: Device) {
    const { i18n, nowMs } = this
    const since = this.today.get(device.id)
    const vendor = shownName(device.vendor, i18n.t('vendor_unknown'))
    const fact = (label: string, value: unknown, look = '') =>
      html`<div class=${look}><dt>${label}</dt><dd>${value}</dd></div>`
    const bytes = (total: { sent_bytes: number; received_bytes: number }) => html`
      <span class="sum">
        <span class="received">${downIcon}</span> ${i18n.bytes(total.received_bytes)}
      </span>
      <span class="sum"><span class="sent">${upIcon}</span> ${i18n.bytes(total.sent_bytes)}</span>
    `
    return html`
      <dl>
        ${fact(i18n.t('vendor'), html`<bdi title=${vendor.title}>${vendor.text}</bdi>`)}
        ${fact(i18n.t('name_from'), i18n.t(`name_${device.name_source}`))}
        ${device.mac ? fact(i18n.t('mac'), device.mac) : nothing}
        ${since ? fact(i18n.t('sort_today'), bytes(since)) : nothing}
        ${fact(i18n.t('sort_total'), bytes(device))}
        ${fact(i18n.t('seen'), i18n.ago(nowMs - device.last_seen_ms))}
        ${fact(i18n.t('first_seen'), i18n.moment(device.first_seen_ms))}
        ${fact(i18n.t('addresses'), device.ips.join(', '), device.ips.length > 1 ? 'wide' : '')}
      </dl>
      ${device.random_mac ? html`<p class="note">${i18n.t('badge_random_hint')}</p>` : nothing}
      ${device.shared ? html`<p class="note">${i18n.t('badge_shared_hint')}</p>` : nothing}
    `
  }
}

customElements.define('homespin-selection', HomespinSelection)
