// The controls of a device. Each shows what its entity says the kernel has; a click only asks.
import { html, nothing } from 'lit'
import type { Level } from '../../../protocol/policy.ts'
import { LEVELS } from '../../../protocol/policy.ts'
import { agentNote, orderFault } from '../components/order-control.ts'
import { shownSentence, shownText } from '../display-name.ts'
import type { I18n } from '../i18n.ts'
import { leftText } from '../rule-text.ts'
import type { CardScene } from './card-scene.ts'
import {
  closureOf,
  internetOrder,
  isClosed,
  pauseOrder,
  quarantineOrder,
  releaseOrder,
} from './closure.ts'
import type { ControlView, DeviceView } from './device-view.ts'
import type { EntityOrder } from './entity-orders.ts'
import type { Hass } from './hass.ts'

const PAUSES = [30, 60, 120] as const

/** The sign of what is closed; nothing where all is open. */
export function closurePill({ i18n, nowMs }: CardScene, view: DeviceView) {
  const closure = closureOf(view)
  const { kind, until_ms, isBroken } = closure
  if (isBroken) return html`<span class="pill bad">${i18n.t('not_in_force')}</span>`
  if (kind === undefined || kind === 'open') return nothing
  const text = kind === 'blocked' ? i18n.t('closure_blocked') : i18n.t(`level_${kind}`)
  const left = until_ms !== undefined && until_ms > nowMs ? leftText(until_ms, nowMs, i18n) : ''
  return html`
    <span class="pill ${isClosed(closure) ? 'warn' : ''}">
      ${text}${left === '' ? nothing : html` <span class="left">${i18n.t('card_left', { left })}</span>`}
    </span>
  `
}

/** The switch of a device's way to the internet; none while its state is not known, because it would show one. */
export function internetSwitch(scene: CardScene, control: ControlView, device: string) {
  const { i18n, orders, give } = scene
  if (control.state === undefined) {
    const text = `${i18n.t('card_internet_which', { device })}: ${i18n.t('unknown')}`
    return html`<span class="no-switch" role="img" aria-label=${text} title=${i18n.t('unknown')}>–</span>`
  }
  const isOn = control.state === 'on'
  const order = internetOrder(control, !isOn)
  const isBusy = orders.get(order.key)?.phase === 'busy'
  return html`
    <button
      type="button"
      role="switch"
      class="switch"
      aria-checked=${isOn ? 'true' : 'false'}
      aria-busy=${isBusy ? 'true' : 'false'}
      aria-disabled=${isBusy ? 'true' : nothing}
      aria-label=${i18n.t('card_internet_which', { device })}
      title=${i18n.t('card_internet')}
      @click=${() => {
        if (!isBusy) give(order)
      }}
    >
      <span class="knob"></span>
    </button>
  `
}

/** All controls of a device, and what holds. `isBelow`: its line above has the switch already. */
export function controlsOf(
  scene: CardScene,
  view: DeviceView,
  states: Hass['states'],
  isBelow: boolean,
) {
  const { i18n } = scene
  const { internet, quarantine, pause, device } = view
  if (internet === undefined && quarantine === undefined && pause === undefined) {
    const text = view.isAvailable ? 'card_no_controls' : 'card_device_away'
    return html`<p class="note quiet"><span>${i18n.t(text)}</span></p>`
  }
  const name = shownText(device.name, device.id)
  return html`
    <div class="controls" role="group" aria-label=${i18n.t('control')}>
      ${
        internet === undefined || isBelow
          ? nothing
          : html`
              <div class="control">
                <span class="what">${i18n.t('card_internet')}</span>
                ${internetSwitch(scene, internet, name)}
              </div>
            `
      }
      ${quarantine === undefined ? nothing : quarantineField(scene, quarantine)}
      ${pause === undefined ? nothing : pauseButtons(scene, view, states)}
    </div>
    ${holdingLine(scene, view)} ${faultsOf(scene, view)}
  `
}

/** Why the orders of a device were not carried out. */
export function faultsOf({ i18n, orders }: CardScene, { internet, quarantine, pause }: DeviceView) {
  const keys = [
    internet && `internet:${internet.entity}`,
    quarantine && `quarantine:${quarantine.entity}`,
    internet && `release:internet:${internet.entity}`,
    quarantine && `release:quarantine:${quarantine.entity}`,
    pause && `pause:${pause.button}`,
  ]
  return keys.map((key) => (key === undefined ? nothing : orderFault({ i18n, orders }, key)))
}

