import type { PropertyValues } from 'lit'
import { html, LitElement, nothing } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { Scene } from '../acting.ts'
import { shownName } from '../display-name.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { orderButton, orderFault, textField } from './order-control.ts'

/** Gives a device the user's name, or takes it back. */
export class HomespinRename extends LitElement {
  static override properties = {
    scene: { attribute: false },
    device: { attribute: false },
    name: { state: true },
  }
  declare scene: Scene
  declare device: Device
  declare name: string | undefined

  static override styles = [sharedStyles, actStyles]

  override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('device')
    if (before !== undefined && before.id !== this.device.id) this.name = undefined
  }

  override render() {
    const { scene, device } = this
    const { i18n } = scene
    const name = (this.name ?? shownName(device.name, '').text).trim()
    return html`
      <div class="form">
        <div class="fields">
          ${textField(i18n.t('name'), this.name ?? shownName(device.name, '').text, 63, (text) => {
            this.name = text
          })}
        </div>
        <div class="acts">
          ${orderButton(scene, this.#order(name), i18n.t('rename'), { look: 'primary' })}
          ${
            device.name_source === 'user'
              ? orderButton(scene, this.#order(''), i18n.t('rename_back'))
              : nothing
          }
        </div>
        ${orderFault(scene, `rename:${device.id}`)}
      </div>
    `
  }

  #order(name: string): Order {
    const { id } = this.device
    return {
      key: `rename:${id}`,
      verb: 'device-rename',
      args: { device: id, name },
      isSeen: ({ devices }) => {
        const device = devices.get(id)
        return name === '' ? device?.name_source !== 'user' : device?.name === name
      },
    }
  }
}

customElements.define('homespin-rename', HomespinRename)
