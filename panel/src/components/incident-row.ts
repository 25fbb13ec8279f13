import { css, html, nothing } from 'lit'
import type { Evidence, Incident } from '../../../protocol/act.ts'
import type { Scene } from '../acting.ts'
import { levelsOf } from '../acting.ts'
import { shownName, shownSentence } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { evidenceText, incidentText } from '../incident-text.ts'
import type { Order } from '../orders.ts'
import { lengthText } from '../rule-text.ts'
import { orderButton, orderFault } from './order-control.ts'

/** Of lists of incidents. */
export const incidentStyles = css`
  .incidents > li {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 8px;
    padding: 12px 16px 14px;
    border-top: 1px solid var(--hs-line);
  }
  .incidents .line {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 10px;
  }
  .incidents .who {
    font-weight: 600;
    min-height: 24px;
    min-width: 0;
    max-width: 100%;
    overflow-wrap: anywhere;
  }
  .incidents .who:hover {
    text-decoration: underline;
  }
  .incidents .text {
    overflow-wrap: anywhere;
  }
  .evidence {
    display: grid;
    grid-template-columns: fit-content(40%) auto minmax(80px, 240px) minmax(0, 1fr);
    gap: 4px 12px;
    align-items: center;
    font-size: 12.5px;
    overflow-wrap: anywhere;
  }
  .evidence > * {
    display: contents;
  }
  .evidence dd {
    display: contents;
  }
  .evidence meter {
    width: 100%;
    height: 9px;
  }
  .incidents .done {
    font-size: 13px;
    color: var(--hs-muted);
  }
  @media (max-width: 560px) {
    .evidence {
      grid-template-columns: fit-content(45%) auto minmax(0, 1fr);
    }
    .evidence meter {
      display: none;
    }
  }
`

const LOOKS = { info: '', low: '', medium: 'warn', high: 'bad' } as const

/** One incident: what happened, its evidence, what was done, and what can be. Within `<ul class="incidents">`. */
export function incidentRow(scene: Scene, incident: Incident, isWhoKnown = false) {
  const { i18n, state, nowMs, mayAct } = scene
  const { device_id, opened_ms, closed_ms, closed_by } = incident
  const name = shownName(state.devices.get(device_id)?.name, device_id)
  const { text, isForeign } = incidentText(incident, name.text, i18n)
  const choose = (event: Event): void => select(event.currentTarget as HTMLElement, { device_id })
  const isOpen = incident.state === 'open'
  return html`
    <li>
      <p class="line">
        <span class="pill ${isOpen ? LOOKS[incident.severity] : ''}">${i18n.t(`severity_${incident.severity}`)}</span>
        ${
          isWhoKnown
            ? nothing
            : html`<button type="button" class="plain who" title=${name.title} @click=${choose}><bdi>${name.text}</bdi></button>`
        }
        <span class="muted small" title=${i18n.moment(opened_ms)}>
          ${i18n.ago(nowMs - opened_ms)}
          ${isOpen ? nothing : html` · ${i18n.t(`closed_by_${closed_by ?? 'quiet'}`)} ${closed_ms === undefined ? nothing : i18n.ago(nowMs - closed_ms)}`}
        </span>
      </p>
      <p class="text" lang=${isForeign ? 'en' : nothing}><bdi>${text}</bdi></p>
      ${incident.evidence.length === 0 ? nothing : evidenceList(scene, incident.evidence)}
      ${doneNote(scene, incident)} ${isOpen && mayAct ? acts(scene, incident) : nothing}
    </li>
  `
}

/** The evidence of an incident; styled by `incidentStyles`. */
export function evidenceList({ i18n }: Pick<Scene, 'i18n'>, evidence: readonly Evidence[]) {
  return html`
    <dl class="evidence" aria-label=${i18n.t('evidence')}>
      ${evidence.slice(0, 10).map((one) => {
        const { observed, threshold } = one
        return html`
          <div>
            <dt class="muted">${evidenceText(one, i18n)}</dt>
            <dd>
              <strong>${i18n.number(observed)}</strong>
              ${threshold === 0 ? nothing : limitOf(one, i18n)}
            </dd>
          </div>
        `
      })}
    </dl>
  `
}

function limitOf(one: Evidence, i18n: I18n) {
  const { observed, threshold, usual } = one
  return html`
    <meter
      min="0"
      max=${Math.max(observed, threshold, 1)}
      high=${threshold}
      optimum="0"
      .value=${observed}
      aria-label=${evidenceText(one, i18n)}
    ></meter>
    <span class="muted">
      ${i18n.t('threshold', { n: i18n.number(threshold) })}${
        usual === undefined ? nothing : html`, ${i18n.t('usual', { n: i18n.number(usual) })}`
      }
    </span>
  `
}

function doneNote({ i18n }: Scene, { action, action_failed, asks, state }: Incident) {
  if (action_failed !== undefined) {
    return html`<p class="note">
      <span>${i18n.t('action_failed')} <bdi lang="en">${shownSentence(action_failed)}</bdi></span>
    </p>`
  }
  if (action !== undefined) {
    return html`<p class="done">${i18n.t('action_done', { level: i18n.t(`level_${action.level}`) })}</p>`
  }
  if (asks === undefined || state === 'closed') return nothing
  return html`<p class="done">
    ${i18n.t('asks', { level: i18n.t(`level_${asks.level}`), length: lengthText(asks.for_s, i18n) })}
  </p>`
}

function acts(scene: Scene, incident: Incident) {
  const { i18n, state } = scene
  const { id, device_id, asks, action } = incident
  const levels = levelsOf(state.info)
  const reason = i18n.t('incident_reason', { id })
  const level = asks?.level ?? 'full'
  const held = state.devices.get(device_id)?.policy?.level
  const isClosed = ({ policy }: Scene['state']): boolean =>
    policy.incidents.get(id)?.state !== 'open'
  const quarantine: Order = {
    key: `incident:quarantine:${id}`,
    verb: 'quarantine',
    args: { device: device_id, level, for: asks?.for_s ?? 3600, reason },
  }
  const release: Order = {
    key: `incident:release:${id}`,
    verb: 'release',
    args: action === undefined ? { device: device_id } : { rule: action.rule_id },
  }
  const resolve: Order = {
    key: `incident:resolve:${id}`,
    verb: 'resolve-incident',
    args: { incident: id },
    isSeen: isClosed,
  }
  const isHeld = held !== undefined && held !== 'observe'
  return html`
    <div class="acts">
      ${
        isHeld || !levels.includes(level)
          ? nothing
          : orderButton(
              scene,
              quarantine,
              i18n.t('quarantine_for', {
                level: i18n.t(`level_${level}`),
                length: lengthText(asks?.for_s ?? 3600, i18n),
              }),
              { look: 'danger' },
            )
      }
      ${isHeld ? orderButton(scene, release, i18n.t('allow_again')) : nothing}
      ${orderButton(scene, resolve, i18n.t(asks !== undefined && !isHeld ? 'incident_allow' : 'resolve'))}
    </div>
    ${orderFault(scene, quarantine.key)} ${orderFault(scene, release.key)}
    ${orderFault(scene, resolve.key)}
  `
}
