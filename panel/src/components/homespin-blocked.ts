import { css, html, LitElement } from 'lit'
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
      .under {
        display: none;
        color: var(--hs-muted);
        font-size: 12px;
      }
      @media (max-width: 700px) {
        .cause,
        .last {
          display: none;
        }
        .figure {
          width: 88px;
          padding-inline: 0 16px;
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
    return html`
      <tr>
        <td>
          <button type="button" class="plain who clip" title=${device.title} @click=${() => select(this, { device_id })}>
            <bdi>${device.text}</bdi>
          </button>
          <span class="under clip">${i18n.t(`cause_${cause}`)}</span>
        </td>
        <td title=${other.title}>
          <span class="muted" title=${i18n.t(`way_${direction}`)}>${direction === 'from_device' ? '→' : '←'}<span class="hidden-text">${i18n.t(`way_${direction}`)}</span></span>
          <bdi dir="ltr" class=${remote === undefined ? 'muted' : ''}>${other.text}</bdi>
        </td>
        <td class="cause" title=${title}>${i18n.t(`cause_${cause}`)}</td>
        <td class="figure" title=${i18n.bytes(bytes)}>${i18n.number(packets)}</td>
        <td class="figure last" title=${i18n.moment(last_ms)}>${i18n.ago(nowMs - last_ms)}</td>
      </tr>
    `
  }
}

customElements.define('homespin-blocked', HomespinBlocked)
