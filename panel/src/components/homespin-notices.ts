import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Group, RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { shownName, shownRemote } from '../display-name.ts'
import type { Order } from '../orders.ts'
import type { Held } from '../policy-state.ts'
import { heldAt } from '../policy-state.ts'
import { leftText, whatText, whomText } from '../rule-text.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { orderButton, orderFault } from './order-control.ts'
import { confirmation, groupConfirmation, removal } from './rule-row.ts'

const MAX_CONNECTIONS = 8
const MAX_RISKY = 5
const REMEMBER_S = 3600
/** The agent takes back what was not confirmed a moment after its time. */
const AFTER_MS = 2000

/** What waits for somebody, whatever is looked at: orders to be confirmed, and first packets that are held. */
export class HomespinNotices extends LitElement {
  static override properties = { scene: { attribute: false } }
  declare scene: Scene

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
      }
      .card {
        border-color: color-mix(in srgb, var(--hs-warn) 45%, var(--hs-line));
        padding: 10px 16px;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px 12px;
      }
      .text {
        flex: 1 1 220px;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .clock {
        font-weight: 600;
      }
      li {
        padding: 8px 0;
      }
      li + li {
        border-top: 1px solid var(--hs-line);
      }
      h2 {
        font-size: 14px;
      }
      .fault {
        margin-top: 6px;
      }
    `,
  ]

  override updated(): void {
    const { length } = [...this.#risky(), ...this.#joining(), ...this.#waiting()]
    this.hidden = length === 0
  }

  override render() {
    const held = this.#waiting()
    return html`
      ${this.#risky().map((rule) => this.#rule(rule))}
      ${this.#joining().map((group) => this.#group(group))}
      ${held.length === 0 ? nothing : this.#held(held)}
    `
  }

  /** Rules that are taken back unless somebody confirms them. */
  #risky(): RuleView[] {
    const { state, nowMs } = this.scene
    return (state.policy.rules ?? [])
      .filter(({ confirm_until_ms: until }) => until !== undefined && until > nowMs - AFTER_MS)
      .slice(0, MAX_RISKY)
  }

  /** Groups whose new members leave them again unless somebody confirms them. */
  #joining(): Group[] {
    const { state, nowMs } = this.scene
    return (state.policy.groups ?? [])
      .filter(({ confirm_until_ms: until }) => until !== undefined && until > nowMs - AFTER_MS)
      .slice(0, MAX_RISKY)
  }

  #waiting(): Held[] {
    const { state, nowMs } = this.scene
    return heldAt(state.policy.held, nowMs).slice(0, MAX_CONNECTIONS)
  }

  #rule(rule: RuleView) {
    const { scene } = this
    const { i18n, state, nowMs, mayAct } = scene
    const confirm = confirmation(rule)
    const remove = removal(rule)
    return html`
          <section class="card" role="alert">
            <div class="row">
              <p class="text">
                <strong><bdi>${whomText(rule.subject, state, i18n)}</bdi> · ${whatText(rule, i18n)}</strong><br />
                ${i18n.t('confirm_hint')}
                <span class="clock" role="timer" aria-live="off">${leftText(rule.confirm_until_ms ?? 0, nowMs, i18n)}</span>
              </p>
              ${
                mayAct
                  ? html`<div class="acts">
                      ${orderButton(scene, confirm, i18n.t('confirm'), { look: 'primary' })}
                      ${orderButton(scene, remove, i18n.t('take_away'))}
                    </div>`
                  : nothing
              }
            </div>
            ${orderFault(scene, confirm.key)} ${orderFault(scene, remove.key)}
          </section>
        `
  }

  #group(group: Group) {
    const { scene } = this
    const { i18n, nowMs, mayAct } = scene
    const { id, joining = [], confirm_until_ms = 0 } = group
    const confirm = groupConfirmation(group)
    const devices = i18n.count('devices_n', joining.length)
    return html`
      <section class="card" role="alert">
        <div class="row">
          <p class="text">
            <bdi>${i18n.t('confirm_joining', { devices, group: shownName(group.name, id).text })}</bdi>
            <span class="clock" role="timer" aria-live="off">${leftText(confirm_until_ms, nowMs, i18n)}</span>
          </p>
          ${
            mayAct
              ? html`<div class="acts">
                  ${orderButton(scene, confirm, i18n.t('confirm'), { look: 'primary' })}
                </div>`
              : nothing
          }
        </div>
        ${orderFault(scene, confirm.key)}
      </section>
    `
  }

  #held(held: readonly Held[]) {
    const { i18n } = this.scene
    return html`
      <section class="card" aria-labelledby="held">
        <h2 id="held">${i18n.t('held')}</h2>
        <ul>
          ${repeat(
            held,
            ({ connection }) => connection.id,
            (one) => this.#connection(one),
          )}
        </ul>
      </section>
    `
  }

  #connection({ connection, verdict }: Held) {
    const { scene } = this
    const { i18n, state, nowMs, mayAct } = scene
    const { id, device_id, remote_name, originator, responder, direction, deadline_ms } = connection
    const device = shownName(state.devices.get(device_id)?.name, device_id)
    const far = direction === 'inbound' ? originator : responder
    const other = shownRemote(remote_name ?? far.ip)
    const isOver = nowMs >= deadline_ms
    const service = `${shownName(connection.protocol).text}${responder.port === undefined ? '' : `/${responder.port}`}`
    return html`
      <li>
        <div class="row">
          <p class="text">
            <bdi><strong>${device.text}</strong></bdi>
            ${direction === 'inbound' ? '←' : '→'}
            <bdi title=${`${other.title}\n${far.ip}`}>${other.text}</bdi>
            <span class="muted">${service}</span>
          </p>
          ${
            verdict !== undefined
              ? html`<span class="pill ${verdict === 'accept' ? 'good' : 'bad'}">${i18n.t(`verdict_${verdict}`)}</span>`
              : isOver
                ? html`<span class="pill">${i18n.t(`verdict_default_${connection.default}`)}</span>`
                : html`
                    <span role="timer" aria-live="off" class="clock">${leftText(deadline_ms, nowMs, i18n)}</span>
                    ${mayAct ? this.#verdicts(id) : nothing}
                  `
          }
        </div>
        ${orderFault(scene, `verdict:${id}`)}
      </li>
    `
  }

  #verdicts(connection: string) {
    const { scene } = this
    const { i18n } = scene
    const order = (verdict: 'accept' | 'drop', remember?: number): Order => ({
      key: `verdict:${connection}`,
      verb: 'verdict',
      args: { connection, verdict, ...(remember === undefined ? {} : { remember }) },
      isSeen: () => true,
    })
    return html`
      <div class="acts">
        ${orderButton(scene, order('accept'), i18n.t('accept_once'), { look: 'slight' })}
        ${orderButton(scene, order('accept', REMEMBER_S), i18n.t('accept_hour'), { look: 'slight' })}
        ${orderButton(scene, order('drop'), i18n.t('drop_once'), { look: 'slight danger' })}
        ${orderButton(scene, order('drop', REMEMBER_S), i18n.t('drop_hour'), { look: 'slight danger' })}
      </div>
    `
  }
}

customElements.define('homespin-notices', HomespinNotices)
