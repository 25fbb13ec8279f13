import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Scene } from '../acting.ts'
import { shownName, shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import type { BlockedSum } from '../policy-state.ts'
import { whatText, whomText } from '../rule-text.ts'
import { sharedStyles } from '../styles.ts'

const MAX_ROWS = 200

/** What was dropped since this page looks, summed by device, remote and cause. */
export class HomespinBlocked extends LitElement {
  static override properties = { scene: { attribute: false } }
  declare scene: Scene

  static override styles = [
    sharedStyles,
    css`
      .hint {
        flex-basis: 100%;
        margin-top: -4px;
      }
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
      .who {
        max-width: 100%;
      }
      .who:hover {
        text-decoration: underline;
      }
      .unit {
        display: none;
        color: var(--hs-muted);
      }
      .way {
        display: flex;
        gap: 6px;
      }
      .under {
        display: none;
        white-space: normal;
        overflow-wrap: anywhere;
      }
      .under,
      .rule {
        color: var(--hs-muted);
        font-size: 12px;
      }
      .rule {
        display: block;
      }
      @media (max-width: 700px) {
        .cause,
        .last {
          display: none;
        }
        thead {
          position: absolute;
          clip-path: inset(50%);
        }
        tr {
          display: grid;
          grid-template-columns: minmax(0, 1fr) auto;
          padding: 8px 16px;
          border-bottom: 1px solid var(--hs-line);
        }
        tr:last-child {
          border-bottom: 0;
        }
        td,
        td:first-child {
          padding: 1px 0;
          border: 0;
        }
        td.figure {
          grid-area: 1 / 2;
          width: auto;
          padding-inline-start: 12px;
        }
        td.far {
          grid-area: 2 / 1 / auto / span 2;
        }
        .unit {
          display: inline;
        }
        .under {
          display: block;
        }
      }
    `,
  ]

  override render() {
    const { i18n, state } = this.scene
    const sums = [...state.policy.blocked.values()].sort(
      (a, b) => b.last_ms - a.last_ms || b.packets - a.packets,
    )
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('blocked')}</h2>
          <p class="hint muted small">${i18n.t('blocked_hint')}</p>
        </div>
        ${
          sums.length === 0
            ? html`<p class="empty"><strong>${i18n.t('no_blocked')}</strong>${i18n.t('no_blocked_hint')}</p>`
            : this.#table(sums.slice(0, MAX_ROWS))
        }
      </section>
    `
  }

  #table(sums: readonly BlockedSum[]) {
    const { i18n } = this.scene
    return html`
      <table>
        <thead>
          <tr>
            <th scope="col">${i18n.t('device')}</th>
            <th scope="col">${i18n.t('remote')}</th>
            <th scope="col" class="cause">${i18n.t('cause')}</th>
            <th scope="col" class="figure">${i18n.t('packets')}</th>
            <th scope="col" class="figure last">${i18n.t('last')}</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(
            sums,
            ({ key }) => key,
            (sum) => this.#row(sum),
          )}
        </tbody>
      </table>
    `
  }

  #row(sum: BlockedSum) {
    const { i18n, state, nowMs } = this.scene
    const { device_id, remote, direction, cause, rule_id, packets, bytes, last_ms } = sum
    const device = shownName(state.devices.get(device_id)?.name, device_id)
    const other = shownRemote(remote, i18n.t('unknown_remote'))
    const rule = state.policy.rules?.find(({ id }) => id === rule_id)
    const title =
      rule === undefined ? '' : `${whomText(rule.subject, state, i18n)} · ${whatText(rule, i18n)}`
    const choose = (): void =>
      select(this, { device_id, ...(remote === undefined ? {} : { remote }) })
    return html`
      <tr>
        <td>
          <button type="button" class="plain who clip" title=${device.title} @click=${() => select(this, { device_id })}>
            <bdi>${device.text}</bdi>
          </button>
        </td>
        <td class="far" title=${other.title}>
          <span class="way">
            <span class="muted" title=${i18n.t(`way_${direction}`)}>${direction === 'from_device' ? '→' : '←'}<span class="hidden-text">${i18n.t(`way_${direction}`)}</span></span>
            ${
              remote === undefined
                ? html`<span class="muted clip">${other.text}</span>`
                : html`<button type="button" class="plain who clip from-end" @click=${choose}>
                    <bdi dir="ltr">${other.text}</bdi>
                  </button>`
            }
          </span>
          <span class="under">${i18n.t(`cause_${cause}`)}${title === '' ? nothing : html`<br /><bdi>${title}</bdi>`}</span>
        </td>
        <td class="cause" title=${title}>
          ${i18n.t(`cause_${cause}`)}${title === '' ? nothing : html`<span class="rule clip"><bdi>${title}</bdi></span>`}
        </td>
        <td class="figure" title=${i18n.bytes(bytes)}>${i18n.number(packets)}<span class="unit"> ${i18n.t('packets_unit')}</span></td>
        <td class="figure last" title=${i18n.moment(last_ms)}>${i18n.ago(nowMs - last_ms)}</td>
      </tr>
    `
  }
}

customElements.define('homespin-blocked', HomespinBlocked)
