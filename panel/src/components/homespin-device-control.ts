import type { PropertyValues } from 'lit'
import { css, html, LitElement, nothing } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { DevicePolicy, RuleView } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import { canEnforce, levelsOf } from '../acting.ts'
import { shownSentence } from '../display-name.ts'
import type { Order } from '../orders.ts'
import { openIncidents } from '../policy-state.ts'
import { closureOf, closureText, leftText, rulesFor, whomText } from '../rule-text.ts'
import { PAUSES, secondsOf } from '../spans.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import './homespin-block.ts'
import './homespin-level.ts'
import './homespin-limits.ts'
import './homespin-rename.ts'
import { incidentRow, incidentStyles } from './incident-row.ts'
import { agentNote, disclosure, orderButton, orderFault, viewerNote } from './order-control.ts'
import { ruleRow, ruleStyles } from './rule-row.ts'

type Panel = 'pause' | 'quarantine' | 'block' | 'limits' | 'rename'

/** What holds for a device, as the kernel has it, and what can be ordered about it. */
export class HomespinDeviceControl extends LitElement {
  static override properties = {
    scene: { attribute: false },
    device: { attribute: false },
    panel: { state: true },
  }
  declare scene: Scene
  declare device: Device
  declare panel: Panel | undefined

  static override styles = [
    sharedStyles,
    actStyles,
    ruleStyles,
    incidentStyles,
    css`
      .card {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
        padding: 12px 16px;
      }
      .status {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px 10px;
      }
      .status .pill {
        font-size: 13px;
        min-height: 28px;
        border-radius: 14px;
        padding: 0 12px;
      }
      .status:focus {
        outline: none;
      }
      .status .acts {
        margin-inline-start: auto;
      }
      .clock {
        font-weight: 600;
      }
      .reason {
        min-width: 0;
        overflow-wrap: anywhere;
        color: var(--hs-muted);
        font-size: 13px;
      }
      .lists {
        margin: 0 -16px -12px;
      }
      .incidents {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
      }
      .incidents > li {
        padding: 10px 12px;
        border: 0;
        border-radius: 10px;
        background: var(--hs-badGround);
      }
      .incidents .pill {
        background: var(--hs-surface);
      }
      summary {
        padding: 8px 16px;
        border-top: 1px solid var(--hs-line);
        color: var(--hs-muted);
        font-size: 13px;
        cursor: pointer;
      }
      @media (pointer: coarse) {
        summary {
          padding: 11px 16px;
        }
      }
    `,
  ]

  #wasActing = false

