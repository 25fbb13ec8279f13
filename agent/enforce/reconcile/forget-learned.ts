// Addresses in dynamic sets that nobody answers for: those that an earlier run of this program learned, and on a bridge, where there
// are no connections, the remotes that a device uses.
import type { DesiredDevice } from '../../policy/desired.ts'
import type { ElementChange, Kernel } from '../kernel/kernel.ts'
import type { Elements } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import type { KernelWriter } from './reconciler-writer.ts'

/** What devices may reach because of names. */
export const OPEN_SETS = /^(?:using|resolved|dns_allow)(?:_ip|_all)?[46]$/
/** What they may not. */
export const SHUT_SETS = /^dns_block(?:_ip|_all)?[46]$/

export interface Forgetting {
  sets: RegExp
  devices: readonly DesiredDevice[]
  /** Those for everybody too. */
  everyone: boolean
  /** What the gate knows of now; of a set that is not in it all is forgotten. */
  known: () => Elements
  /** Has the gate write what it knows of again. */
  restore?: () => void
}

/** Takes these devices' elements out; those of which the gate knows are its own business. */
export async function forgetLearned(
  { sets, devices, everyone, known, restore }: Forgetting,
  writer: Pick<KernelWriter, 'sets' | 'writeDynamic'>,
  kernel: Pick<Kernel, 'elements'>,
): Promise<void> {
  const owners = new Set(devices.flatMap(({ mac, ips }) => (mac === undefined ? ips : [mac])))
  for (const set of writer.sets.values()) {
    if (!set.dynamic || !sets.test(set.name)) continue
    const changes: ElementChange[] = []
    const found = [...(await kernel.elements(set)).keys()]
    // Asked behind: what the gate puts in it knows before.
    const kept = known().get(setId(set))
    for (const key of found) {
      const [owner, remote] = key.split(' . ')
      const theirs = remote === undefined ? everyone : owners.has(owner as string)
      if (theirs && !kept?.has(key)) changes.push({ do: 'delete', set, key })
    }
    // Set by set, at once: a name may be asked for again at this moment, and its address is the gate's then.
    if (changes.length === 0) continue
    await writer.writeDynamic(changes)
    const learned = known().get(setId(set))
    if (changes.some(({ key }) => learned?.has(key))) restore?.()
  }
}
