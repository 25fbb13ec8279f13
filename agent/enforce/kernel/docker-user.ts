// The one exception to "tables of others are never touched": where Docker's FORWARD policy would drop what a gateway routes,
// marked rules in DOCKER-USER, the chain that Docker keeps for others' rules, by the program of the back end that it uses.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { ForwardDoor } from '../place/door-watch.ts'
import type { Place } from '../place/place.ts'
import type { Standing } from '../place/standing.ts'

/** Each rule of ours carries it as its comment. */
export const MARK = 'homespin'

/** Runs a program to its end without a shell; rejects with an Error where it fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string>

const TIMEOUT_MS = 10_000

type Family = 'ip' | 'ip6'
const FAMILIES: readonly Family[] = ['ip', 'ip6']
const PROGRAMS = {
  nft: { ip: 'iptables-nft', ip6: 'ip6tables-nft' },
  legacy: { ip: 'iptables-legacy', ip6: 'ip6tables-legacy' },
} as const
/** Tables of the legacy back end that exist; asking by its program would make them. */
const LEGACY_NAMES = { ip: '/proc/net/ip_tables_names', ip6: '/proc/net/ip6_tables_names' } as const

/** Links of Docker's: where one is there, so may be its rules. */
const DOCKER_LINK = /^\s*(?:docker\d+|hassio|br-[0-9a-f]{12}):/m
/** Where a service's PATH may leave out what only root uses. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

/** A chain for others' rules. */
interface Spot {
  program: 'nft' | 'legacy' | 'native'
  /** `ip filter`, `inet docker`. */
  table: string
  chain: string
  family: Family | 'inet'
  /** What it lets through would be dropped. */
  drops: boolean
}

/** What Docker has here. */
interface Found {
  spots: Spot[]
  /** A policy that drops, where there is no chain for others' rules. */
  closed: string | undefined
  /** What could not be looked at, a sentence each. */
  unseen: string[]
}

interface Chain {
  family: string
  table: string
  name: string
  hook?: string
  policy?: string
}

export function runProgram(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH }
    execFile(program, [...args], { timeout: TIMEOUT_MS, env }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      const why = missing ? 'it is not installed' : stderr.trim() || error.message
      reject(new Error(`${program} ${args.join(' ')}: ${why}`, { cause: error }))
    })
  })
}

/** What is routed between devices and the uplink, in words of iptables. Containers stay behind Docker's own rules. */
function ways(place: Place): string[][] {
  const answers = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED']
  const found: string[][] = []
  for (const uplink of place.uplinks) {
    for (const lan of place.interfaces) {
      if (lan === uplink) found.push(['-i', lan, '-o', lan])
      else found.push(['-i', lan, '-o', uplink], ['-i', uplink, '-o', lan, ...answers])
    }
  }
  return found
}

/** The same in nft's words. */
function nativeWays(place: Place): string[][] {
  return ways(place).map(([, from, , to, ...rest]) => [
    ...['iifname', `"${from}"`, 'oifname', `"${to}"`],
    ...(rest.length > 0 ? ['ct', 'state', 'established,related'] : []),
  ])
}

export class DockerUser implements ForwardDoor {
  readonly #run: RunProgram
  readonly #read: (path: string) => Promise<string>

  constructor(
    run: RunProgram = runProgram,
    read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8').catch(() => ''),
  ) {
    this.#run = run
    this.#read = read
  }

  /** Brings our rules to what a place needs; the reason where Docker would drop what is routed and has no chain for it. */
  async open(standing: Standing): Promise<string | undefined> {
    const { place } = standing
    if (place === undefined || place.position === 'bridge') return undefined
    try {
      const { spots, closed, unseen } = await this.#find()
      for (const spot of spots) {
        // Where nothing is dropped any more our rules would be in the way of Docker's.
        if (spot.drops) await this.#openAt(spot, place)
        else await this.#closeAt(spot).catch(() => {})
      }
      if (unseen.length > 0) throw new Error(unseen.join('; '))
      if (closed === undefined) return undefined
      return `Docker drops what this box would route (${closed}) and has no chain DOCKER-USER for others' rules: set "ip-forward-no-drop": true in Docker's daemon.json, or use another mode.`
    } catch (error) {
      return `What Docker would drop of routed traffic could not be opened: ${(error as Error).message}`
    }
  }

  async close(): Promise<void> {
    const { spots, unseen } = await this.#find()
    const left = [...unseen]
    for (const spot of spots) {
      await this.#closeAt(spot).catch(({ message }: Error) => left.push(message))
    }
    if (left.length > 0) throw new Error(left.join('; '))
  }

