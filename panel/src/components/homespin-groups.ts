import { css, html, LitElement, nothing } from 'lit'
import type { Group, RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canEnforce } from '../acting.ts'
import { shownName } from '../display-name.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import './homespin-block.ts'
import './homespin-group-form.ts'
import './homespin-level.ts'
import './homespin-limits.ts'
import { disclosure, orderButton, orderFault } from './order-control.ts'

type Panel = 'edit' | 'quarantine' | 'block' | 'limits'

/** Groups of devices, and what can be ordered about them. */
export class HomespinGroups extends LitElement {
  static override properties = {
    scene: { attribute: false },
    open: { state: true },
    isNew: { state: true },
  }
  declare scene: Scene
  /** Which panel of which group is open. */
  declare open: { id: string; panel: Panel } | undefined
  declare isNew: boolean

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 8px;
        padding: 10px 16px 12px;
        border-top: 1px solid var(--hs-line);
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 10px;
      }
      .line strong {
        overflow-wrap: anywhere;
      }
      .members {
        color: var(--hs-muted);
        font-size: 12.5px;
        overflow-wrap: anywhere;
      }
      .body {
        padding: 0 16px 14px;
      }
    `,
  ]

  constructor() {
    super()
    this.isNew = false
  }

  override render() {
    const { scene } = this
    const { i18n, state, mayAct } = scene
    const groups = state.policy.groups ?? []
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('groups')}</h2>
          ${
            mayAct
              ? disclosure(i18n.t('add_group'), this.isNew, () => {
                  this.isNew = !this.isNew
                })
              : nothing
          }
        </div>
        ${
          this.isNew && mayAct
            ? html`<div class="body"><homespin-group-form .scene=${scene}></homespin-group-form></div>`
            : nothing
        }
        ${
          groups.length === 0
            ? html`<p class="body muted small">${i18n.t('no_groups')}</p>`
            : html`<ul>
                ${groups.map((group) => this.#row(group))}
              </ul>`
        }
      </section>
    `
  }

  #row(group: Group) {
    const { scene, open } = this
    const { i18n, state, mayAct } = scene
    const rules = (state.policy.rules ?? []).filter(
      ({ subject }) => 'group_id' in subject && subject.group_id === group.id,
    )
    const standing = rules.find(({ action }) => action === 'quarantine')
    const level = standing?.state === 'active' ? standing.level : undefined
    const names = group.device_ids.map((id) => shownName(state.devices.get(id)?.name, id).text)
    const rest = names.length - 12
    return html`
      <li>
        <p class="line">
          <strong><bdi>${shownName(group.name, group.id).text}</bdi></strong>
          <span class="muted small">${i18n.count('devices_n', group.device_ids.length)}</span>
          ${level === undefined ? nothing : html`<span class="pill warn">${i18n.t(`level_${level}`)}</span>`}
        </p>
        <p class="members">
          ${i18n.list(names.slice(0, 12))}${rest > 0 ? html` ${i18n.count('and_more', rest)}` : nothing}
        </p>
        ${mayAct ? this.#acts(group, rules, standing) : nothing}
        ${open?.id === group.id && mayAct ? this.#panel(group, rules, level, open.panel) : nothing}
      </li>
    `
  }

  #acts(group: Group, rules: readonly RuleView[], standing: RuleView | undefined) {
    const { scene } = this
    const { i18n, state } = scene
    const { id } = group
    const release: Order = { key: `release:group:${id}`, verb: 'release', args: { group: id } }
    const remove: Order = {
      key: `remove:group:${id}`,
      verb: 'group-remove',
      args: { group: id },
      isSeen: ({ policy }) => policy.groups?.every((one) => one.id !== id) ?? false,
    }
    const panels: readonly Panel[] = canEnforce(state.info).ok
      ? ['edit', 'quarantine', 'block', 'limits']
      : ['edit']
    return html`
      <div class="acts">
        ${panels.map((panel) => {
          const isOpen = this.open?.id === id && this.open.panel === panel
          return disclosure(
            i18n.t(`open_${panel}`),
            isOpen,
            () => {
              this.open = isOpen ? undefined : { id, panel }
            },
            'slight',
          )
        })}
        ${standing ? orderButton(scene, release, i18n.t('release'), { look: 'slight' }) : nothing}
        ${rules.length === 0 ? orderButton(scene, remove, i18n.t('remove_group'), { look: 'slight' }) : nothing}
      </div>
      ${orderFault(scene, release.key)} ${orderFault(scene, remove.key)}
    `
  }

  #panel(group: Group, rules: readonly RuleView[], level: RuleView['level'], panel: Panel) {
    const { scene } = this
    const about = { group: group.id }
    if (panel === 'edit') {
      return html`<homespin-group-form .scene=${scene} .group=${group}></homespin-group-form>`
    }
    if (panel === 'quarantine') {
      return html`<homespin-level .scene=${scene} .about=${about} .level=${level}></homespin-level>`
    }
    if (panel === 'block') {
      return html`<homespin-block .scene=${scene} .about=${about}></homespin-block>`
    }
    const held = rules.flatMap(({ restriction, state }) =>
      restriction !== undefined && state !== 'failed' ? [restriction] : [],
    )
    return html`<homespin-limits
      .scene=${scene}
      .about=${about}
      .held=${held}
      .own=${held}
    ></homespin-limits>`
  }
}

customElements.define('homespin-groups', HomespinGroups)
