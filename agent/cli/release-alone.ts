// Taking our tables away by the program nft, on this box or on a router by SSH, for when no agent does it.
import { spawnSync } from 'node:child_process'
import type { SshTarget } from '../ssh-target.ts'
import { asRoot, sshArguments, sshFault } from '../ssh-target.ts'

/** Families in which we may have a table, all of one name. */
const FAMILIES = ['inet', 'netdev', 'bridge']
const TABLE = 'homespin'
const LOCAL_TIMEOUT_MS = 10_000
const REMOTE_TIMEOUT_MS = 30_000
/** A ruleset with tens of thousands of elements as JSON. */
const MAX_OUTPUT = 256 << 20
/** Whoever has no access there by this program types it. */
const BY_HAND = `for f in ${FAMILIES.join(' ')}; do nft delete table $f ${TABLE}; done`
/** Sets that are about devices, of which an agent that holds nothing has only empty ones. */
const HOLDS = /^(?:from|to|gate)_/

interface Outcome {
  /** Why it was not done; undefined: it was. */
  fault?: string
  stdout: string
}

/** Where tables may be. */
export interface Kernel {
  /** Begins sentences. */
  where: string
  nft: (args: string, input: string) => Outcome
  /** What to do where it fails. */
  advice: string
}

/** The kernel of this box. */
export function ownKernel(): Kernel {
  return {
    where: 'this box',
    nft: (args, input) => {
      const { status, error, stderr, stdout } = spawnSync('nft', args.split(' '), {
        input,
        timeout: LOCAL_TIMEOUT_MS,
        encoding: 'utf8',
        maxBuffer: MAX_OUTPUT,
      })
      const said = error?.message ?? stderr?.split('\n')[0] ?? ''
      return { stdout: stdout ?? '', ...(status === 0 ? {} : { fault: said }) }
    },
    advice: 'Try: sudo homespin panic',
  }
}

/** A router's kernel, by an SSH connection for each call. */
export function routerKernel(target: SshTarget): Kernel {
  return {
    where: `the router ${target.host}`,
    nft: (args, input) => {
      const program = sshArguments(target, `exec ${asRoot(target)}nft ${args}`)
      const { status, error, stderr, stdout } = spawnSync('ssh', program, {
        input,
        timeout: REMOTE_TIMEOUT_MS,
        encoding: 'utf8',
        maxBuffer: MAX_OUTPUT,
      })
      if (status === 0) return { stdout }
      // 255 is of ssh itself (ssh(1)); it may end before it has read what nft is told, which is an error of no meaning (EPIPE).
      const said = stderr ?? ''
      const why = status === 255 ? sshFault(target, said).sentence : (said.split('\n')[0] ?? '')
      return { stdout: '', fault: status === null ? (error?.message ?? why) : why }
    },
    advice: `Run there: ${BY_HAND}`,
  }
}

/** Our tables and nothing else; adding each first makes deleting sure to find it. Undefined: they are gone. */
export function removeTables({ where, nft, advice }: Kernel): string | undefined {
  const faults = FAMILIES.flatMap((family) => {
    const text = `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`
    const { fault } = nft('-f -', text)
    // A kernel without this family has no table of it.
    return fault === undefined || /not supported/i.test(fault) ? [] : [fault]
  })
  if (faults.length === 0) return undefined
  const [first] = faults
  return `${where} may hold its rules: ${first}. ${advice}`
}

interface Listed {
  table?: { family: string; name: string }
  set?: { name: string; elem?: unknown[] }
}

/** Whether somebody put them back, with anything in them. Undefined: nothing is held. */
export function heldAgain({ where, nft, advice }: Kernel): string | undefined {
  const listed = (args: string): Listed[] | undefined => {
    const { fault, stdout } = nft(`-j list ${args}`, '')
    if (fault !== undefined) return undefined
    try {
      return (JSON.parse(stdout) as { nftables: Listed[] }).nftables
    } catch {
      return undefined
    }
  }
  const unknown = `${where}: it could not be seen whether its tables are gone. ${advice}`
  const tables = listed('tables')
  if (tables === undefined) return unknown
  for (const { table } of tables) {
    if (table?.name !== TABLE || !FAMILIES.includes(table.family)) continue
    const inside = listed(`table ${table.family} ${TABLE}`)
    // Gone in between, or in the midst of a change.
    if (inside === undefined) return unknown
    const holds = inside.some(({ set }) => set && HOLDS.test(set.name) && set.elem?.length)
    if (holds) {
      return `${where}: table ${table.family} ${TABLE} is there again: another agent holds its rules, with a data folder of its own. Stop it, or name that folder with --data`
    }
  }
  return undefined
}