/** A button that gives an order and is busy until the state shows it. */
export function entityButton(
  { orders, give }: CardScene,
  order: EntityOrder | undefined,
  text: string,
  look = '',
) {
  if (order === undefined) return nothing
  const isBusy = orders.get(order.key)?.phase === 'busy'
  return html`
    <button
      type="button"
      class="act ${look}"
      aria-busy=${isBusy ? 'true' : 'false'}
      aria-disabled=${isBusy ? 'true' : nothing}
      @click=${() => give(order)}
    >
      ${text}
    </button>
  `
}

function quarantineField(scene: CardScene, control: ControlView) {
  const { i18n, orders, give } = scene
  const { state, options } = control
  const isBusy = orders.get(`quarantine:${control.entity}`)?.phase === 'busy'
  const choose = (event: Event): void => {
    const field = event.target as HTMLSelectElement
    const wanted = field.value
    // What is shown is what holds, until the state says otherwise (as a property: once chosen in, a list ignores attributes).
    field.value = state ?? ''
    if (!isBusy && wanted !== state) give(quarantineOrder(control, wanted))
  }
  return html`
    <label class="control">
      <span class="what">${i18n.t('card_quarantine')}</span>
      <span class="waits" ?data-busy=${isBusy}>
        <select class="field" ?disabled=${isBusy || state === undefined} @change=${choose}>
          ${state === undefined ? html`<option value="" selected>–</option>` : nothing}
          ${options.map(
            (option) => html`
              <option value=${option} .selected=${option === state}>${optionText(option, i18n)}</option>
            `,
          )}
        </select>
      </span>
    </label>
  `
}

function pauseButtons(scene: CardScene, view: DeviceView, states: Hass['states']) {
  const { i18n, orders } = scene
  const isBusy = orders.get(`pause:${view.pause?.button}`)?.phase === 'busy'
  return html`
    <div class="control" role="group" aria-label=${i18n.t('card_pause')} title=${i18n.t('pause_hint')}>
      <span class="what">${i18n.t('card_pause')}</span>
      <span class="acts" ?data-busy=${isBusy}>
        ${PAUSES.map((minutes) => {
          const text =
            minutes < 60
              ? i18n.count('card_pause_minutes', minutes)
              : i18n.count('card_pause_hours', minutes / 60)
          return html`
            <button
              type="button"
              class="act slight"
              aria-disabled=${isBusy ? 'true' : nothing}
              @click=${() => {
                const order = pauseOrder(view, minutes, states)
                if (order !== undefined) scene.give(order)
              }}
            >
              ${text}
            </button>
          `
        })}
      </span>
    </div>
  `
}

function holdingLine(scene: CardScene, view: DeviceView) {
  const { i18n } = scene
  const closure = closureOf(view)
  const { internet, quarantine } = view
  const reason = shownSentence(quarantine?.reason ?? internet?.reason)
  const uncovered = quarantine?.uncovered ?? internet?.uncovered
  const wanted = quarantine?.desired ?? internet?.desired
  const told = quarantine?.problem ?? internet?.problem
  const about = told === undefined && wanted !== undefined ? optionText(wanted, i18n) : ''
  return html`
    ${
      isClosed(closure) || closure.kind === 'observe'
        ? html`
            <div class="holding">
              ${closurePill(scene, view)}
              ${reason === '' ? nothing : html`<span class="muted reason">${i18n.t('reason')}: <bdi>${reason}</bdi></span>`}
              ${entityButton(scene, releaseOrder(view), i18n.t('release'), 'slight')}
            </div>
          `
        : nothing
    }
    ${closure.isBroken ? agentNote(i18n, `${i18n.t('problem')} ${about}`.trim(), told) : nothing}
    ${uncovered === undefined ? nothing : agentNote(i18n, i18n.t('uncovered'), uncovered)}
  `
}

function optionText(option: string, i18n: I18n): string {
  const level = LEVELS.find((known): known is Level => known === option)
  return i18n.t(level === undefined ? 'card_level_none' : `level_${level}`)
}
