import { css, html, LitElement, nothing } from 'lit'
import type { Level, RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canEnforce } from '../acting.ts'
import { shownName } from '../display-name.ts'
import { select } from '../events.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import './homespin-level.ts'
import './homespin-limits.ts'
import { disclosure, orderButton, orderFault } from './order-control.ts'

const ABOUT = { new_devices: true } as const
const MAX_SHOWN = 20

/** The default policy: what holds for devices that nobody has accepted yet, and who they are. */
export class HomespinNewDevices extends LitElement {
  static override properties = { scene: { attribute: false }, panel: { state: true } }
  declare scene: Scene
  declare panel: 'quarantine' | 'limits' | undefined

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      .body {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
        padding: 0 16px 14px;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 12px;
        padding: 6px 0;
        border-top: 1px solid var(--hs-line);
      }
      li .plain {
        flex: 1 1 160px;
        min-height: 28px;
        font-weight: 550;
      }
      li .plain:hover {
        text-decoration: underline;
      }
      .fault {
        flex-basis: 100%;
      }
    `,
  ]

  override render() {
    const { scene } = this
    const { i18n, state, mayAct } = scene
    const rules = (state.policy.rules ?? []).filter(({ subject }) => 'new_devices' in subject)
    const standing = rules.find(({ action }) => action === 'quarantine')
    const level = standing?.state === 'failed' ? undefined : standing?.level
    const waiting = [...state.devices.values()].filter(({ policy }) => policy?.accepted === false)
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('new_devices')}</h2>
          <span class="pill ${level === undefined ? 'good' : 'warn'}">
            ${level === undefined ? i18n.t('closure_open') : i18n.t(`level_${level}`)}
          </span>
        </div>
        <div class="body">
          <p class="muted small">${i18n.t('new_devices_hint')}</p>
          ${mayAct && canEnforce(state.info).ok ? this.#acts(level, rules) : nothing}
          ${
            waiting.length === 0
              ? nothing
              : html`<ul>
                  ${waiting.slice(0, MAX_SHOWN).map(({ id, name }) => this.#device(id, name))}
                </ul>`
          }
          ${
            waiting.length > MAX_SHOWN
              ? html`<p class="muted small">${i18n.count('more_devices', waiting.length - MAX_SHOWN)}</p>`
              : nothing
          }
        </div>
      </section>
    `
  }

  #acts(level: Level | undefined, rules: readonly RuleView[]) {
    const { scene, panel } = this
    const { i18n } = scene
    const release: Order = { key: 'release:new', verb: 'release', args: ABOUT }
    const held = rules.flatMap(({ restriction, state }) =>
      restriction !== undefined && state !== 'failed' ? [restriction] : [],
    )
    const open = (name: 'quarantine' | 'limits') => () => {
      this.panel = panel === name ? undefined : name
    }
    return html`
      <div class="acts">
        ${disclosure(i18n.t('set_default_level'), panel === 'quarantine', open('quarantine'))}
        ${disclosure(i18n.t('open_limits'), panel === 'limits', open('limits'))}
        ${level === undefined ? nothing : orderButton(scene, release, i18n.t('no_default'))}
      </div>
      ${orderFault(scene, release.key)}
      ${
        panel === 'quarantine'
          ? html`<homespin-level .scene=${scene} .about=${ABOUT} .level=${level} .isDefault=${true}></homespin-level>`
          : nothing
      }
      ${
        panel === 'limits'
          ? html`<homespin-limits .scene=${scene} .about=${ABOUT} .held=${held} .own=${held}></homespin-limits>`
          : nothing
      }
    `
  }

  #device(id: string, raw: string) {
    const { scene } = this
    const { i18n, mayAct } = scene
    const name = shownName(raw, id)
    const accept: Order = { key: `accept:${id}`, verb: 'device-accept', args: { device: id } }
    return html`
      <li>
        <button type="button" class="plain clip" title=${name.title} @click=${() => select(this, { device_id: id })}>
          <bdi>${name.text}</bdi>
        </button>
        ${
          mayAct
            ? orderButton(scene, accept, i18n.t('accept'), {
                look: 'slight primary',
                label: `${i18n.t('accept')}: ${name.text}`,
              })
            : nothing
        }
        ${orderFault(scene, accept.key)}
      </li>
    `
  }
}

customElements.define('homespin-new-devices', HomespinNewDevices)
