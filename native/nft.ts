// The door to nf_tables by netlink. Arguments are checked on this side, C++ trusts them.
import { getSystemErrorName } from 'node:util'
import { checkedFunction, checkedInterfaceName } from './arguments.ts'
import { binding } from './binding.ts'
import { keyLayout } from './nft-key.ts'
import type { Places } from './nft-records.ts'
import { FAMILIES, kindOf, placeOf, readElements, writeChanges } from './nft-records.ts'

export type NftFamily = 'inet' | 'netdev' | 'bridge'

/** A named set that is there. */
export interface NftSet {
  family: NftFamily
  /** Names are 1 to 31 of a-z, 0-9 and _. */
  table: string
  name: string
  /** As nft names it: `ether_addr . ipv4_addr`. Types: `PART_TYPES` of nft-key-parts.ts. */
  key: string
  /** Holds prefixes and ranges too. */
  interval: boolean
  /** Its elements can have time-outs. */
  timeout: boolean
}

/** A rule that puts packets into a queue; `bypass`: they pass where nobody serves it. */
export interface NftQueueRule {
  family: NftFamily
  table: string
  chain: string
  queue: number
  /** nft's own `queue` expression, or the xt target NFQUEUE revision 3 through nft_compat. */
  way: 'nft' | 'xt'
  bypass: boolean
}

export type NftChange =
  | {
      /**
       * In a set with time-outs `add` replaces what is there (one transaction; older kernels can't change a time-out), so
       * that its counter begins anew. Deleting what is not there is no error.
       */
      do: 'add' | 'delete'
      set: NftSet
      /** Text as nft has it. A range is deleted by the same range. */
      key: string
      /** Milliseconds from now; absent: without an end. */
      timeoutMs?: number
    }
  | ({ do: 'queue' } & NftQueueRule)

export interface NftElement {
  /** Absent: without an end. */
  remainingMs?: number
  /** 0 where the set has no counter. */
  packets: number
  bytes: number
}

/** Why the kernel did not do it: then nothing of it is done. */
export interface NftFailure {
  /** Of errno: `ENFILE`, `EPERM`, `ENOENT`, … */
  code: string
  /** Of the change that failed, where the kernel says. */
  index?: number
  /** A sentence. */
  message: string
}

/** Who changed the ruleset, and how far it is. */
export interface NftNews {
  /** Counts transactions of the network namespace, wraps at 2^32. */
  generation: number
  /** New generations since the last news. */
  count: number
  /** At most 16. `port`: the netlink address; of most programs their process id. `pid` is of the first pid namespace. */
  authors: { port: number; pid: number; name: string }[]
  /** Some changes or authors are not among these. */
  missed: boolean
}

/** One thing that is tried; `egress` on an interface, queues in a family. */
export type NftTrial =
  | { what: 'tables' | 'bridge' | 'bridge_conntrack' }
  | { what: 'egress'; interface: string }
  | { what: 'queue_nft' | 'queue_xt'; family: 'inet' | 'bridge' }

const TRIALS = ['tables', 'bridge', 'bridge_conntrack', 'egress', 'queue_nft', 'queue_xt'] as const

/** Why something of this kind can't be had; by the errors that say that the kernel does not know it. */
const LACKS: Readonly<Record<(typeof TRIALS)[number], string>> = {
  tables: 'this kernel has no nftables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)',
  bridge: 'this kernel has no nftables for bridges (CONFIG_NF_TABLES_BRIDGE)',
  bridge_conntrack: 'this kernel follows no connections on bridges (CONFIG_NF_CONNTRACK_BRIDGE)',
  egress:
    'this kernel has no netdev egress hook (Linux 5.16, CONFIG_NETFILTER_EGRESS), or no such interface',
  queue_nft: 'this kernel has no nft queue expression (CONFIG_NFT_QUEUE)',
  queue_xt:
    'this kernel has no xt target NFQUEUE for nftables (CONFIG_NETFILTER_XT_TARGET_NFQUEUE, CONFIG_NFT_COMPAT)',
}
const LACKING = ['ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT', 'EPROTO', 'EINVAL']

/** What the binding gives back of a transaction. */
export interface RawOutcome {
  errno: number
  index?: number
  detail?: string
}

