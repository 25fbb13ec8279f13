// Incidents in the reader's language, made of their kind and numbers; a kind that is not known here by its own sentence.
import type { Evidence, Incident } from '../../protocol/act.ts'
import { shownName, shownSentence } from './display-name.ts'
import type { I18n } from './i18n.ts'
import { lengthText } from './rule-text.ts'

/** A sentence; `isForeign` where it is the agent's own, in English. */
export interface IncidentText {
  text: string
  isForeign: boolean
}

/** What happened. `device` is the name as it is drawn. */
export function incidentText(incident: Incident, device: string, i18n: I18n): IncidentText {
  const { kind, params, sentence } = incident
  if (kind === 'connection_rate') {
    const text = connectionRate(params, device, i18n)
    if (text !== undefined) return { text, isForeign: false }
  }
  if (kind === 'anomaly' && params.level === 'observe') {
    const text = observed(params, device, i18n)
    if (text !== undefined) return { text, isForeign: false }
  }
  const told = shownSentence(sentence)
  if (told !== '') return { text: told, isForeign: true }
  return {
    text: i18n.t('incident_generic', { device, kind: shownName(kind).text }),
    isForeign: false,
  }
}

/** What an observation counted. */
export function evidenceText({ what }: Evidence, i18n: I18n): string {
  if (what === 'connections' || what === 'remotes') return i18n.t(`evidence_${what}`)
  return shownName(what).text.replaceAll('_', ' ')
}

function connectionRate(
  params: Incident['params'],
  device: string,
  i18n: I18n,
): string | undefined {
  const { connections, remotes, window_s, max_connections, max_remotes } = params
  if (
    typeof connections !== 'number' ||
    typeof remotes !== 'number' ||
    typeof window_s !== 'number' ||
    typeof max_connections !== 'number' ||
    typeof max_remotes !== 'number'
  ) {
    return undefined
  }
  return i18n.t('incident_connection_rate', {
    device,
    connections: i18n.count('connections_n', connections),
    remotes: i18n.count('remotes_n', remotes),
    length: lengthText(window_s, i18n),
    max_connections: i18n.number(max_connections),
    max_remotes: i18n.number(max_remotes),
  })
}

function observed(params: Incident['params'], device: string, i18n: I18n): string | undefined {
  const { connections, remotes, since_ms } = params
  if (
    typeof connections !== 'number' ||
    typeof remotes !== 'number' ||
    typeof since_ms !== 'number'
  ) {
    return undefined
  }
  return i18n.t('incident_observed', {
    device,
    connections: i18n.count('connections_n', connections),
    remotes: i18n.count('remotes_n', remotes),
    since: i18n.moment(since_ms),
  })
}
