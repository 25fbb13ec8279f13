import { css, html, LitElement, nothing } from 'lit'
import type { Restriction } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canRestrict, RESTRICTIONS } from '../acting.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import type { About } from './homespin-level.ts'
import { agentWords, orderButton, orderFault } from './order-control.ts'

/** What a device, a group or new devices are held to: each switch shows what the kernel has. */
export class HomespinLimits extends LitElement {
  static override properties = {
    scene: { attribute: false },
    about: { attribute: false },
    held: { attribute: false },
    own: { attribute: false },
  }
  declare scene: Scene
  declare about: About
  /** Those that the kernel has. */
  declare held: readonly Restriction[]
  /** Those that are ordered about this very subject; another's can't be ended here. */
  declare own: readonly Restriction[]

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 2px 12px;
        align-items: center;
      }
      li + li {
        padding-top: 12px;
        border-top: 1px solid var(--hs-line);
      }
      b {
        font-weight: 600;
      }
      small {
        display: block;
        color: var(--hs-muted);
        font-size: 12.5px;
      }
      .fault {
        grid-column: 1 / -1;
      }
    `,
  ]

  override render() {
    return html`
      <ul class="form">
        ${RESTRICTIONS.map((one) => this.#row(one))}
      </ul>
    `
  }

  #row(restriction: Restriction) {
    const { scene, held } = this
    const { i18n, state } = scene
    const isHeld = held.includes(restriction)
    const offer = canRestrict(state.info, restriction)
    const order = this.#order(restriction, isHeld)
    const name = i18n.t(`restriction_${restriction}`)
    const isOthers = isHeld && !this.own.includes(restriction)
    return html`
      <li>
        <div>
          <b>${name}</b> ${isHeld ? html`<span class="pill good">${i18n.t('limit_on')}</span>` : nothing}
          <small>${i18n.t(`restriction_hint_${restriction}`)}</small>
          ${
            offer.ok
              ? nothing
              : html`<small>${i18n.t('not_here')} ${agentWords(offer.reason, i18n)}</small>`
          }
          ${isOthers ? html`<small>${i18n.t('limit_elsewhere')}</small>` : nothing}
        </div>
        ${
          (offer.ok || isHeld) && !isOthers
            ? orderButton(scene, order, i18n.t(isHeld ? 'switch_off' : 'switch_on'), {
                look: 'slight',
                label: `${i18n.t(isHeld ? 'switch_off' : 'switch_on')}: ${name}`,
              })
            : nothing
        }
        ${orderFault(scene, order.key)}
      </li>
    `
  }

  #order(restriction: Restriction, isHeld: boolean): Order {
    return {
      key: `limit:${restriction}:${JSON.stringify(this.about)}`,
      verb: isHeld ? 'unrestrict' : 'restrict',
      args: { ...this.about, restriction },
    }
  }
}

customElements.define('homespin-limits', HomespinLimits)
