// What a device did and should not have done: from its entities, and in the reader's language where the agent is heard live.
import { html, nothing } from 'lit'
import type { Incident, IncidentKind } from '../../../protocol/act.ts'
import { evidenceList } from '../components/incident-row.ts'
import { shownText } from '../display-name.ts'
import { incidentText } from '../incident-text.ts'
import { entityButton } from './card-controls.ts'
import type { CardScene } from './card-scene.ts'
import { closureOf, isClosed, quarantineOrder } from './closure.ts'
import type { DeviceView, IncidentView } from './device-view.ts'

const LOOKS = { info: '', low: '', medium: 'warn', high: 'bad' } as const

/** The incident of a device that is shown: the open one, else the last. */
export function incidentRow(scene: CardScene, view: DeviceView, withActs: boolean) {
  const incident = heard(scene, view) ?? view.incident
  if (incident === undefined) return nothing
  const { i18n, nowMs } = scene
  const { opened_ms, severity, isOpen, evidence } = incident
  const name = shownText(view.device.name, view.device.id)
  const { text, isForeign } = incidentText(asIncident(incident, view.device.id), name, i18n)
  return html`
    <div class="incident ${isOpen ? 'open' : ''}">
      <p class="line">
        <span class="pill ${isOpen ? LOOKS[severity] : ''}">
          ${isOpen ? i18n.t(`severity_${severity}`) : i18n.t('card_last_incident')}
        </span>
        ${
          opened_ms === undefined
            ? nothing
            : html`<span class="muted small" title=${i18n.moment(opened_ms)}>${i18n.ago(nowMs - opened_ms)}</span>`
        }
      </p>
      <p class="text" lang=${isForeign ? 'en' : nothing}><bdi>${text}</bdi></p>
      ${isOpen && evidence.length > 0 ? evidenceList({ i18n }, evidence) : nothing}
      ${isOpen && withActs ? acts(scene, view) : nothing}
    </div>
  `
}

/** Whether a device has an open incident. */
export function hasOpenIncident(scene: CardScene, view: DeviceView): boolean {
  return view.incident?.isOpen === true || heard(scene, view) !== undefined
}

function acts(scene: CardScene, view: DeviceView) {
  const { i18n } = scene
  const { quarantine } = view
  if (isClosed(closureOf(view))) return nothing
  if (quarantine === undefined || !quarantine.options.includes('full')) return nothing
  return html`
    <div class="acts">
      ${entityButton(scene, quarantineOrder(quarantine, 'full'), i18n.t('card_quarantine_now'), 'danger slight')}
    </div>
  `
}

/** The same incident as the agent tells it live, with all its figures. The entity says whether it is still open. */
function heard(scene: CardScene, view: DeviceView): IncidentView | undefined {
  const { incident, device } = view
  if (device.entities.anomaly !== undefined && incident?.isOpen !== true) return undefined
  const open = scene.liveOf(view)?.incidents(device.id) ?? []
  const same = open.find(({ id }) => id === incident?.id) ?? open[0]
  return same && { ...same, isOpen: true }
}

function asIncident(view: IncidentView, device_id: string): Incident {
  const { id = '', kind, severity, sentence, params, opened_ms = 0 } = view
  return {
    type: 'incident',
    id,
    device_id,
    ips: [],
    kind: kind as IncidentKind,
    severity,
    state: view.isOpen ? 'open' : 'closed',
    opened_ms,
    last_ms: opened_ms,
    sentence,
    params,
    evidence: [],
  }
}