  override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('device')
    if (before !== undefined && before.id !== this.device.id) this.panel = undefined
    this.#wasActing = this.#focused()?.closest('.status .acts') != null
  }

  /** A button that has done its work goes; whoever pressed it is led to what holds now. */
  override updated(): void {
    if (!this.#wasActing || this.#focused() !== null) return
    this.renderRoot.querySelector<HTMLElement>('.status')?.focus()
  }

  /** The element in here that has the focus. */
  #focused(): Element | null {
    return this.shadowRoot?.activeElement ?? null
  }

  override render() {
    const { scene, device } = this
    const { i18n, state } = scene
    const { policy } = device
    const offer = canEnforce(state.info)
    const rules = rulesFor(device.id, state)
    return html`
      <section class="card" aria-label=${i18n.t('control')}>
        ${this.#incidents()}
        ${policy === undefined ? nothing : this.#status(policy, rules)}
        ${offer.ok ? nothing : agentNote(i18n, i18n.t('no_enforcement'), offer.reason, 'quiet')}
        ${policy?.problem ? agentNote(i18n, i18n.t('problem'), policy.problem) : nothing}
        ${policy?.uncovered ? agentNote(i18n, i18n.t('uncovered'), policy.uncovered) : nothing}
        ${viewerNote(scene) ?? this.#acts(offer.ok)} ${this.#panel(policy, rules)}
        ${this.#rules(rules)}
      </section>
    `
  }

  /** What it did and should not have done stands above everything else. */
  #incidents() {
    const { scene, device } = this
    const { incidents } = scene.state.policy
    const open = openIncidents(incidents.values()).filter(
      ({ device_id }) => device_id === device.id,
    )
    if (open.length === 0) return nothing
    return html`
      <ul class="incidents" aria-label=${scene.i18n.t('incidents')}>
        ${open.map((incident) => incidentRow(scene, incident, true))}
      </ul>
    `
  }

  /** Its own rules; those that it shares with others are folded. */
  #rules(rules: readonly RuleView[]) {
    const { scene } = this
    const { i18n } = scene
    const own = rules.filter(({ subject }) => 'device_id' in subject)
    const wider = rules.filter(({ subject }) => !('device_id' in subject))
    const list = (some: readonly RuleView[]) => html`
      <ul class="rules" aria-label=${i18n.t('rules')}>
        ${some.map((rule) => ruleRow(scene, rule, true))}
      </ul>
    `
    return html`
      <div class="lists" ?hidden=${rules.length === 0}>
        ${own.length === 0 ? nothing : list(own)}
        ${
          wider.length === 0
            ? nothing
            : html`<details>
                <summary>${i18n.count('wider_rules', wider.length)}</summary>
                ${list(wider)}
              </details>`
        }
      </div>
    `
  }

  #status(policy: DevicePolicy, rules: readonly RuleView[]) {
    const { scene } = this
    const { i18n, state, nowMs } = scene
    const closure = closureOf(policy, rules)
    const isShut = closure.kind === 'level' && closure.level !== 'observe'
    const looks = { open: 'good', wider: '', partly: 'warn', blocked: 'bad', level: 'warn' }
    const look = isShut ? 'bad' : looks[closure.kind]
    const until = 'until_ms' in closure ? closure.until_ms : undefined
    const quarantines = rules.filter(({ action }) => action === 'quarantine')
    const elsewhere = quarantines.filter(({ subject }) => !('device_id' in subject))
    return html`
      <div class="status" tabindex="-1">
        <span
          class="pill ${look}"
          data-closure=${closure.kind === 'level' ? closure.level : closure.kind}
          title=${closure.kind === 'wider' ? i18n.t('closure_wider_hint') : nothing}
        >
          <span class="hidden-text">${i18n.t('holds_now')}</span>${closureText(closure, i18n)}
        </span>
        ${policy.in_force ? nothing : html`<span class="pill warn">${i18n.t('not_in_force')}</span>`}
        ${policy.accepted ? nothing : html`<span class="pill warn">${i18n.t('new_device')}</span>`}
        ${
          until === undefined
            ? nothing
            : html`<span class="clock" role="timer" title=${i18n.moment(until)}>
                ${i18n.t('term_left', { left: leftText(until, nowMs, i18n) })}
              </span>`
        }
        ${
          policy.level_reason
            ? html`<span class="reason">“<bdi>${shownSentence(policy.level_reason)}</bdi>”</span>`
            : nothing
        }
        ${scene.mayAct ? this.#release(policy, quarantines) : nothing}
      </div>
      ${
        policy.level !== undefined && elsewhere.length > 0
          ? html`<p class="muted small">
              ${i18n.t('level_from', {
                whom: i18n.list(elsewhere.map(({ subject }) => whomText(subject, state, i18n))),
              })}
            </p>`
          : nothing
      }
    `
  }

  #release(policy: DevicePolicy, quarantines: readonly RuleView[]) {
    const { scene, device } = this
    const { i18n } = scene
    const own = quarantines.some(({ subject }) => 'device_id' in subject)
    const release: Order = {
      key: `release:${device.id}`,
      verb: 'release',
      args: { device: device.id },
    }
    const accept: Order = {
      key: `accept:${device.id}`,
      verb: 'device-accept',
      args: { device: device.id },
    }
    if (!own && policy.accepted) return nothing
    return html`
      <div class="acts">
        ${own ? orderButton(scene, release, i18n.t('release'), { look: 'primary' }) : nothing}
        ${policy.accepted ? nothing : orderButton(scene, accept, i18n.t('accept'), { look: 'primary' })}
      </div>
      ${orderFault(scene, release.key)} ${orderFault(scene, accept.key)}
    `
  }

  #acts(canBlock: boolean) {
    const { i18n, state } = this.scene
    const names: readonly Panel[] = canBlock
      ? [
          ...(levelsOf(state.info).includes('local_only') ? (['pause'] as const) : []),
          'quarantine',
          'block',
          'limits',
          'rename',
        ]
      : ['rename']
    return html`
      <div class="acts">
        ${names.map((name) =>
          disclosure(i18n.t(`open_${name}`), this.panel === name, () => {
            this.panel = this.panel === name ? undefined : name
          }),
        )}
      </div>
    `
  }

  #panel(policy: DevicePolicy | undefined, rules: readonly RuleView[]) {
    const { scene, device, panel } = this
    if (!scene.mayAct || panel === undefined) return nothing
    const about = { device: device.id }
    switch (panel) {
      case 'pause':
        return this.#pause()
      case 'quarantine':
        return html`<homespin-level .scene=${scene} .about=${about} .level=${policy?.level}></homespin-level>`
      case 'block':
        return html`<homespin-block .scene=${scene} .about=${about}></homespin-block>`
      case 'limits': {
        const own = rules.flatMap(({ subject, restriction }) =>
          'device_id' in subject && restriction !== undefined ? [restriction] : [],
        )
        return html`<homespin-limits
          .scene=${scene}
          .about=${about}
          .held=${policy?.restrictions ?? []}
          .own=${own}
        ></homespin-limits>`
      }
      case 'rename':
        return html`<homespin-rename .scene=${scene} .device=${device}></homespin-rename>`
    }
  }

  #pause() {
    const { scene, device } = this
    const { i18n, nowMs } = scene
    const key = `pause:${device.id}`
    return html`
      <div class="form">
        <p class="small muted">${i18n.t('pause_hint')}</p>
        <div class="acts" role="group" aria-label=${i18n.t('open_pause')}>
          ${PAUSES.map((span) => {
            const args = { device: device.id, for: secondsOf(span, nowMs) }
            return orderButton(scene, { key, verb: 'pause', args }, i18n.t(`act_${span}`))
          })}
        </div>
        ${orderFault(scene, key)}
      </div>
    `
  }
}

customElements.define('homespin-device-control', HomespinDeviceControl)
