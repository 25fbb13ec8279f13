import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Device, Flow } from '../../../protocol/messages.ts'
import type { ConnectionSort } from '../connection-list.ts'
import { CONNECTION_SORTS, listConnections } from '../connection-list.ts'
import { shownName, shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import type { FlowView, Selection } from '../links.ts'
import { viewFrom } from '../links.ts'
import type { LiveFlow, PanelState } from '../store.ts'
import { sharedStyles } from '../styles.ts'

const MAX_ROWS = 100
const NEW_MS = 30_000

/** The connections of the selection, live. */
export class HomespinConnections extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    state: { attribute: false },
    tints: { attribute: false },
    selection: { attribute: false },
    nowMs: { attribute: false },
    sort: { state: true },
  }
  declare i18n: I18n
  declare state: PanelState
  declare tints: ReadonlyMap<string, number>
  declare selection: Selection
  declare nowMs: number
  declare sort: ConnectionSort

  static override styles = [
    sharedStyles,
    css`
      table {
        width: 100%;
        border-collapse: collapse;
        table-layout: fixed;
        font-size: 13px;
      }
      th {
        font-weight: 550;
        font-size: 12px;
        color: var(--hs-muted);
        text-align: start;
        white-space: nowrap;
      }
      th,
      td {
        padding: 6px 8px;
        border-bottom: 1px solid var(--hs-line);
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      tr:last-child td {
        border-bottom: 0;
      }
      th:first-child,
      td:first-child {
        padding-inline-start: 16px;
      }
      th:last-child,
      td:last-child {
        padding-inline-end: 16px;
      }
      .figure {
        width: 92px;
        text-align: end;
      }
      .service {
        width: 156px;
      }
      .state {
        width: 86px;
      }
      .started {
        width: 124px;
      }
      .device {
        width: 18%;
      }
      .closed td {
        color: var(--hs-muted);
      }
      .who {
        display: flex;
        align-items: center;
        gap: 8px;
        max-width: 100%;
      }
      button.who:hover {
        text-decoration: underline;
      }
      .tag {
        flex: none;
        padding: 0 5px;
        border-radius: 5px;
        background: var(--hs-warnGround);
        color: var(--hs-warn);
        font-size: 11px;
      }
      .more {
        padding: 8px 16px 12px;
      }
      .under {
        display: none;
      }
      @media (max-width: 1080px) {
        .started {
          display: none;
        }
      }
      @media (max-width: 700px) {
        .service,
        .state,
        .device {
          display: none;
        }
        .figure {
          width: 88px;
          padding-inline: 4px;
        }
        th {
          font-size: 11.5px;
        }
        td {
          vertical-align: top;
        }
        .end {
          padding-inline-start: 16px;
        }
        th:last-of-type,
        .out {
          padding-inline-end: 14px;
        }
        .under {
          display: block;
          color: var(--hs-muted);
          font-size: 12px;
        }
      }
    `,
  ]

  constructor() {
    super()
    this.sort = 'bytes'
  }

  override render() {
    const { i18n, selection } = this
    const found = listConnections(this.state.flows.values(), selection, this.sort)
    const isHome = selection.device_id === undefined
    const rows = found.slice(0, MAX_ROWS)
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('connections')}</h2>
          <span class="muted small">${i18n.count('connections_n', found.length)}</span>
          <div class="segments" role="group" aria-label=${i18n.t('sort')}>
            ${CONNECTION_SORTS.map(
              (sort) => html`
                <button
                  type="button"
                  aria-pressed=${this.sort === sort ? 'true' : 'false'}
                  @click=${() => {
                    this.sort = sort
                  }}
                >
                  ${i18n.t(`sort_${sort}`)}
                </button>
              `,
            )}
          </div>
        </div>
        ${
          rows.length === 0
            ? html`<p class="empty">
                <strong>${i18n.t('no_connections')}</strong>${i18n.t('no_connections_hint')}
              </p>`
            : this.#table(rows, isHome)
        }
        ${
          found.length > MAX_ROWS
            ? html`<p class="more muted small">${i18n.count('more_connections', found.length - MAX_ROWS)}</p>`
            : nothing
        }
      </section>
    `
  }

  #table(rows: readonly LiveFlow[], isHome: boolean) {
    const { i18n } = this
    return html`
      <table>
        <thead>
          <tr>
            ${isHome ? html`<th scope="col" class="device">${i18n.t('device')}</th>` : nothing}
            <th scope="col" class="end">${i18n.t('talks_to')}</th>
            <th scope="col" class="service">${i18n.t('service')}</th>
            <th scope="col" class="figure">${i18n.t('received')}</th>
            <th scope="col" class="figure out">${i18n.t('sent')}</th>
            <th scope="col" class="state">${i18n.t('state')}</th>
            <th scope="col" class="started">${i18n.t('started')}</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(
            rows,
            ({ flow }) => flow.id,
            (live) => this.#row(live, isHome),
          )}
        </tbody>
      </table>
    `
  }

  #row(live: LiveFlow, isHome: boolean) {
    const { i18n } = this
    const { flow } = live
    const view = viewFrom(live, this.selection.device_id, this.nowMs)
    const service = serviceOf(flow)
    return html`
      <tr class=${flow.state === 'closed' ? 'closed' : ''}>
        ${isHome ? html`<td class="device">${this.#device(flow.device_id)}</td>` : nothing}
        <td class="end">
          ${this.#end(flow, view)}
          <span class="under clip">
            ${isHome ? html`<bdi>${shownName(this.#deviceOf(flow.device_id)?.name, flow.device_id).text}</bdi> · ` : nothing}${flow.service ? shownName(flow.service).text : service}
            · ${this.#state(flow)}
          </span>
        </td>
        <td class="service" title=${flow.sni ? `SNI ${shownName(flow.sni).title}` : service}>${service}</td>
        ${this.#figure(view.received_bytes, view.received_rate)}
        ${this.#figure(view.sent_bytes, view.sent_rate, 'out')}
        <td class="state">${this.#state(flow)}</td>
        <td class="started" title=${i18n.moment(flow.first_ms)}>${i18n.ago(this.nowMs - flow.first_ms)}</td>
      </tr>
    `
  }

  #figure(bytes: number, rate: number, look = '') {
    const { i18n } = this
    return html`<td class="figure ${look}" title=${rate > 0 ? i18n.rate(rate) : ''}>${i18n.bytes(bytes)}</td>`
  }

  #state(flow: Flow): string {
    const { i18n } = this
    // Without a handshake nothing says that the other side took part: after a while it counts as open.
    const isOld = flow.protocol !== 'tcp' && this.nowMs - flow.first_ms > NEW_MS
    if (flow.state === 'new' && isOld) return i18n.t('flow_active')
    if (flow.state === 'closed' && flow.closed_by) return i18n.t(`closed_${flow.closed_by}`)
    return i18n.t(`flow_${flow.state}`)
  }

  #deviceOf(id: string): Device | undefined {
    return this.state.devices.get(id)
  }

  #device(id: string) {
    const name = shownName(this.#deviceOf(id)?.name, id)
    return html`
      <button type="button" class="plain who" @click=${() => select(this, { device_id: id })}>
        <span class="dot tint-${this.tints.get(id) ?? 0}"></span>
        <bdi class="clip" title=${name.title}>${name.text}</bdi>
      </button>
    `
  }

  #end(flow: Flow, { end }: FlowView) {
    const { i18n } = this
    if (end.kind === 'device') return this.#device(end.key)
    if (end.kind === 'lan') {
      return html`<span class="who" title=${flow.responder.ip}>
        <bdi class="clip">${shownName(flow.remote_name, flow.responder.ip).text}</bdi>
      </span>`
    }
    const name = shownRemote(end.key)
    const address = flow.direction === 'inbound' ? flow.originator.ip : flow.responder.ip
    const source = flow.remote_name_source ? ` (${flow.remote_name_source})` : ''
    return html`
      <button
        type="button"
        class="plain who"
        title=${`${name.title}${source}\n${address}`}
        @click=${() => select(this, { ...this.selection, remote: end.key })}
      >
        <span class="clip from-end"><bdi dir="ltr">${name.text}</bdi></span>
        ${
          flow.direction === 'inbound'
            ? html`<span class="tag" title=${i18n.t('inbound_hint')}>${i18n.t('direction_inbound')}</span>`
            : nothing
        }
      </button>
    `
  }
}

function serviceOf({ service, protocol, responder }: Flow): string {
  const port = responder.port === undefined ? protocol : `${protocol}/${responder.port}`
  return service === undefined ? port : `${shownName(service).text} · ${port}`
}

customElements.define('homespin-connections', HomespinConnections)
