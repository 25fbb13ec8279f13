// Commands that order something of the running agent, or list what was ordered.
import type { GroupList, IncidentList, JournalList, RuleList } from '../../protocol/http.ts'
import type { Ordered } from '../policy/contract.ts'
import { ask } from './client.ts'
import type { OrderName } from './order-commands.ts'
import { ORDER_COMMANDS } from './order-commands.ts'
import { confirmText, groupTable, incidentTable, journalTable, ruleTable } from './order-text.ts'
import { LineWriter } from './output.ts'
import { plain } from './text.ts'

export interface OrderLine {
  name: OrderName
  args: Record<string, unknown>
  /** Folder of the running agent. */
  data: string
  json: boolean
  /** How long the agent has to answer. Default 20000: the kernel has it in milliseconds, a remote router in seconds. */
  timeoutMs?: number
}

/** Exit code 0 only where the kernel has what was ordered, and what was released is open. Throws where the agent does not take it. */
export async function runOrder({ name, args, data, json, timeoutMs }: OrderLine): Promise<number> {
  const { method } = ORDER_COMMANDS[name]
  const result = await ask(data, method, args, timeoutMs ?? 20_000)
  const problem = problemOf(result as Partial<Ordered>)
  const out = new LineWriter()
  out.start()
  if (json) for (const each of messagesOf(name, result)) out.json(each)
  else out.line(textOf(name, result))
  await out.end()
  const { not_stored } = result as Partial<Ordered>
  if (not_stored !== undefined)
    process.stderr.write(`homespin: it holds, but is not stored: ${plain(not_stored, 500)}\n`)
  if (problem === undefined) return 0
  process.stderr.write(`homespin: ${plain(problem, 500)}\n`)
  return 1
}

/** Why what was ordered does not hold, though it was taken; or what goes on holding what was to be released. */
function problemOf({ rules = [], policies, still_held }: Partial<Ordered>): string | undefined {
  if (policies === undefined) return undefined
  if (still_held !== undefined) return still_held
  const failed = rules.find(({ state }) => state === 'failed')
  if (failed !== undefined)
    return failed.state_reason ?? `the kernel does not have rule ${failed.id}`
  if (rules.length > 0) return undefined
  const open = Object.values(policies).find((policy) => !policy.in_force)
  return open === undefined
    ? undefined
    : (open.problem ?? 'the kernel does not hold what is ordered')
}

/** What `--json` prints, one a line. */
function messagesOf(name: OrderName, result: unknown): unknown[] {
  switch (name) {
    case 'rules':
      return (result as RuleList).rules
    case 'groups':
      return (result as GroupList).groups
    case 'journal':
      return (result as JournalList).entries
    case 'incidents':
      return (result as IncidentList).incidents
    default:
      return [result]
  }
}

function textOf(name: OrderName, result: unknown): string {
  const messages = messagesOf(name, result)
  if (messages.length === 0) return `no ${name}`
  switch (name) {
    case 'rules':
      return ruleTable((result as RuleList).rules, Date.now())
    case 'groups':
      return groupTable((result as GroupList).groups)
    case 'journal':
      return journalTable((result as JournalList).entries)
    case 'incidents':
      return incidentTable((result as IncidentList).incidents)
    default:
      return orderedText(result as Partial<Ordered>)
  }
}

function orderedText({ rules, policies, groups = [], journal_seq }: Partial<Ordered>): string {
  if (policies === undefined) return 'done'
  const waits = groups.flatMap((group) => confirmText(group, Date.now()) ?? [])
  const table = rules === undefined || rules.length === 0 ? [] : [ruleTable(rules, Date.now())]
  const end =
    journal_seq === undefined
      ? 'nothing had to be changed'
      : `done; take it back with: homespin undo ${journal_seq}`
  return [...table, ...waits, end].join('\n')
}
