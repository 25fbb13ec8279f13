import { css, html, LitElement } from 'lit'
import type { Group } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { shownName } from '../display-name.ts'
import { groupId } from '../group-id.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { orderButton, orderFault, textField } from './order-control.ts'

/** Makes a group, or changes one: its name and its members. */
export class HomespinGroupForm extends LitElement {
  static override properties = {
    scene: { attribute: false },
    group: { attribute: false },
    name: { state: true },
    members: { state: true },
  }
  declare scene: Scene
  /** Absent: a new one. */
  declare group: Group | undefined
  declare name: string | undefined
  declare members: ReadonlySet<string> | undefined

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      .members {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr));
        gap: 2px 12px;
        max-height: 260px;
        overflow-y: auto;
        scrollbar-width: thin;
      }
      .members label {
        display: flex;
        align-items: center;
        gap: 8px;
        min-height: 30px;
        min-width: 0;
      }
      .members input {
        flex: none;
        accent-color: var(--hs-accent);
      }
    `,
  ]

  override render() {
    const { scene, group } = this
    const { i18n, state } = scene
    const members = this.members ?? new Set(group?.device_ids)
    const devices = [...state.devices.values()].sort((a, b) => a.name.localeCompare(b.name))
    const name = this.name ?? group?.name ?? ''
    const order = this.#order(name.trim(), members)
    return html`
      <div class="form">
        <div class="fields">
          ${textField(i18n.t('name'), name, 63, (text) => {
            this.name = text
          })}
        </div>
        <fieldset>
          <legend>${i18n.t('members')}</legend>
          <div class="members">
            ${devices.map((device) => {
              const { text, title } = shownName(device.name, device.id)
              return html`
                <label title=${title}>
                  <input
                    type="checkbox"
                    .checked=${members.has(device.id)}
                    @change=${() => this.#toggle(members, device.id)}
                  />
                  <bdi class="clip">${text}</bdi>
                </label>
              `
            })}
          </div>
        </fieldset>
        <div class="acts">${orderButton(scene, order, i18n.t('save'), { look: 'primary' })}</div>
        ${orderFault(scene, order.key)}
      </div>
    `
  }

  #toggle(members: ReadonlySet<string>, id: string): void {
    const changed = new Set(members)
    if (!changed.delete(id)) changed.add(id)
    this.members = changed
  }

  #order(name: string, members: ReadonlySet<string>): Order {
    const groups = this.scene.state.policy.groups ?? []
    const id =
      this.group?.id ??
      groupId(
        name,
        groups.map((one) => one.id),
      )
    const wanted = [...members].sort().join()
    return {
      key: `group:${this.group?.id ?? ''}`,
      verb: 'group-set',
      args: { group: id, ...(name === '' ? {} : { name }), devices: [...members] },
      isSeen: ({ policy }) => {
        const there = policy.groups?.find((one) => one.id === id)
        return there !== undefined && [...there.device_ids].sort().join() === wanted
      },
    }
  }
}

customElements.define('homespin-group-form', HomespinGroupForm)
