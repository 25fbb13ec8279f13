// Rules, groups, the journal and incidents as text for people. Whatever comes from outside is made plain.
import type { Incident } from '../../protocol/act.ts'
import type { Group, JournalEntry, Match, RuleView, Subject } from '../../protocol/policy.ts'
import { durationText } from '../methods/duration.ts'
import { plain, table } from './text.ts'
import { windowText } from './window.ts'

/** A rule's subject: `device 020de0000001`. */
export function subjectText(subject: Subject): string {
  if ('device_id' in subject) return `device ${subject.device_id}`
  if ('group_id' in subject) return `group ${subject.group_id}`
  return 'everyone' in subject ? 'everyone' : 'new devices'
}

function matchText({ endpoint, domain, protocol, port, port_to }: Match): string {
  const ports = port === undefined ? '' : ` ${port}${port_to === undefined ? '' : `-${port_to}`}`
  const service = protocol === undefined ? '' : `${protocol}${ports}`
  return plain([endpoint, domain, service].filter(Boolean).join(' '), 80) || 'everything'
}

function whatText(rule: RuleView): string {
  if (rule.level !== undefined) return `${rule.action} ${rule.level}`
  if (rule.restriction !== undefined) return `${rule.action} ${rule.restriction}`
  return `${rule.action} ${matchText(rule.match ?? {})}`
}

function endText(rule: RuleView, nowMs: number): string {
  if (rule.confirm_until_ms !== undefined)
    return `confirm within ${durationText((rule.confirm_until_ms - nowMs) / 1000)}`
  if (rule.until_ms !== undefined) return `in ${durationText((rule.until_ms - nowMs) / 1000)}`
  if (rule.schedule !== undefined) return rule.schedule.windows.map(windowText).join('; ')
  return rule.probation_s === undefined ? '' : `quiet for ${durationText(rule.probation_s)}`
}

export function ruleTable(rules: readonly RuleView[], nowMs: number): string {
  return table(
    ['RULE', 'ABOUT', 'WHAT', 'ENDS', 'KERNEL', 'REASON'],
    rules.map((rule) => [
      rule.id,
      subjectText(rule.subject),
      whatText(rule),
      endText(rule, nowMs),
      rule.state_reason === undefined
        ? rule.state
        : `${rule.state}: ${plain(rule.state_reason, 80)}`,
      plain(rule.reason, 60),
    ]),
  )
}

export function groupTable(groups: readonly Group[]): string {
  return table(
    ['GROUP', 'NAME', 'DEVICES'],
    groups.map(({ id, name, device_ids }) => [id, plain(name, 32), device_ids.join(' ')]),
  )
}

export function journalTable(entries: readonly JournalEntry[]): string {
  return table(
    ['NO', 'TIME', 'WHO', 'WHAT', 'REASON'],
    entries.map((entry) => [
      String(entry.seq),
      timeText(entry.time_ms),
      plain(entry.actor.name ?? entry.actor.kind, 24),
      plain(entry.sentence, 100) +
        (entry.undone_by === undefined ? '' : ` (undone by ${entry.undone_by})`),
      plain(entry.reason, 60),
    ]),
  )
}

export function incidentTable(incidents: readonly Incident[]): string {
  return table(
    ['INCIDENT', 'OPENED', 'DEVICE', 'STATE', 'WHAT'],
    incidents.map((incident) => [
      incident.id,
      timeText(incident.opened_ms),
      incident.device_id,
      incident.state,
      plain(incident.sentence, 120),
    ]),
  )
}

/** Date and time of day here, such as `2026-11-22 10:00:00`. */
function timeText(ms: number): string {
  const date = new Date(ms)
  const pad = (value: number): string => String(value).padStart(2, '0')
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(':')}`
}

/** What has to be said about members that would have to leave again; undefined: nothing. */
export function confirmText(
  { id, joining, confirm_until_ms }: Group,
  nowMs: number,
): string | undefined {
  if (joining === undefined || confirm_until_ms === undefined) return undefined
  const left = durationText((confirm_until_ms - nowMs) / 1000)
  return `${joining.length} devices leave it again unless you confirm within ${left}: homespin confirm --group ${id}`
}
