// Elements in one transaction; where the kernel refuses one of them, it alone stays out and the others go in.
import type { ElementChange, Kernel } from '../kernel/kernel.ts'
import { KernelError } from '../kernel/kernel.ts'
import type { SetId, SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'

/** What the kernel did not take: by set and key, with a sentence. */
export type Refused = Map<SetId, Map<string, string>>

/** Refusals that name their element are tried so often before all are told apart by halves. */
const NAMED_TRIES = 16

/** These are about the kernel or the tables, not about one element. */
const NOT_OF_AN_ELEMENT = new Set(
  'EPERM AWAY ENOENT ENOBUFS ENOMEM EINTR EAGAIN ERESTART EMSGSIZE EPROTO EOPNOTSUPP'.split(' '),
)

/** Why, in a sentence that says what to do. */
export function sentenceOf(set: SetSpec, key: string, error: Error): string {
  const code = error instanceof KernelError ? error.code : ''
  if (code === 'ENFILE') {
    return `The kernel's set for it is full (${set.name}), so it does not hold ${key}: release rules that are no longer needed.`
  }
  if (code === 'EEXIST') {
    return `${key} overlaps with another rule of the same kind: use the wider one of the two alone.`
  }
  return `The kernel refused ${key} in ${set.name}: ${error.message}`
}

/**
 * Carries out what it can, in one transaction where nothing is refused, and gives the rest. Rejects with the KernelError
 * where it is not about single elements.
 */
export async function isolate(kernel: Kernel, changes: readonly ElementChange[]): Promise<Refused> {
  const refused: Refused = new Map()
  const refuse = (change: ElementChange, error: Error): void => {
    const id = setId(change.set)
    const keys = refused.get(id) ?? new Map<string, string>()
    refused.set(id, keys.set(change.key, sentenceOf(change.set, change.key, error)))
  }
  let rest = changes
  for (let attempt = 0; attempt < NAMED_TRIES; attempt++) {
    if (rest.length === 0) return refused
    try {
      await kernel.change(rest)
      return refused
    } catch (error) {
      const bad = culprits(rest, error as Error)
      if (bad === undefined) break
      for (const change of bad) refuse(change, error as Error)
      rest = rest.filter((change) => !bad.has(change))
    }
  }
  // What closes goes in before what opens goes out.
  await halve(
    kernel,
    rest.filter((change) => change.do === 'add'),
    refuse,
  )
  await halve(
    kernel,
    rest.filter((change) => change.do === 'delete'),
    refuse,
  )
  return refused
}

/** Those that the error is about; undefined: it does not say. Throws it where it is not about elements. */
function culprits(
  changes: readonly ElementChange[],
  error: Error,
): ReadonlySet<ElementChange> | undefined {
  if (!(error instanceof KernelError)) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined
    throw error
  }
  if (NOT_OF_AN_ELEMENT.has(error.code)) throw error
  const at = error.index === undefined ? undefined : changes[error.index]
  if (at === undefined) return undefined
  if (error.code !== 'ENFILE') return new Set([at])
  // A set that is full has no room for those that follow either.
  return new Set(changes.slice(error.index).filter((one) => one.do === 'add' && one.set === at.set))
}

async function halve(
  kernel: Kernel,
  changes: readonly ElementChange[],
  refuse: (change: ElementChange, error: Error) => void,
): Promise<void> {
  if (changes.length === 0) return
  try {
    await kernel.change(changes)
  } catch (error) {
    if (error instanceof KernelError && NOT_OF_AN_ELEMENT.has(error.code)) throw error
    const only = changes[0] as ElementChange
    if (changes.length === 1) {
      refuse(only, error as Error)
      return
    }
    const middle = changes.length >> 1
    await halve(kernel, changes.slice(0, middle), refuse)
    await halve(kernel, changes.slice(middle), refuse)
  }
}
