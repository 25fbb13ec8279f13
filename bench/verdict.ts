// First packets that wait for a verdict, beside a loop in C that accepts everything: new connections a second, the round trip
// of a first packet, and what is left of established traffic. Three namespaces; rounds by turns.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Namespaces } from '../test/lab/namespaces.ts'
import { Program, succeed } from '../test/lab/process.ts'
import { median } from './cost.ts'
import type { Limits } from './limits.ts'
import type { Result } from './results.ts'

const MAC = '02:0d:e0:00:00:01'
const ROUTER_MAC = '02:0d:e0:ff:00:01'
const REMOTE = '198.51.100.2'
const QUEUE = '3'
const MARK = '0x10000000'
/** Longer than a burst of new connections, so that nothing passes unseen. */
const LENGTH = '65536'
const ECHO_PORT = 7
const SETTLED_MS = 60

/**
 * Who serves the queue; `none`: no queue, conntrack alone. With the agent's own tables: traffic of a device that asks (`own`), and
 * of one about which nothing is ordered, beside ten or 50 000 that are held (`few`, `many`), and of one for which ten or 50 000 other
 * addresses are blocked (`short`, `long`).
 */
type Way = 'none' | 'c' | 'known' | 'asked' | 'busy' | 'own' | 'few' | 'many' | 'short' | 'long'

/** The words of ruleset-child.ts. */
const OWN: Partial<Record<Way, readonly string[]>> = {
  own: ['asked', '10'],
  few: ['free', '10'],
  many: ['free', '50000'],
  short: ['blocks', '10'],
  long: ['blocks', '50000'],
}

class Stage {
  readonly #limits: Limits
  readonly #spaces = new Namespaces()
  readonly #folder: string
  #echo: Program | undefined
  #firstFlow = 0

  constructor(limits: Limits, scratch: string) {
    this.#limits = limits
    this.#folder = join(scratch, 'verdict')
  }

