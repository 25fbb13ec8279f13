import { css, html, LitElement, nothing } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canEnforce, canHave } from '../acting.ts'
import { shownName, shownRemote } from '../display-name.ts'
import type { Order } from '../orders.ts'
import { isAbout, isAddress } from '../rule-text.ts'
import type { ActSpan } from '../spans.ts'
import { SPANS_TO_ACT, secondsOf } from '../spans.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { agentNote, orderButton, orderFault, spanField, viewerNote } from './order-control.ts'
import { ruleRow, ruleStyles } from './rule-row.ts'

/** A remote: what is ordered about it, and blocking it for a device or for the whole home. */
export class HomespinRemoteControl extends LitElement {
  static override properties = {
    scene: { attribute: false },
    remote: { attribute: false },
    device: { attribute: false },
    span: { state: true },
  }
  declare scene: Scene
  /** Name, else address. */
  declare remote: string
  declare device: Device | undefined
  declare span: ActSpan

  static override styles = [
    sharedStyles,
    actStyles,
    ruleStyles,
    css`
      .card {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
        padding: 12px 16px;
      }
      h3 {
        display: flex;
        gap: 8px;
        font-size: 14px;
        font-weight: 600;
        min-width: 0;
      }
      .acts {
        align-items: end;
      }
      .rules {
        margin: 0 -16px -12px;
      }
    `,
  ]

  constructor() {
    super()
    this.span = 'always'
  }

  override render() {
    const { scene, remote } = this
    const { i18n, state } = scene
    const name = shownRemote(remote)
    const rules = (state.policy.rules ?? []).filter(
      ({ action, match, subject }) =>
        (action === 'block' || action === 'allow') &&
        match !== undefined &&
        isAbout(match, remote) &&
        (this.device === undefined ||
          !('device_id' in subject) ||
          subject.device_id === this.device.id),
    )
    const offer = isAddress(remote) ? canEnforce(state.info) : canHave(state.info, 'dns_gate')
    return html`
      <section class="card" aria-label=${i18n.t('remote')}>
        <h3>
          <span>${i18n.t('remote')}</span>
          <span class="clip from-end" title=${name.title}><bdi dir="ltr">${name.text}</bdi></span>
        </h3>
        ${
          offer.ok
            ? (viewerNote(scene) ?? this.#acts(rules))
            : agentNote(i18n, i18n.t('no_enforcement'), offer.reason, 'quiet')
        }
        ${
          rules.length === 0
            ? nothing
            : html`<ul class="rules" aria-label=${i18n.t('rules')}>
                ${rules.map((rule) => ruleRow(scene, rule))}
              </ul>`
        }
      </section>
    `
  }

  #acts(rules: readonly RuleView[]) {
    const { scene, device } = this
    const { i18n } = scene
    const isBlocked = (id: string | undefined): boolean =>
      rules.some(
        ({ action, subject, state }) =>
          action === 'block' &&
          state === 'active' &&
          (id === undefined
            ? 'everyone' in subject
            : 'device_id' in subject && subject.device_id === id),
      )
    const own = device && this.#order({ device: device.id })
    const all = this.#order({ everyone: true })
    return html`
      <div class="acts">
        ${spanField(i18n, SPANS_TO_ACT, this.span, (span) => {
          this.span = span
        })}
        ${
          own && !isBlocked(device.id)
            ? orderButton(
                scene,
                own,
                i18n.t('block_for', { device: shownName(device.name, device.id).text }),
                { look: 'danger' },
              )
            : nothing
        }
        ${
          isBlocked(undefined)
            ? nothing
            : orderButton(scene, all, i18n.t('block_for_all'), { look: own ? '' : 'danger' })
        }
      </div>
      ${own ? orderFault(scene, own.key) : nothing} ${orderFault(scene, all.key)}
    `
  }

  #order(about: { device: string } | { everyone: true }): Order {
    const { remote, span, scene } = this
    const seconds = secondsOf(span, scene.nowMs)
    return {
      key: `remote:${JSON.stringify([about, remote])}`,
      verb: 'block',
      args: {
        ...about,
        ...(isAddress(remote) ? { endpoint: remote } : { domain: remote }),
        ...(seconds === undefined ? {} : { for: seconds }),
      },
    }
  }
}

customElements.define('homespin-remote-control', HomespinRemoteControl)
