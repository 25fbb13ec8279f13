import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Device } from '../../../protocol/messages.ts'
import type { Sort, Today } from '../device-list.ts'
import { listDevices, SORTS } from '../device-list.ts'
import { shownName } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { bytesOf } from '../links.ts'
import { currentRate, rateSeries } from '../rates.ts'
import { closureOf } from '../rule-text.ts'
import type { PanelState } from '../store.ts'
import { sharedStyles } from '../styles.ts'
import './homespin-sparkline.ts'

// More rows than this are found by searching; drawing them each second would only heat the phone.
const MAX_ROWS = 150

const NOW_MS = 15_000

/** The devices: searched, sorted, one of them chosen. */
export class HomespinDevices extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    state: { attribute: false },
    today: { attribute: false },
    tints: { attribute: false },
    selection: { attribute: false },
    isLive: { attribute: false },
    nowMs: { attribute: false },
    query: { state: true },
    sort: { state: true },
  }
  declare i18n: I18n
  declare state: PanelState
  declare today: Today
  declare tints: ReadonlyMap<string, number>
  declare selection: Selection
  declare isLive: boolean
  declare nowMs: number
  declare query: string
  declare sort: Sort

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      .controls {
        display: flex;
        gap: 8px;
        padding: 0 16px 10px;
      }
      input {
        flex: 1;
        min-width: 0;
      }
      ul {
        overflow-y: auto;
        flex: 1;
        min-height: 0;
        scrollbar-width: thin;
        border-top: 1px solid var(--hs-line);
      }
      li + li {
        border-top: 1px solid var(--hs-line);
      }
      .row {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 76px 90px;
        gap: 1px 12px;
        width: 100%;
        padding: 9px 16px;
        border-inline-start: 3px solid transparent;
      }
      .row:hover {
        background: var(--hs-raised);
      }
      .row[aria-pressed='true'] {
        background: color-mix(in srgb, var(--hs-accent) 11%, transparent);
        border-inline-start-color: var(--hs-accent);
      }
      .row:focus-visible {
        outline-offset: -2px;
      }
      .name {
        display: flex;
        align-items: center;
        gap: 8px;
        min-width: 0;
        font-weight: 600;
      }
      .badge {
        flex: none;
        padding: 0 6px;
        border: 1px solid var(--hs-line);
        border-radius: 6px;
        font-size: 11px;
        font-weight: 450;
        color: var(--hs-muted);
      }
      .badge.shut {
        border-color: transparent;
        background: var(--hs-badGround);
        color: var(--hs-bad);
      }
      .badge.new {
        border-color: transparent;
        background: var(--hs-warnGround);
        color: var(--hs-warn);
      }
      .line {
        display: flex;
        gap: 8px;
        min-width: 0;
        padding-inline-start: 17px;
        font-size: 12.5px;
        color: var(--hs-muted);
      }
      .address {
        flex: 0 0 auto;
        max-width: 70%;
      }
      homespin-sparkline {
        grid-row: span 2;
        align-self: center;
        height: 30px;
      }
      .rates {
        grid-row: span 2;
        align-self: center;
        text-align: end;
        font-size: 13px;
        line-height: 1.4;
        white-space: nowrap;
      }
      .quiet {
        color: var(--hs-muted);
      }
      .totals {
        grid-column: 1 / -1;
        display: flex;
        justify-content: space-between;
        gap: 12px;
        padding-inline-start: 17px;
        font-size: 12px;
        color: var(--hs-muted);
      }
      .more {
        padding: 10px 16px;
        border-top: 1px solid var(--hs-line);
      }
      @media (max-width: 400px) {
        .row {
          grid-template-columns: minmax(0, 1fr) 52px 84px;
          gap: 1px 8px;
          padding: 9px 12px;
        }
      }
    `,
  ]

  constructor() {
    super()
    this.query = ''
    this.sort = 'activity'
  }

  override render() {
    const { i18n, state, today, query, sort } = this
    const devices = listDevices(state, today, query, sort)
    const rows = devices.slice(0, MAX_ROWS)
    return html`
      <div class="head">
        <h2 id="title">${i18n.t('devices')}</h2>
        <span class="muted small">${i18n.count('devices_n', state.devices.size)}</span>
      </div>
      <div class="controls">
        <input
          class="field"
          type="search"
          autocomplete="off"
          placeholder=${i18n.t('search')}
          aria-label=${i18n.t('search')}
          .value=${query}
          @input=${(event: Event) => {
            this.query = (event.target as HTMLInputElement).value
          }}
        />
        <select
          class="field"
          aria-label=${i18n.t('sort')}
          title=${i18n.t('sort')}
          @change=${(event: Event) => {
            this.sort = (event.target as HTMLSelectElement).value as Sort
          }}
        >
          ${SORTS.map(
            (option) => html`
              <option value=${option} ?selected=${option === sort}>${i18n.t(`sort_${option}`)}</option>
            `,
          )}
        </select>
      </div>
      ${rows.length === 0 ? this.#empty() : nothing}
      <ul aria-labelledby="title" ?hidden=${rows.length === 0}>
        ${repeat(
          rows,
          ({ id }) => id,
          (device) => html`<li>${this.#row(device)}</li>`,
        )}
      </ul>
      ${
        devices.length > MAX_ROWS
          ? html`<p class="more muted small">${i18n.count('more_devices', devices.length - MAX_ROWS)}</p>`
          : nothing
      }
    `
  }

  #empty() {
    const { i18n, query, state } = this
    if (state.devices.size > 0) {
      return html`<p class="empty">${i18n.t('no_match', { query: shownName(query, '').text })}</p>`
    }
    return html`
      <p class="empty"><strong>${i18n.t('no_devices')}</strong>${i18n.t('no_devices_hint')}</p>
    `
  }

  #row(device: Device) {
    const { i18n, tints, selection } = this
    const isChosen = selection.device_id === device.id
    const name = shownName(device.name, device.id)
    const vendor = shownName(device.vendor, i18n.t('vendor_unknown'))
    const series = rateSeries(this.state.frames, device.id)
    // The short one of its addresses; the others stand in the title and in the facts of the device.
    const address = device.ips.find((ip) => !ip.includes(':')) ?? device.ips[0]
    const choose = (): void => select(this, isChosen ? {} : { device_id: device.id })
    return html`
      <button type="button" class="plain row" aria-pressed=${isChosen ? 'true' : 'false'} @click=${choose}>
        <span class="name">
          <span class="dot tint-${tints.get(device.id) ?? 0}"></span>
          <bdi class="clip" title=${name.title}>${name.text}</bdi>
          ${
            device.shared
              ? html`<span class="badge" title=${i18n.t('badge_shared_hint')}>${i18n.t('badge_shared')}</span>`
              : nothing
          }
          ${this.#closure(device)}
          ${
            device.random_mac
              ? html`<span class="badge" title=${i18n.t('badge_random_hint')}>${i18n.t('badge_random')}</span>`
              : nothing
          }
        </span>
        <homespin-sparkline .series=${series}></homespin-sparkline>
        ${this.#rates(device)}
        <span class="line" title=${`${vendor.title}\n${device.ips.join('\n')}`}>
          <bdi class="clip">${vendor.text}</bdi>
          ${address ? html`<span class="clip address">${address}</span>` : nothing}
        </span>
        ${this.#totals(device)}
      </button>
    `
  }

  /** What of it is closed, as the kernel has it. */
  #closure({ policy }: Device) {
    if (policy === undefined) return nothing
    const { i18n, state } = this
    const closure = closureOf(policy, state.policy.rules ?? [])
    const isShut = closure.kind === 'blocked' || closure.kind === 'level'
    const text =
      closure.kind === 'level'
        ? i18n.t(`level_${closure.level}`)
        : i18n.t(`closure_${closure.kind}`)
    return html`
      ${isShut && policy.accepted ? html`<span class="badge shut">${text}</span>` : nothing}
      ${policy.in_force ? nothing : html`<span class="badge shut">${i18n.t('not_in_force')}</span>`}
      ${policy.accepted ? nothing : html`<span class="badge new">${i18n.t('new_device')}</span>`}
    `
  }

  #rates(device: Device) {
    const { i18n, isLive } = this
    const now = isLive ? currentRate(rateSeries(this.state.frames.slice(-1), device.id)) : undefined
    const line = (bytes: number | undefined, icon: unknown, look: string, label: string) => html`
      <div class=${bytes ? '' : 'quiet'}>
        <span class="hidden-text">${label}</span>
        ${bytes === undefined ? html`<span title=${i18n.t('unknown')}>–</span>` : i18n.rate(bytes)}
        <span class=${bytes ? look : 'quiet'}>${icon}</span>
      </div>
    `
    return html`
      <span class="rates">
        ${line(now?.received, downIcon, 'received', i18n.t('received_now'))}
        ${line(now?.sent, upIcon, 'sent', i18n.t('sent_now'))}
      </span>
    `
  }

  #totals(device: Device) {
    const { i18n, today, nowMs, isLive } = this
    const since = today.get(device.id)
    const idle = nowMs - device.last_seen_ms
    return html`
      <span class="totals">
        <span class="clip">
          ${since ? html`${i18n.bytes(bytesOf(since))} ${i18n.t('today')} · ` : nothing}
          ${i18n.bytes(bytesOf(device))} ${i18n.t('total')}
        </span>
        <span title="${i18n.t('seen')}: ${i18n.moment(device.last_seen_ms)}">
          ${isLive && idle < NOW_MS ? i18n.t('now') : i18n.ago(idle)}
        </span>
      </span>
    `
  }
}

customElements.define('homespin-devices', HomespinDevices)