  /** Every chain for others' rules, whatever Docker's policy is now, and where it has none. */
  async #find(): Promise<Found> {
    const chains = await this.#nftChains()
    const found: Found = { spots: [], closed: undefined, unseen: [] }
    for (const chain of chains) {
      const { family, table, name } = chain
      if (!['ip', 'ip6', 'inet'].includes(family)) continue
      const inTable = chains.filter((each) => each.family === family && each.table === table)
      const drops = inTable.some(({ hook, policy }) => hook === 'forward' && policy === 'drop')
      const where = `${family} ${table}`
      if (/^docker-user$/i.test(name)) {
        const isIptables = table === 'filter' && family !== 'inet' && name === 'DOCKER-USER'
        const program = isIptables ? 'nft' : 'native'
        found.spots.push({
          ...{ program, table: where, chain: name, drops },
          family: family as Spot['family'],
        })
        continue
      }
      // Somebody else's policy is theirs: a router's own firewall lets through what it routes.
      if (chain.hook !== 'forward' || chain.policy !== 'drop') continue
      const names = inTable.map((each) => each.name)
      const isDocker = names.some((each) => /^docker/i.test(each)) || /docker/i.test(table)
      if (isDocker && !names.some((each) => /^docker-user$/i.test(each)))
        found.closed = `chain ${name} of ${where}`
    }
    for (const family of FAMILIES) await this.#findLegacy(family, found)
    return found
  }

  async #findLegacy(family: Family, found: Found): Promise<void> {
    const names = (await this.#read(LEGACY_NAMES[family])).split('\n')
    if (!names.includes('filter')) return
    const program = PROGRAMS.legacy[family]
    let rules: string
    try {
      rules = await this.#run(program, ['-w', '5', '-S'])
    } catch (error) {
      // The table is somebody's; where Docker is not here, not Docker's.
      if (DOCKER_LINK.test(await this.#read('/proc/net/dev')))
        found.unseen.push((error as Error).message)
      return
    }
    const drops = /^-P FORWARD DROP$/m.test(rules)
    if (/^-N DOCKER-USER$/m.test(rules)) {
      found.spots.push({
        ...{ program: 'legacy', table: `${family} filter`, chain: 'DOCKER-USER', family, drops },
      })
    } else if (drops && /^-N DOCKER/m.test(rules)) found.closed = `chain FORWARD of ${program}`
  }

  async #nftChains(): Promise<Chain[]> {
    const rows = JSON.parse(await this.#run('nft', ['-j', 'list', 'chains'])) as {
      nftables: { chain?: Chain }[]
    }
    return rows.nftables.flatMap(({ chain }) => chain ?? [])
  }

  async #openAt(spot: Spot, place: Place): Promise<void> {
    if (spot.program === 'native') return await this.#openNative(spot, place)
    const program = PROGRAMS[spot.program][spot.family as Family]
    const rules = ways(place).map((way) => [
      ...way,
      ...['-m', 'comment', '--comment', MARK, '-j', 'ACCEPT'],
    ])
    const there = await this.#ours(program, spot.chain)
    const wanted = new Set(rules.map((rule) => rule.join(' ')))
    for (const rule of there.filter((rule) => !wanted.has(rule.join(' ')))) {
      await this.#run(program, ['-w', '5', '-D', spot.chain, ...rule])
    }
    const have = new Set(there.map((rule) => rule.join(' ')))
    for (const rule of rules.filter((rule) => !have.has(rule.join(' ')))) {
      await this.#run(program, ['-w', '5', '-I', spot.chain, ...rule])
    }
  }

  async #closeAt(spot: Spot): Promise<void> {
    if (spot.program === 'native') return await this.#closeNative(spot)
    const program = PROGRAMS[spot.program][spot.family as Family]
    for (const rule of await this.#ours(program, spot.chain)) {
      await this.#run(program, ['-w', '5', '-D', spot.chain, ...rule])
    }
  }

  /** Our rules in a chain, each as its arguments. Our mark is one word, so nothing in them is quoted. */
  async #ours(program: string, chain: string): Promise<string[][]> {
    const lines = (await this.#run(program, ['-w', '5', '-S', chain])).split('\n')
    return lines.flatMap((line) => {
      const words = line.split(' ')
      const isOurs = words[0] === '-A' && words[words.indexOf('--comment') + 1] === MARK
      return isOurs ? [words.slice(2)] : []
    })
  }

  async #openNative(spot: Spot, place: Place): Promise<void> {
    await this.#closeNative(spot)
    for (const way of nativeWays(place)) {
      const rule = [...way, 'counter', 'accept', 'comment', `"${MARK}"`]
      await this.#run('nft', ['insert', 'rule', ...spot.table.split(' '), spot.chain, ...rule])
    }
  }

  async #closeNative(spot: Spot): Promise<void> {
    const chain = [...spot.table.split(' '), spot.chain]
    const rows = JSON.parse(await this.#run('nft', ['-j', '-a', 'list', 'chain', ...chain])) as {
      nftables: { rule?: { comment?: string; handle: number } }[]
    }
    for (const { rule } of rows.nftables) {
      if (rule?.comment !== MARK) continue
      await this.#run('nft', ['delete', 'rule', ...chain, 'handle', String(rule.handle)])
    }
  }
}
