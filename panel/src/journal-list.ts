// The journal as it is listed: pages that were read, and what the feed told since.
import type { JournalEntry } from '../../protocol/policy.ts'
import { shownName, shownSentence } from './display-name.ts'
import type { I18n, Key } from './i18n.ts'
import { objectText, whatText, whomText } from './rule-text.ts'
import type { PanelState } from './store.ts'

/** What was read of the journal, the latest first. */
export interface JournalPage {
  entries: readonly JournalEntry[]
  /** Nothing is older than the last one. */
  isWhole: boolean
}

/** What the box did by itself when something was over; it stays over. */
const FINAL = new Set(['expire', 'disable', 'enable'])

/** Most entries that are listed. */
export const MAX_ENTRIES = 1000

/** Whether an entry has something that may be taken back; the agent knows better, and says why not. */
export function canUndo({ verb, undone_by }: JournalEntry): boolean {
  return undone_by === undefined && !FINAL.has(verb)
}

/** Both as one list, the latest first; of what is in both, whichever says that it is undone. */
export function joinJournal(
  page: JournalPage | undefined,
  told: readonly JournalEntry[],
): JournalEntry[] {
  const entries = new Map<number, JournalEntry>()
  for (const entry of page?.entries ?? []) entries.set(entry.seq, entry)
  for (const entry of told) if (!entries.has(entry.seq)) entries.set(entry.seq, entry)
  for (const { seq, undoes } of told) {
    const undone = undoes === undefined ? undefined : entries.get(undoes)
    if (undone !== undefined && undone.undone_by === undefined) {
      entries.set(undone.seq, { ...undone, undone_by: seq })
    }
  }
  return [...entries.values()].sort((a, b) => b.seq - a.seq).slice(0, MAX_ENTRIES)
}

const VERBS = {
  block: 'verb_block',
  allow: 'verb_allow',
  quarantine: 'verb_quarantine',
  release: 'verb_release',
  unblock: 'verb_unblock',
  restrict: 'verb_restrict',
  undo: 'verb_undo',
  panic: 'verb_panic',
  confirm: 'verb_confirm',
  'device-accept': 'verb_device_accept',
  'group-set': 'verb_group_set',
  'group-remove': 'verb_group_remove',
  expire: 'verb_expire',
  'probation-end': 'verb_probation_end',
  'roll-back': 'verb_roll_back',
  disable: 'verb_disable',
  enable: 'verb_enable',
} as const satisfies Record<string, Key>

/** These say by themselves what was done. */
const SAYS_ACTION = new Set(['block', 'allow', 'quarantine'])

/** Rules of one entry that are named. */
const MAX_NAMED = 3

/** An entry in the reader's language: what was done, and to what; a verb that is not known by the agent's sentence. */
export function entryText(
  entry: JournalEntry,
  state: PanelState,
  i18n: I18n,
): { verb: string; what: string } {
  if (!Object.hasOwn(VERBS, entry.verb)) return { verb: shownSentence(entry.sentence), what: '' }
  const verb = i18n.t(VERBS[entry.verb as keyof typeof VERBS])
  const rules = entry.added.length > 0 ? entry.added : entry.removed
  const accepted = entry.accepted?.map(({ device_id }) => device_id) ?? []
  const groups = entry.groups_after?.length ? entry.groups_after : (entry.groups_before ?? [])
  const names = [
    ...rules.map((rule) => {
      const what = SAYS_ACTION.has(entry.verb) ? objectText(rule, i18n) : whatText(rule, i18n)
      return `${whomText(rule.subject, state, i18n)} · ${what}`
    }),
    ...accepted.map((id) => shownName(state.devices.get(id)?.name, id).text),
    ...groups.map(({ id, name }) => shownName(name, id).text),
  ]
  const rest = names.length - MAX_NAMED
  const what = names.slice(0, MAX_NAMED).join('; ')
  return { verb, what: rest > 0 ? `${what} ${i18n.count('and_more', rest)}` : what }
}
