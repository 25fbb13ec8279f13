import { css, html, LitElement, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { orderButton, orderFault } from './order-control.ts'

const PANIC: Order = {
  key: 'panic',
  verb: 'panic',
  args: {},
  isSeen: ({ policy }) => policy.rules?.length === 0,
}

/** Releases everything at once; asks once. */
export class HomespinPanic extends LitElement {
  static override properties = { scene: { attribute: false }, isAsking: { state: true } }
  declare scene: Scene
  declare isAsking: boolean

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 8px;
        justify-items: end;
      }
    `,
  ]

  constructor() {
    super()
    this.isAsking = false
  }

  override render() {
    const { scene } = this
    const { i18n, state, orders, mayAct } = scene
    const isBusy = orders.get(PANIC.key)?.phase === 'busy'
    if (!mayAct || (state.policy.rules?.length === 0 && !isBusy)) return nothing
    const ask = (isAsking: boolean) => () => {
      this.isAsking = isAsking
    }
    return html`
      ${
        this.isAsking || isBusy
          ? html`<div class="acts" role="group" aria-label=${i18n.t('panic')}>
              <span class="small">${i18n.t('panic_ask')}</span>
              ${orderButton(scene, PANIC, i18n.t('panic_sure'), { look: 'danger', onGiven: ask(false) })}
              ${isBusy ? nothing : html`<button type="button" class="act" @click=${ask(false)}>${i18n.t('keep')}</button>`}
            </div>`
          : html`<button type="button" class="act danger" @click=${ask(true)}>${i18n.t('panic')}</button>`
      }
      ${orderFault(scene, PANIC.key)}
    `
  }
}

customElements.define('homespin-panic', HomespinPanic)
