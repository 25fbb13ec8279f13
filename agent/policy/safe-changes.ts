// What somebody may take back or confirm who may give the safe orders alone: only what these could do themselves. Otherwise
// `undo` would lift the restrictions and change the groups that they may not touch.
import { PolicyError } from './contract.ts'
import type { Change } from './state.ts'
import type { StoredEntry } from './stored.ts'

/** Verbs of the journal that no safe order leaves there. */
const UNSAFE_VERBS: readonly string[] = ['panic', 'group-set', 'group-remove']

/** Throws a `PolicyError` where a change does more than safe orders can. */
export function checkSafeChange({ added, removed, groups }: Change): void {
  const restricts = [...added, ...removed].some(({ action }) => action === 'restrict')
  if (restricts) throw notSafe('This is about a restriction')
  if (groups !== undefined) throw notSafe('This changes a group')
}

/** Throws a `PolicyError` where an entry is not of a safe order. */
export function checkSafeEntry({ seq, verb }: StoredEntry): void {
  if (UNSAFE_VERBS.includes(verb)) throw notSafe(`Entry ${seq} is a ${verb}`)
}

function notSafe(what: string): PolicyError {
  return new PolicyError(
    'refused',
    `${what}, which is more than the safe orders may do; ask on the page or by the command line.`,
  )
}
