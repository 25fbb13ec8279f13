// What must come of each conversation at each level, as the design's table says; and how it is tried with real packets.
import type { Level } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import type { End, LevelsHome } from './levels-home.ts'
import { ENDS } from './levels-home.ts'
import { DHCP_SERVER, GROUP, GROUP_PORT, PORT } from './levels-probe.ts'
import { sleep } from './process.ts'

/** `free`: nothing is ordered. `both`: `internet_only` and `local_only` at once. */
export type Held = Level | 'free' | 'both'
export const HELD: readonly Held[] = ['free', ...LEVELS, 'both']

/** The levels that are ordered, the strictest first. */
export function levelsOfHeld(held: Held): readonly Level[] {
  if (held === 'free') return []
  return held === 'both' ? ['local_only', 'internet_only'] : [held]
}

/** What became of a datagram and of its answer. */
export type Outcome = 'answered' | 'delivered' | 'nothing'

export interface Cell {
  name: string
  /** Who begins. */
  from: End
  to: End
  fromIp: string
  toIp: string
  port: number
  sport?: number
  version: 4 | 6
}

function pair(home: LevelsHome, from: End, to: End, port: number, what: string): Cell[] {
  const one = home.addresses(from)
  const other = home.addresses(to)
  const cells: Cell[] = []
  const add = (kind: string, fromIp: string, toIp: string, version: 4 | 6): void => {
    cells.push({ name: `${what} ${kind}`, from, to, fromIp, toIp, port, version })
  }
  add('ipv4', one.ipv4, other.ipv4, 4)
  add('ipv6', one.ipv6, other.ipv6, 6)
  add('privacy', one.privacy ?? one.ipv6, other.privacy ?? other.ipv6, 6)
  return cells
}

/** Every conversation of the table. */
export function cellsOf(home: LevelsHome): Cell[] {
  const others: readonly [End, string][] = [
    ['wan', 'internet'],
    ['peer', 'peer'],
    ['ctl', 'controller'],
    ['box', 'box'],
  ]
  const fromIp = home.addresses('dev').ipv4
  const many = { from: 'dev', to: 'box', fromIp, version: 4 } as const
  return [
    ...others.flatMap(([end, what]) => [
      ...pair(home, 'dev', end, PORT, `device to ${what}`),
      ...pair(home, end, 'dev', PORT, `${what} to device`),
    ]),
    ...pair(home, 'dev', 'box', 53, 'device to dns'),
    { ...many, name: 'device to multicast', toIp: GROUP, port: GROUP_PORT },
    { ...many, name: 'device to dhcp', toIp: '255.255.255.255', port: DHCP_SERVER, sport: 68 },
  ]
}

/** The table of levels: who may begin a conversation with whom. */
const OPEN: Record<string, readonly Level[]> = {
  'device to internet': ['observe', 'internet_only'],
  'internet to device': ['observe', 'internet_only'],
  'device to peer': ['observe', 'local_only'],
  'peer to device': ['observe', 'local_only'],
  'device to controller': ['observe', 'local_only'],
  'controller to device': ['observe', 'internet_only', 'local_only'],
  'device to box': ['observe', 'local_only'],
  'box to device': ['observe', 'internet_only', 'local_only'],
  'device to dns': ['observe', 'internet_only', 'local_only'],
  'device to multicast': ['observe', 'local_only'],
  'device to dhcp': ['observe', 'internet_only', 'local_only', 'full'],
}

/** One-armed, only what goes through the box is held: not what stays on the switch, nor IPv6, which goes round it. */
function oneArmed(cell: Cell, open: boolean): Outcome {
  const throughBox = cell.to === 'box' || cell.from === 'box'
  if (throughBox) return open ? 'answered' : 'nothing'
  const internet = cell.from === 'wan' || cell.to === 'wan'
  if (!internet || cell.version === 6 || open) return 'answered'
  // The router hands it to the device; the answer goes through the box.
  return cell.from === 'wan' ? 'delivered' : 'nothing'
}

export function expected(cell: Cell, held: Held, home: LevelsHome): Outcome {
  const what = cell.name.replace(/ (ipv4|ipv6|privacy)$/, '')
  // Of several levels, what each of them leaves open.
  const open = levelsOfHeld(held).every((level) => OPEN[what]?.includes(level) ?? false)
  // Nobody waits for the answer to a multicast; a server's broadcast has no route back in this lab.
  if (what === 'device to multicast' || what === 'device to dhcp')
    return open ? 'delivered' : 'nothing'
  if (home.shape === 'one_armed') return oneArmed(cell, open)
  return open ? 'answered' : 'nothing'
}

let count = 0

/** Tries all of them at once; gives what came of each. */
export async function tryAll(
  home: LevelsHome,
  cells: readonly Cell[],
): Promise<Map<Cell, Outcome>> {
  for (const end of ENDS) await home.ask(end, { do: 'tell' })
  const names = new Map(cells.map((cell) => [cell, `${++count}`]))
  // How long an end takes to do as it is told says how busy the machine is.
  let slowestMs = 0
  for (const [cell, name] of names) {
    const { from, fromIp, toIp, port, sport } = cell
    const asked = performance.now()
    await home.ask(from, {
      do: 'send',
      name,
      from: fromIp,
      to: toIp,
      port,
      ...(sport ? { sport } : {}),
    })
    slowestMs = Math.max(slowestMs, performance.now() - asked)
  }
  const ends = new Map([...names].map(([cell, name]) => [name, cell.to]))
  const came = new Set<string>()
  const answered = new Set<string>()
  await sleep(Math.min(120 + 10 * slowestMs, 1000))
  for (const end of ENDS) {
    const told = await home.ask(end, { do: 'tell' })
    for (const name of told.came) {
      // One-armed, the switch brings a multicast to others without asking the box.
      if (home.shape !== 'one_armed' || ends.get(name) === end) came.add(name)
    }
    for (const name of told.answered) answered.add(name)
  }
  return new Map(
    [...names].map(([cell, name]) => {
      const whole = answered.has(name) && cell.toIp !== GROUP && !cell.sport
      return [cell, whole ? 'answered' : came.has(name) ? 'delivered' : 'nothing']
    }),
  )
}
