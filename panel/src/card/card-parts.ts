// The parts of the card that stand outside a device: its head, its sums, and a line for each device.
import { html, nothing } from 'lit'
import { MAX_HISTORY_POINTS } from '../../../protocol/home-assistant.ts'
import { agentNote } from '../components/order-control.ts'
import { shownName } from '../display-name.ts'
import { sumOf } from '../history-span.ts'
import type { I18n } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Rate } from '../rates.ts'
import { KEPT_FRAMES } from '../store.ts'
import { isShown } from './card-config.ts'
import { closurePill, internetSwitch } from './card-controls.ts'
import { bucketsOf, spanOf } from './card-history.ts'
import { hasOpenIncident } from './card-incidents.ts'
import type { CardModel } from './card-model.ts'
import type { CardScene } from './card-scene.ts'
import { sparkline } from './card-spark.ts'
import type { DeviceView } from './device-view.ts'

/** Title, and how much of the present is known; of a single device also whether it is there. */
export function headOf(scene: CardScene, model: CardModel, title: string, view?: DeviceView) {
  const { i18n } = scene
  const isAway = model.agents.some(({ isOnline }) => isOnline === false)
  const isLive = rateOf(scene, model.views) !== undefined
  const isWhole = model.views.every((one) => scene.liveOf(one)?.isWhole !== false)
  return html`
    <div class="top">
      <h2 class="clip" title=${title}>
        ${view === undefined ? nothing : presence(i18n, view)} <bdi>${title}</bdi>
      </h2>
      ${view === undefined || isShown(scene.config, 'controls') ? nothing : closurePill(scene, view)}
      ${
        isAway
          ? html`<span class="pill bad" title=${i18n.t('card_agent_away_hint')}>${i18n.t('card_agent_away')}</span>`
          : !isLive
            ? nothing
            : isWhole
              ? html`<span class="pill good live" title=${i18n.t('card_live_hint')}>${i18n.t('card_live')}</span>`
              : html`<span class="pill warn live" title=${i18n.t('state_incomplete_hint')}>${i18n.t('state_incomplete')}</span>`
      }
    </div>
  `
}

/** What agents say is wrong. */
export function notesOf({ i18n }: CardScene, { agents }: CardModel) {
  return agents.map(({ problem }) =>
    problem === undefined ? nothing : agentNote(i18n, i18n.t('card_agent_problem'), problem),
  )
}

/** Bytes of the last day, and those of this second. */
export function totalsOf(scene: CardScene, { views, history }: CardModel) {
  const { i18n, nowMs } = scene
  const { points } = spanOf(history, nowMs)
  const rate = rateOf(scene, views)
  if (points.length === 0 && rate === undefined) return nothing
  const sum = sumOf(points)
  return html`
    <div class="sums">
      ${
        points.length === 0
          ? nothing
          : html`
              <span>${pair(i18n, i18n.bytes(sum.received_bytes), i18n.bytes(sum.sent_bytes), true)}</span>
              <span>${i18n.t('card_last_day')}</span>
            `
      }
      ${
        rate === undefined
          ? nothing
          : html`
              <span class="now" title=${i18n.t('last_minute')}>
                <span>${i18n.t('card_now')}</span>
                ${pair(i18n, i18n.rate(rate.received), i18n.rate(rate.sent), false)}
                ${sparkline(seriesOf(scene, views), KEPT_FRAMES)}
              </span>
            `
      }
    </div>
  `
}

/** One device: its name, what it says, what holds, and its switch. `toggle` opens and closes its details. */
export function deviceRow(scene: CardScene, view: DeviceView, isOpen: boolean, toggle: () => void) {
  const { i18n, nowMs, config } = scene
  const { device, internet } = view
  const name = shownName(device.name, device.id)
  const rate = scene.liveOf(view)?.rate(device.id)
  const sum = sumOf(spanOf(view.history, nowMs).points)
  const isSwitched = internet !== undefined && isShown(config, 'controls')
  return html`
    <div class="row ${isSwitched ? '' : 'bare'}">
      <button
        type="button"
        class="plain who"
        aria-expanded=${isOpen ? 'true' : 'false'}
        @click=${toggle}
      >
        <span class="name">
          ${presence(i18n, view)}
          <span class="clip" title=${name.title}><bdi>${name.text}</bdi></span>
        </span>
        <span class="figures">
          ${hasOpenIncident(scene, view) ? html`<span class="pill bad">${i18n.t('badge_incident')}</span>` : nothing}
          ${closurePill(scene, view)}
          ${
            view.isAvailable
              ? rate !== undefined
                ? pair(i18n, i18n.rate(rate.received), i18n.rate(rate.sent), false)
                : view.history.length === 0
                  ? nothing
                  : pair(i18n, i18n.bytes(sum.received_bytes), i18n.bytes(sum.sent_bytes), false)
              : i18n.t('card_unavailable')
          }
        </span>
      </button>
      ${sparkline(bucketsOf(view.history, nowMs), MAX_HISTORY_POINTS)}
      ${isSwitched ? internetSwitch(scene, internet, name.text) : nothing}
    </div>
  `
}

/** A sentence where there is nothing to draw. */
export function emptyLine(text: string, hint?: string) {
  return html`<p class="empty"><strong>${text}</strong>${hint ?? nothing}</p>`
}

/** What all devices of the card exchange right now. */
function rateOf(scene: CardScene, views: readonly DeviceView[]): Rate | undefined {
  let sum: Rate | undefined
  for (const view of views) {
    const rate = scene.liveOf(view)?.rate(view.device.id)
    if (rate === undefined) continue
    sum = { sent: (sum?.sent ?? 0) + rate.sent, received: (sum?.received ?? 0) + rate.received }
  }
  return sum
}

/** The last minute of all devices of the card. */
function seriesOf(scene: CardScene, views: readonly DeviceView[]): (Rate | undefined)[] {
  const all = views.flatMap((view) => {
    const series = scene.liveOf(view)?.series(view.device.id)
    return series === undefined ? [] : [series]
  })
  return new Array(KEPT_FRAMES).fill(undefined).map((_, at) => {
    const known = all.flatMap((series) => series[at - KEPT_FRAMES + series.length] ?? [])
    if (known.length === 0) return undefined
    return known.reduce((sum, { sent, received }) => ({
      sent: sum.sent + sent,
      received: sum.received + received,
    }))
  })
}

function presence(i18n: I18n, view: DeviceView) {
  const { isConnected } = view
  if (isConnected === undefined) return html`<span class="dot"></span>`
  const text = i18n.t(isConnected ? 'card_online' : 'card_offline')
  const look = isConnected ? 'on' : ''
  return html`<span class="dot ${look}" role="img" aria-label=${text} title=${text}></span>`
}

function pair(i18n: I18n, received: string, sent: string, isStrong: boolean) {
  const figure = (text: string) => (isStrong ? html`<strong>${text}</strong>` : text)
  return html`
    <span class="pair">
      <span title=${i18n.t('received')}><span class="received">${downIcon}</span> ${figure(received)}</span>
      <span title=${i18n.t('sent')}><span class="sent">${upIcon}</span> ${figure(sent)}</span>
    </span>
  `
}
