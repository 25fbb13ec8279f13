import { html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Device } from '../../../protocol/messages.ts'
import type { Sort, Today } from '../device-list.ts'
import { heldOrder, listDevices, SORTS, suspectsOf } from '../device-list.ts'
import { shownName } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { bytesOf } from '../links.ts'
import { currentRate, rateSeries } from '../rates.ts'
import { closureOf, closureText } from '../rule-text.ts'
import type { Blindness } from '../sight.ts'
import type { PanelState } from '../store.ts'
import { sharedStyles } from '../styles.ts'
import { devicesStyles } from './devices-styles.ts'
import './homespin-sparkline.ts'
import { agentWords } from './order-control.ts'

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
    blindness: { attribute: false },
    isDetailed: { attribute: false },
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
  /** Why the agent sees nothing, while it does not. */
  declare blindness: Blindness | undefined
  /** The details of the selection are in sight: only then a second tap means to end it. */
  declare isDetailed: boolean
  declare nowMs: number
  declare query: string
  declare sort: Sort

  static override styles = [sharedStyles, devicesStyles]

  #suspects: ReadonlySet<string> = new Set()
  #isUnderPointer = false
  /** What was asked for when the order was made, and the order. */
  #asked = ''
  #order: readonly string[] = []

  constructor() {
    super()
    this.query = ''
    this.sort = 'activity'
  }

  override render() {
    const { i18n, state, query, sort } = this
    this.#suspects = suspectsOf(state)
    const devices = this.#listed()
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
          placeholder=${i18n.t('search_short')}
          aria-label=${i18n.t('search')}
          title=${i18n.t('search')}
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
      <ul
        aria-labelledby="title"
        ?hidden=${rows.length === 0}
        @pointerenter=${() => this.#hold(true)}
        @pointerleave=${() => this.#hold(false)}
      >
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
      <p class="empty"><strong>${i18n.t('no_devices')}</strong>${this.#emptyWhy()}</p>
    `
  }

  #emptyWhy() {
    const { i18n, blindness } = this
    if (blindness === undefined) return i18n.t('no_devices_hint')
    if (blindness.kind === 'interfaces') {
      const names = blindness.names.map((name) => shownName(name).text)
      return i18n.t('blind_interfaces', { names: i18n.list(names) })
    }
    return html`${i18n.t('blind_capture')} ${agentWords(blindness.reason, i18n)}`
  }

  // Rows do not change places under a finger, nor take the focus with them.
  #listed(): Device[] {
    const { state, today, query, sort } = this
    const devices = listDevices(state, today, query, sort)
    const list = this.renderRoot.querySelector('ul')
    const isHeld = this.#isUnderPointer || list?.matches(':focus-within') === true
    const asked = `${sort} ${query}`
    const shown = isHeld && asked === this.#asked ? heldOrder(devices, this.#order) : devices
    this.#asked = asked
    this.#order = shown.map(({ id }) => id)
    return shown
  }

  #hold(isUnderPointer: boolean): void {
    this.#isUnderPointer = isUnderPointer
  }

  #row(device: Device) {
    const { i18n, tints, selection } = this
    const isChosen = selection.device_id === device.id
    const name = shownName(device.name, device.id)
    const vendor = shownName(device.vendor, i18n.t('vendor_unknown'))
    const series = rateSeries(this.state.frames, device.id)
    // The short one of its addresses; the others stand in the title and in the facts of the device.
    const address = device.ips.find((ip) => !ip.includes(':')) ?? device.ips[0]
    const choose = (): void =>
      select(this, isChosen && this.isDetailed ? {} : { device_id: device.id })
    return html`
      <button type="button" class="plain row" aria-pressed=${isChosen ? 'true' : 'false'} @click=${choose}>
        <span class="name">
          <span class="title">
            <span class="dot tint-${tints.get(device.id) ?? 0}"></span>
            <bdi class="clip" title=${name.title}>${name.text}</bdi>
          </span>
          ${
            this.#suspects.has(device.id)
              ? html`<span class="badge incident">${i18n.t('badge_incident')}</span>`
              : nothing
          }
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
        ${this.#rates(device)}
        <span class="line" title=${`${vendor.title}\n${device.ips.join('\n')}`}>
          <bdi class="clip">${vendor.text}</bdi>
          ${address ? html`<span class="clip address">${address}</span>` : nothing}
        </span>
        ${this.#totals(device)}
        <homespin-sparkline .series=${series}></homespin-sparkline>
        ${this.#seen(device)}
      </button>
    `
  }

  /** What of it is closed, as the kernel has it. */
  #closure({ policy }: Device) {
    if (policy === undefined) return nothing
    const { i18n, state } = this
    const closure = closureOf(policy, state.policy.rules ?? [])
    const isShut = closure.kind === 'blocked' || closure.kind === 'level'
    return html`
      ${
        isShut && policy.accepted
          ? html`<span class="badge shut">${closureText(closure, i18n)}</span>`
          : nothing
      }
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
    const { i18n, today } = this
    const since = today.get(device.id)
    const ever = `${i18n.bytes(bytesOf(device))} ${i18n.t('total')}`
    return html`
      <span class="totals clip" title=${ever}>
        ${since ? html`<span class="today">${i18n.bytes(bytesOf(since))} ${i18n.t('today')}</span>` : nothing}
        <span class="ever">${since ? '· ' : nothing}${ever}</span>
      </span>
    `
  }

  #seen({ last_seen_ms }: Device) {
    const { i18n, nowMs, isLive } = this
    const idle = nowMs - last_seen_ms
    return html`
      <span class="seen clip" title="${i18n.t('seen')}: ${i18n.moment(last_seen_ms)}">
        ${isLive && idle < NOW_MS ? i18n.t('now') : i18n.ago(idle)}
      </span>
    `
  }
}

customElements.define('homespin-devices', HomespinDevices)
