import { html, LitElement, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import { canHave } from '../acting.ts'
import type { Order } from '../orders.ts'
import { isAddress } from '../rule-text.ts'
import type { ActSpan } from '../spans.ts'
import { SPANS_TO_ACT, secondsOf } from '../spans.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import type { About } from './homespin-level.ts'
import { agentNote, orderButton, orderFault, spanField, textField } from './order-control.ts'

const WHOLE = { block: 'block_everything', allow: 'allow_everything' } as const
const PROTOCOLS = ['', 'tcp', 'udp', 'icmp', 'icmpv6'] as const

/** A block or an exception: towards what, for how long and why. */
export class HomespinBlock extends LitElement {
  static override properties = {
    scene: { attribute: false },
    about: { attribute: false },
    action: { state: true },
    other: { state: true },
    protocol: { state: true },
    port: { state: true },
    span: { state: true },
    reason: { state: true },
  }
  declare scene: Scene
  declare about: About | { everyone: true }
  declare action: 'block' | 'allow'
  declare other: string
  declare protocol: string
  declare port: string
  declare span: ActSpan
  declare reason: string

  static override styles = [sharedStyles, actStyles]

  constructor() {
    super()
    this.action = 'block'
    this.other = ''
    this.protocol = ''
    this.port = ''
    this.span = 'always'
    this.reason = ''
  }

  override render() {
    const { scene, action, protocol } = this
    const { i18n, state } = scene
    const names = canHave(state.info, 'dns_gate')
    const order = this.#order()
    const isWhole = this.other.trim() === '' && protocol === ''
    return html`
      <div class="form">
        <div class="segments" role="group" aria-label=${i18n.t('block_or_allow')}>
          ${(['block', 'allow'] as const).map(
            (one) => html`
              <button
                type="button"
                aria-pressed=${one === action ? 'true' : 'false'}
                @click=${() => {
                  this.action = one
                }}
              >
                ${i18n.t(`do_${one}`)}
              </button>
            `,
          )}
        </div>
        <div class="fields">
          ${textField(
            i18n.t('other_side'),
            this.other,
            255,
            (text) => {
              this.other = text
            },
            i18n.t(names.ok ? 'other_side_hint' : 'other_side_hint_address'),
          )}
          <label class="named">
            ${i18n.t('protocol')}
            <select
              class="field"
              @change=${(event: Event) => {
                this.protocol = (event.target as HTMLSelectElement).value
              }}
            >
              ${PROTOCOLS.map(
                (one) => html`
                  <option value=${one} ?selected=${one === protocol}>
                    ${one === '' ? i18n.t('every_protocol') : one.toUpperCase()}
                  </option>
                `,
              )}
            </select>
          </label>
          ${
            protocol === 'tcp' || protocol === 'udp'
              ? textField(
                  i18n.t('port'),
                  this.port,
                  11,
                  (text) => {
                    this.port = text
                  },
                  '443, 8000-8010',
                )
              : nothing
          }
          ${spanField(i18n, SPANS_TO_ACT, this.span, (span) => {
            this.span = span
          })}
          ${textField(
            i18n.t('reason'),
            this.reason,
            200,
            (text) => {
              this.reason = text
            },
            i18n.t('reason_hint'),
          )}
        </div>
        ${names.ok ? nothing : agentNote(i18n, i18n.t('no_names'), names.reason, 'quiet')}
        <div class="acts">
          ${orderButton(scene, order, i18n.t(isWhole ? WHOLE[action] : `do_${action}`), {
            look: action === 'block' ? 'danger' : 'primary',
          })}
        </div>
        ${orderFault(scene, order.key)}
      </div>
    `
  }

  #order(): Order {
    const { about, action, protocol } = this
    const other = this.other.trim()
    const port = this.port.trim()
    const seconds = secondsOf(this.span, this.scene.nowMs)
    return {
      key: `block:${JSON.stringify(about)}`,
      verb: action,
      args: {
        ...about,
        ...(other === '' ? {} : isAddress(other) ? { endpoint: other } : { domain: other }),
        ...(protocol === '' ? {} : { protocol }),
        ...(port === '' || (protocol !== 'tcp' && protocol !== 'udp') ? {} : { port }),
        ...(seconds === undefined ? {} : { for: seconds }),
        reason: this.reason.trim(),
      },
    }
  }
}

customElements.define('homespin-block', HomespinBlock)