  async start(): Promise<void> {
    mkdirSync(this.#folder)
    for (const name of ['verdicts', 'roundtrip']) {
      const source = join(this.#folder, `${name}.c`)
      copyFileSync(join(import.meta.dirname, 'c', `${name}.c`), source)
      await succeed(process.env.CC ?? 'cc', ['-O2', source, '-o', join(this.#folder, name)])
    }
    const spaces = this.#spaces
    await spaces.make(['dev', 'gw', 'wan'])
    for (const name of ['dev', 'gw', 'wan']) {
      await spaces.set(name, ['net/ipv6/conf/default/disable_ipv6'], '1')
      await spaces.ip(name, ['link set lo up'])
    }
    await spaces.set('gw', ['net/ipv4/ip_forward'], '1')
    await spaces.ip('gw', [
      `link add lan0 address ${ROUTER_MAC} type veth peer name eth0 address ${MAC} netns ${spaces.name('dev')}`,
      `link add wan0 type veth peer name eth0 netns ${spaces.name('wan')}`,
      ...['link set lan0 up', 'link set wan0 up'],
      ...['addr add 192.0.2.1/24 dev lan0', 'addr add 198.51.100.1/24 dev wan0'],
    ])
    await spaces.ip('dev', [
      'link set eth0 up',
      'addr add 192.0.2.11/24 dev eth0',
      'route add default via 192.0.2.1',
    ])
    await spaces.ip('wan', [
      'link set eth0 up',
      `addr add ${REMOTE}/24 dev eth0`,
      'route add default via 198.51.100.1',
    ])
    // What arrives is counted by the interface and thrown away before anything is done with it.
    const sink =
      'table netdev sink { chain in { type filter hook ingress device "eth0" priority 0; udp dport 9-99 drop; }; }'
    await succeed('ip', spaces.exec('wan', 'nft', sink))
    const serve = [join(this.#folder, 'roundtrip'), 'serve', String(ECHO_PORT)]
    this.#echo = new Program('ip', spaces.exec('wan', ...serve)).start()
  }

  async stop(): Promise<void> {
    await this.#echo?.stop()
    await this.#spaces.remove()
  }

  /** Runs `measure` with the queue served in a way. */
  async with<T>(way: Way, measure: () => Promise<T>): Promise<T> {
    const gw = (...command: string[]): string[] => this.#spaces.exec('gw', ...command)
    const ct = way === 'none' ? 'ct state new counter' : `meta mark ${MARK} ct mark set ${MARK}`
    const chain = `chain f { type filter hook forward priority 0; ${ct}; }`
    await succeed('ip', gw('nft', 'flush ruleset'))
    await succeed('ip', gw('nft', `table inet g { ${chain}; }`))
    await succeed('ip', gw('conntrack', '-F'))
    if (way === 'none') return await measure()
    const own = OWN[way]
    if (own !== undefined) {
      await succeed('ip', gw('nft', 'flush ruleset'))
      const words = [...own, MAC, 'lan0', 'wan0']
      const script = join(import.meta.dirname, 'ruleset-child.ts')
      return await this.#serving(way, gw(process.execPath, script, ...words), measure)
    }
    const rule = ['iptables-nft', '-t', 'mangle', '-A', 'FORWARD']
    await succeed('ip', gw(...rule, '-m', 'connmark', '--mark', MARK, '-j', 'ACCEPT'))
    const target = ['-j', 'NFQUEUE', '--queue-num', QUEUE, '--queue-bypass']
    await succeed('ip', gw(...rule, ...target))
    const child = join(import.meta.dirname, 'verdict-child.ts')
    const command =
      way === 'c'
        ? [join(this.#folder, 'verdicts'), QUEUE, MARK, LENGTH]
        : [process.execPath, child, way, QUEUE, MARK, LENGTH, MAC, REMOTE]
    return await this.#serving(way, gw(...command), measure)
  }

  async #serving<T>(way: Way, command: string[], measure: () => Promise<T>): Promise<T> {
    const server = new Program('ip', command)
    const ready = new Promise<void>((resolve) => server.onLine(() => resolve()))
    server.start()
    try {
      await Promise.race([
        ready,
        server.ended.then(({ stderr }) => Promise.reject(new Error(`${way}: ${stderr}`))),
      ])
      return await measure()
    } finally {
      await server.stop()
    }
  }

  /** Begins the flows of the next burst, so that none of their first packets waits in it. */
  async begin(flows: number): Promise<void> {
    const ends = ['eth0', MAC, ROUTER_MAC, '192.0.2.11', REMOTE]
    const numbers = [flows, flows, 1000, 60, this.#firstFlow].map(String)
    await succeed('ip', this.#spaces.exec('dev', this.#limits.udpgen, ...ends, ...numbers))
    await sleep(300)
  }

  /**
   * Packets a second that arrive of a burst, from the first to the last. Throws when more are lost than may be: of a burst that
   * comes faster than it is forwarded the rate is that of forwarding.
   */
  async rate(packets: number, flows: number, mayLose = 0.01): Promise<number> {
    const ends = ['eth0', MAC, ROUTER_MAC, '192.0.2.11', REMOTE]
    const numbers = [packets, flows, 0, 60, this.#firstFlow].map(String)
    // One remote: its 60 000 ports, over and over, as connections are forgotten between.
    this.#firstFlow = (this.#firstFlow + flows) % 4
    const before = this.#arrived()
    let sent = false
    // All on one core, from the generator to the sink: what moves between two costs more in one round than in the next.
    const pinned = ['taskset', '-c', '0', this.#limits.udpgen]
    const sending = succeed('ip', this.#spaces.exec('dev', ...pinned, ...ends, ...numbers)).finally(
      () => {
        sent = true
      },
    )
    let [first, last, count] = [0, 0, 0]
    for (;;) {
      await sleep(1)
      const now = performance.now()
      const arrived = this.#arrived() - before
      if (arrived > count) {
        if (first === 0) first = now
        last = now
        count = arrived
      } else if (sent && now - last > SETTLED_MS) {
        break
      }
    }
    await sending
    if (count < packets * (1 - mayLose))
      throw new Error(`only ${count} of ${packets} packets arrived`)
    return (count / (last - first)) * 1000
  }

  /** Median of microseconds from the first datagram of a flow to its echo. */
  async roundTrip(count: number): Promise<number> {
    const words = [REMOTE, String(ECHO_PORT), String(count), '100']
    const command = this.#spaces.exec('dev', join(this.#folder, 'roundtrip'), ...words)
    const { came, p50 } = JSON.parse(await succeed('ip', command)) as Record<string, number>
    if (came !== count) throw new Error(`only ${came} of ${count} datagrams came back`)
    return p50 ?? Number.NaN
  }

  #arrived(): number {
    const text = readFileSync(`/proc/${this.#echo?.pid}/net/dev`, 'utf8')
    const fields = /eth0:\s*(.*)/.exec(text)?.[1]?.split(/\s+/) ?? []
    return Number(fields[1])
  }
}

/** Median of the ratios of the same round. */
function ratio(one: readonly number[], other: readonly number[]): number {
  return median(one.map((value, i) => value / (other[i] ?? Number.NaN)))
}

async function byTurns<W extends Way>(
  stage: Stage,
  rounds: number,
  ways: readonly W[],
  measure: () => Promise<number>,
): Promise<Record<W, number[]>> {
  const found = Object.fromEntries(ways.map((way) => [way, []])) as unknown as Record<W, number[]>
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    const turned = ways.map((_, i) => ways[(i + round) % ways.length] as W)
    for (const way of turned) {
      const value = await stage.with(way, measure).catch((cause: Error) => {
        throw new Error(`${way}: ${cause.message}`, { cause })
      })
      if (round > 0) found[way].push(value)
    }
  }
  return found
}

/**
 * Each way between two rounds of `base`, as a multiple of the mean of both: what else the machine does comes and goes, and meets
 * all three. Medians.
 */
async function besides<W extends Way>(
  stage: Stage,
  rounds: number,
  base: Way,
  ways: readonly W[],
  measure: () => Promise<number>,
): Promise<Record<W, number>> {
  const found = new Map(ways.map((way): [W, number[]] => [way, []]))
  let before = await stage.with(base, measure)
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const value = await stage.with(way, measure)
      const after = await stage.with(base, measure)
      found.get(way)?.push((2 * value) / (before + after))
      before = after
    }
  }
  const medians = [...found].map(([way, ratios]) => [way, median(ratios)])
  return Object.fromEntries(medians) as Record<W, number>
}

/** All figures of verdicts. */
export async function verdictFigures(
  limits: Limits,
  scratch: string,
  rounds: number,
): Promise<Result[]> {
  const stage = new Stage(limits, scratch)
  await stage.start()
  try {
    const flows = await byTurns(stage, rounds, ['none', 'c', 'known', 'asked'], () =>
      stage.rate(40_000, 40_000),
    )
    const trips = await byTurns(stage, rounds, ['none', 'c', 'known', 'busy', 'asked'], () =>
      stage.roundTrip(3000),
    )
    const settled = async (): Promise<number> => {
      await stage.begin(64)
      return await stage.rate(500_000, 64, 0.9)
    }
    const steady = await besides(stage, rounds * 2, 'none', ['known', 'own', 'few'], settled)
    const held = await besides(stage, rounds * 2, 'few', ['many'], settled)
    const blocked = await besides(stage, rounds * 2, 'short', ['long'], settled)
    const k = (way: keyof typeof flows): string => `${Math.round(median(flows[way]) / 1000)} k/s`
    const us = (way: keyof typeof trips): string => `${median(trips[way]).toFixed(1)} µs`
    const name = 'verdict'
    return [
      {
        ...{ name, what: 'new connections/s, verdict known', atLeast: 0.8 },
        value: ratio(flows.known, flows.c),
        note: `${k('known')}; C ${k('c')}; conntrack alone ${k('none')}`,
      },
      {
        ...{ name, what: 'new connections/s, JavaScript decides', atLeast: 0.6 },
        value: ratio(flows.asked, flows.c),
        note: k('asked'),
      },
      {
        ...{ name, what: 'first packet there and back, verdict known', atMost: 1.15 },
        value: ratio(trips.known, trips.c),
        note: `${us('known')}; C ${us('c')}; conntrack alone ${us('none')}`,
      },
      {
        ...{ name, what: 'the same while JavaScript is busy', atMost: 1.15 },
        value: ratio(trips.busy, trips.c),
        note: us('busy'),
      },
      {
        ...{ name, what: 'the same, JavaScript decides' },
        value: ratio(trips.asked, trips.c),
        note: us('asked'),
      },
      {
        ...{ name, what: 'established traffic, against conntrack alone', atLeast: 0.97 },
        value: steady.known,
      },
      {
        ...{ name, what: 'the same, the whole ruleset, a device that asks' },
        value: steady.own,
      },
      {
        ...{ name, what: 'the same, the whole ruleset, a device without rules', atLeast: 0.97 },
        value: steady.few,
      },
      {
        ...{ name, what: 'time a packet, 50 000 devices held against ten', atMost: 1.05 },
        value: 1 / held.many,
      },
      {
        ...{ name, what: 'the same, 50 000 addresses blocked for it against ten', atMost: 1.05 },
        value: 1 / blocked.long,
      },
    ]
  } finally {
    await stage.stop()
  }
}