function sentence(code: string, errno: number, detail: string | undefined): string {
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return 'the kernel refuses changes of nftables: run as root or with CAP_NET_ADMIN'
    case 'ENFILE':
      return 'the set is full; make it larger or take elements out'
    case 'ENOENT':
      return 'there is no such table, chain, set, interface or kernel module'
    case 'EEXIST':
    case 'ENOTEMPTY':
      return 'a range overlaps with another one that is in the set'
    case 'EMSGSIZE':
      return 'the transaction is too large for its socket; raise net.core.wmem_max or change less at once'
    case 'ERESTART':
    case 'EINTR':
      return 'others change nftables without a pause; tried several times'
    case 'EOPNOTSUPP':
      return `this kernel can't do that${detail ? `: ${detail}` : ''}`
    case 'ETIMEDOUT':
      return 'the kernel did not answer'
    default:
      return `the kernel refused with ${code} (${errno})${detail ? `: ${detail}` : ''}`
  }
}

function failureOf({ errno, index, detail }: RawOutcome): NftFailure | undefined {
  if (errno === 0) return undefined
  // Not among those that libuv knows.
  const code = errno === 85 ? 'ERESTART' : getSystemErrorName(-errno)
  const failure: NftFailure = { code, message: sentence(code, errno, detail) }
  if (index !== undefined) failure.index = index
  return failure
}

/** Nothing is kept between calls but one socket. `oldKernel` does without what Linux 6.3 brought; for tests. */
export class Nft {
  readonly #native: InstanceType<ReturnType<typeof binding>['Nft']>
  /** Settles with the last transaction, never rejects. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: { oldKernel?: boolean } = {}) {
    this.#native = new (binding().Nft)(options.oldKernel ?? false)
  }

  /** The netlink address that its changes have as `port` of an author. */
  get port(): number {
    return this.#native.port()
  }

  /**
   * In this order, as one transaction, after those before. Resolves with why it failed, or undefined: done. Throws a TypeError
   * or RangeError for an argument that is none, and then asks the kernel nothing.
   */
  async apply(changes: readonly NftChange[]): Promise<NftFailure | undefined> {
    const { places, bytes } = writeChanges(changes)
    if (changes.length === 0) return undefined
    const done = this.#last.then(() => this.#native.apply(places, bytes))
    this.#last = done.catch(() => undefined)
    return failureOf(await done)
  }

  /** What is in a set, by canonical key; one moment's, and not before what was applied before. */
  async elements(set: NftSet): Promise<ReadonlyMap<string, NftElement> | NftFailure> {
    const place = placeOf(set.family, set.table, 'the name of a set', set.name)
    const { bytes } = keyLayout(set.key)
    await this.#last
    const answer = await this.#native.elements(place, kindOf(set), bytes)
    return failureOf(answer) ?? readElements(set, answer.records)
  }

  /**
   * Of each table a text that stays the same as long as its chains, rules and sets do; undefined: there is no such table.
   * Elements and counters have no part in it.
   */
  async shapes(
    tables: readonly { family: NftFamily; table: string }[],
  ): Promise<(string | undefined)[] | NftFailure> {
    const places: Places = tables.flatMap(({ family, table }) =>
      placeOf(family, table, 'the name of a table', table),
    )
    await this.#last
    const answer = await this.#native.shapes(places)
    return failureOf(answer) ?? answer.shapes.map((shape) => (shape === '' ? undefined : shape))
  }

  /** The ruleset's; 0 where it can't be known. */
  async generation(): Promise<number> {
    await this.#last
    return this.#native.generation()
  }

  /**
   * Tries each in a transaction that is thrown away, queues in a table that sleeps and is deleted at once. By place: why it
   * can't be done, or undefined. Of Linux 6.16 on, an egress chain can be made for an interface that is not there too.
   */
  async probe(trials: readonly NftTrial[]): Promise<(NftFailure | undefined)[]> {
    const raw = trials.flatMap((trial) => [
      TRIALS.indexOf(trial.what),
      'family' in trial ? FAMILIES[trial.family] : 0,
      'interface' in trial ? checkedInterfaceName(trial.interface) : '',
    ])
    const done = this.#last.then(() => this.#native.probe(raw))
    this.#last = done.catch(() => undefined)
    const outcomes = await done
    return trials.map(({ what }, i) => {
      const failure = failureOf(outcomes[i] as RawOutcome)
      if (failure && LACKING.includes(failure.code)) failure.message = LACKS[what]
      return failure
    })
  }
}

/** Tells of each new generation of the ruleset: at once, then at most every 20 ms. */
export class NftWatch {
  readonly #native = new (binding().NftWatch)()
  #started = false

  /** Throws where the kernel refuses. */
  start(onNews: (news: NftNews) => void): void {
    if (this.#started) throw new Error('this watch was started already')
    this.#native.start(checkedFunction('onNews', onNews))
    this.#started = true
  }

  stop(): void {
    this.#native.stop()
  }
}

/** The door to nf_tables of the network namespace that this process is in. */
export function createNft(): Nft {
  return new Nft()
}

/** What others change, once started. */
export function createNftWatch(): NftWatch {
  return new NftWatch()
}
