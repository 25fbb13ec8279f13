import { css, html, LitElement, nothing } from 'lit'
import type { Level } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { levelsOf, levelsReason } from '../acting.ts'
import type { Order } from '../orders.ts'
import type { ActSpan } from '../spans.ts'
import { SPANS_TO_ACT, secondsOf } from '../spans.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { agentNote, orderButton, orderFault, spanField, textField } from './order-control.ts'

/** Whom an order is about, in the agent's arguments. */
export type About = { device: string } | { group: string } | { new_devices: true }

/** Quarantine: how far, for how long and why. */
export class HomespinLevel extends LitElement {
  static override properties = {
    scene: { attribute: false },
    about: { attribute: false },
    level: { attribute: false },
    isDefault: { attribute: false },
    chosen: { state: true },
    span: { state: true },
    reason: { state: true },
  }
  declare scene: Scene
  declare about: About
  /** What the kernel has. */
  declare level: Level | undefined
  /** A default policy ends only when it is taken away. */
  declare isDefault: boolean
  declare chosen: Level | undefined
  declare span: ActSpan
  declare reason: string

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      .levels {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 190px), 1fr));
        gap: 8px;
      }
      .level {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 0 8px;
        padding: 8px 10px;
        border: 1px solid var(--hs-line);
        border-radius: 8px;
        background: var(--hs-surface);
        cursor: pointer;
      }
      .level:has(:checked) {
        border-color: var(--hs-accent);
        box-shadow: inset 0 0 0 1px var(--hs-accent);
      }
      .level:has(:focus-visible) {
        outline: 2px solid var(--hs-accent);
        outline-offset: 2px;
      }
      .level input {
        margin: 3px 0 0;
        accent-color: var(--hs-accent);
        outline: none;
      }
      .level b {
        font-weight: 600;
      }
      .level small {
        grid-column: 2;
        color: var(--hs-muted);
        font-size: 12px;
        line-height: 1.35;
      }
    `,
  ]

  constructor() {
    super()
    this.isDefault = false
    this.span = 'hour'
    this.reason = ''
  }

  override render() {
    const { scene, about, level } = this
    const { i18n, state, nowMs } = scene
    const levels = levelsOf(state.info)
    const reason = levelsReason(state.info)
    const chosen = levels.find((one) => one === this.chosen) ?? level ?? levels.at(-1)
    const seconds = this.isDefault ? undefined : secondsOf(this.span, nowMs)
    const order: Order = {
      key: `level:${JSON.stringify(about)}`,
      verb: 'quarantine',
      args: {
        ...about,
        level: chosen,
        ...(seconds === undefined ? {} : { for: seconds }),
        reason: this.reason.trim(),
      },
    }
    if (levels.length === 0) return agentNote(i18n, i18n.t('no_levels'), reason, 'quiet')
    return html`
      <div class="form">
        <fieldset>
          <legend>${i18n.t('how_far')}</legend>
          <div class="levels">
            ${levels.map(
              (one) => html`
                <label class="level">
                  <input
                    type="radio"
                    name="level"
                    value=${one}
                    .checked=${one === chosen}
                    @change=${() => {
                      this.chosen = one
                    }}
                  />
                  <span>
                    <b>${i18n.t(`level_${one}`)}</b>
                    ${one === level ? html`<span class="pill good">${i18n.t('level_now')}</span>` : nothing}
                  </span>
                  <small>${i18n.t(`level_hint_${one}`)}</small>
                </label>
              `,
            )}
          </div>
        </fieldset>
        ${reason === undefined ? nothing : agentNote(i18n, i18n.t('some_levels'), reason, 'quiet')}
        <div class="fields">
          ${
            this.isDefault
              ? nothing
              : spanField(i18n, SPANS_TO_ACT, this.span, (span) => {
                  this.span = span
                })
          }
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
        <div class="acts">
          ${orderButton(scene, order, i18n.t(this.isDefault ? 'set_default' : 'quarantine'), { look: 'primary' })}
        </div>
        ${orderFault(scene, order.key)}
      </div>
    `
  }
}

customElements.define('homespin-level', HomespinLevel)
