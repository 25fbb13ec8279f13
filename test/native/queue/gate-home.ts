// The home of the queues' tests with its DNS queued and gated: what the tests of the gate ask for, and what the kernel's sets hold.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { DnsGateCounters, DnsPolicy, GatedDevice, GateSet } from '../../../native/dns-gate.ts'
import { succeed, until } from '../../lab/process.ts'
import type { ZoneRecord } from './dns-server.ts'
import { DEVICE_IPS, MAC, QueueHome, SERVER_IPS } from './home.ts'

const QUEUE = 72
export const [SERVER] = SERVER_IPS
const KEYS = { '': 'mac', Ip: 'ip', All: 'none' } as const
export const SETS: GateSet[] = [4, 6].flatMap((v) =>
  (['resolved', 'block', 'allow'] as const).flatMap((kind) =>
    (['', 'Ip', 'All'] as const).map((by) => ({
      family: 'inet' as const,
      table: 'gate',
      set: `${kind}${by}${v}`,
      kind,
      ipv6: v === 6,
      key: KEYS[by],
    })),
  ),
)
function typeOf({ key, ipv6 }: GateSet): string {
  const address = ipv6 ? 'ipv6_addr' : 'ipv4_addr'
  return { mac: `ether_addr . ${address}`, ip: `${address} . ${address}`, none: address }[key]
}
const TABLE = `table inet gate {
${SETS.map((set) => `set ${set.set} { type ${typeOf(set)}; flags timeout; }`).join('\n')}
chain forward { type filter hook forward priority 10; policy accept;
  ether saddr ${MAC} ip daddr 203.0.113.0/24 ether saddr . ip daddr @block4 drop
  ether saddr ${MAC} ip daddr 203.0.113.0/24 ether saddr . ip daddr != @resolved4 drop
}
}`

/** A device about which nothing is ordered. */
export const free: GatedDevice = {
  mac: MAC,
  ips: DEVICE_IPS,
  block: [],
  allow: [],
  allowList: false,
  localOnly: false,
  noDnsNoConnect: false,
  canary: false,
}
/** What the gate does to one device, and to all. */
export function policy(device: Partial<GatedDevice>, more: Partial<DnsPolicy> = {}): DnsPolicy {
  const none = { block: [], allow: [], protect: [], resolvers: [], local: ['lan'] }
  return { devices: [{ ...free, ...device }], ...none, ...more }
}

/** What `dig` got: status, addresses, and all that it says. */
interface Dug {
  status: string
  data: string[]
  text: string
}

export class GateHome extends QueueHome {
  override async start(): Promise<void> {
    await super.start()
    const rules = [
      'PREROUTING -i lan0 DPORT',
      'FORWARD -o lan0 SPORT',
      'OUTPUT -o lan0 SPORT',
    ].flatMap((rule) =>
      ['udp', 'tcp'].map((protocol) => {
        const match = rule.replace(
          /([DS])PORT/,
          (_, way) => `-p ${protocol} --${way.toLowerCase()}port 53`,
        )
        return `-A ${match} -j NFQUEUE --queue-num ${QUEUE} --queue-bypass`
      }),
    )
    await this.mangle(rules)
    await this.server.tell('echo', { port: 7 })
  }

  override async reset(): Promise<void> {
    await super.reset(`table inet gate\ndelete table inet gate\n${TABLE}`)
    await this.zone([
      { name: 'ads.example', type: 'A', data: '203.0.113.9' },
      { name: 'ads.example', type: 'AAAA', data: '2001:db8:9::9' },
      { name: 'x.ads.example', type: 'A', data: '203.0.113.10' },
      { name: 'good.example', type: 'A', data: '203.0.113.20', ttl: 5 },
      { name: 'good.example', type: 'AAAA', data: '2001:db8:9::20' },
    ])
  }

  async zone(records: ZoneRecord[]): Promise<void> {
    await this.server.tell('zone', { zone: records })
  }

  async gate(what: DnsPolicy): Promise<void> {
    await this.router.tell('gate', { options: { queue: QUEUE, sets: SETS }, policy: what })
  }

  async policy(what: DnsPolicy): Promise<void> {
    await this.router.tell('policy', { policy: what })
  }

  async dig(...words: string[]): Promise<Dug> {
    const at = words.some((word) => word.startsWith('@')) ? [] : [`@${SERVER}`]
    const args = ['dig', ...at, '+time=2', '+tries=1', ...words]
    const text = await succeed('ip', this.spaces.exec('dev', ...args))
    const data = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.split(/\s+/).slice(4).join(' '))
    return { status: /status: (\w+)/.exec(text)?.[1] ?? '', data, text }
  }

  /** The elements of a set, sorted, their parts with a blank between. */
  async set(name: string): Promise<string[]> {
    const text = await this.gw('nft', '-j', 'list', 'set', 'inet', 'gate', name)
    const { nftables } = JSON.parse(text) as {
      nftables: { set?: { elem?: { elem: { val: string | { concat: string[] } } }[] } }[]
    }
    return (nftables.find((one) => one.set)?.set?.elem ?? [])
      .map(({ elem: { val } }) => (typeof val === 'string' ? val : val.concat.join(' ')))
      .sort()
  }

  /** Waits until a set holds just these: elements that no answer waits for come a moment later. */
  async holds(name: string, elements: readonly string[]): Promise<void> {
    let found: string[] = []
    const same = async (): Promise<true | undefined> => {
      found = await this.set(name)
      return isDeepStrictEqual(found, elements) || undefined
    }
    await until(name, same).catch(() => assert.deepEqual(found, elements))
  }

  /** Waits until a set holds so many. */
  async holdsSome(name: string, count: number): Promise<void> {
    let found = 0
    const same = async (): Promise<true | undefined> => {
      found = (await this.set(name)).length
      return found === count || undefined
    }
    await until(name, same).catch(() => assert.equal(found, count, name))
  }

  async counters(): Promise<DnsGateCounters> {
    const told = await this.router.tell<'gateCounters', { counters: DnsGateCounters }>(
      'gateCounters',
      {},
    )
    return told.counters
  }
}
