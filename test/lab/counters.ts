// What the kernel itself counted, by MAC: nftables counters where the home's traffic passes, as the judge of the agent.
// IP only, from the IP header on, like the agent's.
import type { Home, HomeDevice, Position } from './home.ts'
import { sleep, succeed } from './process.ts'

/** Of one device, seen from it. */
export interface Counted {
  sent_bytes: number
  received_bytes: number
  sent_packets: number
  received_packets: number
}

const ETHERNET_BYTES = 14
const TABLE = 'homespin_lab'

/** Where a direction is counted; `egress` hooks see the Ethernet header too, all others begin at the IP header. */
type Place = 'in' | 'out'

function chainOf(place: Place, position: Position, name: string): string {
  if (position === 'bridge') {
    const hook = place === 'in' ? 'prerouting' : 'output'
    return `type filter hook ${hook} priority -300`
  }
  const hook = place === 'in' ? 'ingress' : 'egress'
  return `type filter hook ${hook} device "${name}" priority -300`
}

/**
 * Two-armed and one-armed: every frame of the LAN interface, both ways. Bridge: every frame that enters a port, and
 * those that the bridge itself sends.
 */
function rulesOf(devices: readonly HomeDevice[], position: Position, name: string): string {
  const places: Place[] = ['in', 'out']
  const counters = devices.flatMap(({ id }) =>
    places.flatMap((place) => [`counter s_${place}_${id} { }`, `counter r_${place}_${id} { }`]),
  )
  const chains = places.map((place) => {
    const map = (way: string): string =>
      devices.map(({ mac, id }) => `${mac} : "${way}_${place}_${id}"`).join(', ')
    return `chain ${place} { ${chainOf(place, position, name)}
      ether type { ip, ip6 } counter name ether saddr map { ${map('s')} }
      ether type { ip, ip6 } counter name ether daddr map { ${map('r')} }
    }`
  })
  const family = position === 'bridge' ? 'bridge' : 'netdev'
  return `table ${family} ${TABLE} { ${counters.join('\n')}\n${chains.join('\n')}\n}`
}

interface NftCounter {
  counter?: { name: string; table: string; packets: number; bytes: number }
}

/** Counters in the box of a home, for every device. */
export class Counters {
  readonly #home: Home
  readonly #name: string

  /** `name`: the LAN interface. */
  constructor(home: Home, name: string) {
    this.#home = home
    this.#name = name
  }

  async start(): Promise<void> {
    const rules = rulesOf(this.#home.devices, this.#home.position, this.#name)
    await succeed('ip', this.#home.inside('box', 'nft', '-f', '-'), { input: rules })
  }

  /** Waits until the home is silent, and begins at zero. */
  async begin(): Promise<void> {
    await this.readQuiet()
    await this.#home.in('box', 'nft', 'reset', 'counters')
  }

  /** By device id, since `start` or `begin`. */
  async read(): Promise<Map<string, Counted>> {
    const text = await this.#home.in('box', 'nft', '-j', 'list', 'counters')
    const { nftables } = JSON.parse(text) as { nftables: NftCounter[] }
    const found = new Map<string, Counted>()
    for (const { counter } of nftables) {
      if (counter?.table !== TABLE) continue
      const [way, place, id = ''] = counter.name.split('_')
      const counted = found.get(id) ?? nothing()
      const head = place === 'out' && this.#home.position !== 'bridge' ? ETHERNET_BYTES : 0
      const bytes = counter.bytes - head * counter.packets
      if (way === 's') {
        counted.sent_bytes += bytes
        counted.sent_packets += counter.packets
      } else {
        counted.received_bytes += bytes
        counted.received_packets += counter.packets
      }
      found.set(id, counted)
    }
    return found
  }

  /** Reads them once nothing has moved for `quietMs`. */
  async readQuiet(quietMs = 1500, timeoutMs = 20_000): Promise<Map<string, Counted>> {
    const end = Date.now() + timeoutMs
    let before = await this.read()
    for (let quietSince = Date.now(); Date.now() - quietSince < quietMs; ) {
      if (Date.now() > end) throw new Error(`the home does not fall silent within ${timeoutMs} ms`)
      await sleep(100)
      const now = await this.read()
      if (JSON.stringify([...now]) !== JSON.stringify([...before])) quietSince = Date.now()
      before = now
    }
    return before
  }
}

export function nothing(): Counted {
  return { sent_bytes: 0, received_bytes: 0, sent_packets: 0, received_packets: 0 }
}

/** The largest relative difference of bytes between what was counted and what should have been; 0 is exact. */
export function worstError(
  got: ReadonlyMap<string, Counted>,
  want: ReadonlyMap<string, Counted>,
): { error: number; where: string } {
  let worst = { error: 0, where: 'exact' }
  for (const [id, right] of want) {
    for (const key of ['sent_bytes', 'received_bytes'] as const) {
      const difference = Math.abs((got.get(id)?.[key] ?? 0) - right[key])
      const error = difference === 0 ? 0 : difference / Math.max(right[key], 1)
      if (error > worst.error) {
        worst = { error, where: `${id} ${key}: ${got.get(id)?.[key] ?? 0}, kernel ${right[key]}` }
      }
    }
  }
  return worst
}

/** The agent's figures once they stand still and the kernel's have not moved meanwhile. */
export async function settle(
  counters: Counters,
  get: () => ReadonlyMap<string, Counted> | Promise<ReadonlyMap<string, Counted>>,
): Promise<{ error: number; where: string; bytes: number }> {
  let last = { error: 1, where: '', bytes: 0 }
  for (let i = 0; i < 5; i++) {
    const want = await counters.readQuiet()
    last = { ...worstError(await get(), want), bytes: 0 }
    for (const one of want.values()) last.bytes += one.sent_bytes + one.received_bytes
    // A neighbour that is asked for again moves the kernel's counters a moment before the agent's.
    if (last.error === 0) break
  }
  return last
}
