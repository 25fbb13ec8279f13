import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canEnforce } from '../acting.ts'
import { whatText, whomText } from '../rule-text.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import './homespin-block.ts'
import './homespin-groups.ts'
import './homespin-new-devices.ts'
import { agentNote, disclosure, viewerNote } from './order-control.ts'
import { ruleRow, ruleStyles } from './rule-row.ts'

const MAX_ROWS = 200

/** Every order that stands, the default policy for new devices, and groups. */
export class HomespinRules extends LitElement {
  static override properties = {
    scene: { attribute: false },
    query: { state: true },
    isAdding: { state: true },
  }
  declare scene: Scene
  declare query: string
  declare isAdding: boolean

  static override styles = [
    sharedStyles,
    actStyles,
    ruleStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 14px;
      }
      .head .field {
        width: min(240px, 100%);
      }
      .notes {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
        padding: 0 16px 12px;
      }
      .more {
        padding: 10px 16px;
      }
    `,
  ]

  constructor() {
    super()
    this.query = ''
    this.isAdding = false
  }

  override render() {
    const { scene } = this
    return html`
      ${this.#list()}
      <homespin-new-devices .scene=${scene}></homespin-new-devices>
      <homespin-groups .scene=${scene}></homespin-groups>
    `
  }

  #list() {
    const { scene, query, isAdding } = this
    const { i18n, state } = scene
    const all = state.policy.rules
    const found = this.#found(all ?? [])
    const rows = found.slice(0, MAX_ROWS)
    const offer = canEnforce(state.info)
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('rules')}</h2>
          ${all === undefined ? nothing : html`<span class="muted small">${i18n.count('rules_n', all.length)}</span>`}
          <input
            class="field"
            type="search"
            autocomplete="off"
            placeholder=${i18n.t('search_rules')}
            aria-label=${i18n.t('search_rules')}
            .value=${query}
            @input=${(event: Event) => {
              this.query = (event.target as HTMLInputElement).value
            }}
          />
          ${
            offer.ok && scene.mayAct
              ? disclosure(i18n.t('add_rule'), isAdding, () => {
                  this.isAdding = !isAdding
                })
              : nothing
          }
        </div>
        <div class="notes">
          ${viewerNote(scene) ?? nothing}
          ${offer.ok ? nothing : agentNote(i18n, i18n.t('no_enforcement'), offer.reason, 'quiet')}
          ${
            isAdding && scene.mayAct
              ? html`
                  <p class="small muted">${i18n.t('add_rule_hint')}</p>
                  <homespin-block .scene=${scene} .about=${{ everyone: true }}></homespin-block>
                `
              : nothing
          }
        </div>
        ${
          rows.length === 0
            ? html`<p class="empty">
                <strong>${i18n.t(query === '' ? 'no_rules' : 'no_rule_matches')}</strong>
                ${query === '' && offer.ok && scene.mayAct ? i18n.t('no_rules_hint') : nothing}
              </p>`
            : html`<ul class="rules">
                ${repeat(
                  rows,
                  ({ id }) => id,
                  (rule) => ruleRow(scene, rule),
                )}
              </ul>`
        }
        ${
          found.length > rows.length
            ? html`<p class="more muted small">${i18n.count('more_rules', found.length - rows.length)}</p>`
            : nothing
        }
      </section>
    `
  }

  /** Those that wait to be confirmed first, then those that failed, then the latest. */
  #found(rules: readonly RuleView[]): RuleView[] {
    const { i18n, state } = this.scene
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean)
    const rank = (rule: RuleView): number =>
      rule.confirm_until_ms !== undefined ? 2 : rule.state === 'failed' ? 1 : 0
    return rules
      .filter((rule) => {
        if (words.length === 0) return true
        const text = [whomText(rule.subject, state, i18n), whatText(rule, i18n), rule.reason]
          .join('\n')
          .toLowerCase()
        return words.every((word) => text.includes(word))
      })
      .sort((a, b) => rank(b) - rank(a) || b.created_ms - a.created_ms)
  }
}

customElements.define('homespin-rules', HomespinRules)
