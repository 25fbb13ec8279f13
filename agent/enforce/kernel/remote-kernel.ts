// nftables of a router, by its own program nft over one SSH connection; nothing else is needed there.
import type { Log } from '../../log.ts'
import type { SshTarget } from '../../ssh-target.ts'
import type { SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import type { Flowtable } from './flowtables.ts'
import { flowtablesIn, LIST_FLOWTABLES } from './flowtables.ts'
import type {
  ElementChange,
  ElementNow,
  ForeignChange,
  Kernel,
  KernelProbes,
  Probe,
  QueueRule,
  TableId,
} from './kernel.ts'
import { KernelError } from './kernel.ts'
import {
  changeText,
  elementsIn,
  elementsOfTable,
  listCommands,
  shapesIn,
  tablesIn,
} from './nft-text.ts'
import { nftError, TAILS_TRIAL } from './nft-words.ts'
import type { NftOrder, SharedConnection } from './ssh-link.ts'
import { SshLink } from './ssh-link.ts'

const NEW_GENERATION = /^# new generation \d+ by process (\d+) \((.*)\)$/
/** News are told at most so often; those of others that come in between are told together. */
const NEWS_PAUSE_MS = 20
/** After connecting, until nft on the router surely listens. */
const LISTENING_MS = 1000
const MOST_AUTHORS = 16
/** So many changes ago, news about our own may still come. */
const OWN_REMEMBERED = 64

const NO_QUEUE: Probe = {
  works: false,
  reason: 'packets of a router can not be put to user space over SSH; run the agent there for that',
}

/** So many sets are listed one by one. */
const FEW_SETS = 3

/** Somebody who wants to know what is in a set. */
interface Read {
  set: SetSpec
  resolve: (elements: ReadonlyMap<string, ElementNow>) => void
  reject: (error: Error) => void
}

export class RemoteKernel implements Kernel {
  onAway: (away: string | undefined) => void = () => {}
  onForeignChange: (change: ForeignChange) => void = () => {}

  readonly #link: SshLink
  #away: string | undefined = 'not connected yet'
  /** Sets that will be read together, as long as nothing is changed in between. */
  #reads: Read[] | undefined
  /** Settles with the last call, never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  /** Process ids on the router of our own nft, the oldest first. */
  readonly #own = new Set<number>()
  /** Changes that run and whose process id is perhaps not known yet. */
  #running = 0
  #news: { pid: number; name: string }[] = []
  #missed = false
  #newsTimer: NodeJS.Timeout | undefined
  #listeningTimer: NodeJS.Timeout | undefined
  /** nft there tells no process id: it is run by sudo. */
  readonly #unnamed: boolean
  /** So many changes of our own whose process ids are not known, since news were told. */
  #unnamedChanges = 0
  #firstState: ((away: string | undefined) => void) | undefined

  /** Throws a TypeError or RangeError for a target that is none. */
  constructor(target: SshTarget, log: Log, shared?: SharedConnection) {
    this.#link = new SshLink(target, log, shared)
    this.#unnamed = target.sudo ?? false
  }

  get away(): string | undefined {
    return this.#away
  }

  async start(): Promise<void> {
    const first = new Promise<string | undefined>((resolve) => {
      this.#firstState = resolve
    })
    this.#link.onState = (away) => this.#state(away)
    this.#link.onLine = (line) => this.#line(line)
    this.#link.start()
    const away = await first
    if (away !== undefined) throw new KernelError('AWAY', away)
    const tables = await this.#try('table inet homespin_probe\n')
    if (!tables.works) throw new KernelError('EPERM', tables.reason ?? 'nft does not work there')
  }

  async stop(): Promise<void> {
    clearTimeout(this.#newsTimer)
    clearTimeout(this.#listeningTimer)
    await this.#link.stop()
    await this.#last
    this.#away = 'not connected'
  }

  replace(text: string): Promise<void> {
    return this.#inTurn(() => this.#change(text))
  }

  change(changes: readonly ElementChange[]): Promise<void> {
    return this.#inTurn(async () => {
      if (changes.length === 0) return
      // Twice: between the reading and the change an element's time may be up.
      for (let attempt = 0; ; attempt++) {
        const { text, index } = changeText(changes, await this.#presentRanges(changes))
        if (text === '') return
        try {
          return await this.#change(text, index)
        } catch (error) {
          if (attempt > 0 || (error as KernelError).code !== 'ENOENT') throw error
        }
      }
    })
  }

  addQueueRules(rules: readonly QueueRule[]): Promise<void> {
    if (rules.length === 0) return Promise.resolve()
    return Promise.reject(new KernelError('EOPNOTSUPP', NO_QUEUE.reason ?? ''))
  }

  elements(set: SetSpec): Promise<ReadonlyMap<string, ElementNow>> {
    return new Promise((resolve, reject) => {
      const read = { set, resolve, reject }
      if (this.#reads !== undefined) {
        this.#reads.push(read)
        return
      }
      const reads = [read]
      this.#reads = reads
      this.#queue(() => {
        if (this.#reads === reads) this.#reads = undefined
        return this.#readAll(reads)
      }).catch((error: KernelError) => {
        if (this.#reads === reads) this.#reads = undefined
        for (const { reject } of reads) reject(error)
      })
    })
  }

  shapes(tables: readonly TableId[]): Promise<ReadonlyMap<TableId, string>> {
    return this.#inTurn(async () => {
      const there = tablesIn(await this.#list(listCommands(['tables'])))
      const wanted = tables.filter((table) => there.has(table))
      if (wanted.length === 0) return new Map<TableId, string>()
      const shapes = new Map<TableId, string>()
      // One at a time: given several, nft looks for all of them in the family of the last (1.0.6).
      for (const table of wanted) {
        const told = shapesIn(await this.#list(listCommands([{ table }]), 'terse'))
        for (const [id, shape] of told) shapes.set(id, shape)
      }
      return shapes
    })
  }

  probe(interfaces: readonly string[]): Promise<KernelProbes> {
    return this.#inTurn(async () => {
      const table = (family: string, chain: string): string =>
        `table ${family} homespin_probe {\n chain c {\n${chain}\n }\n}\n`
      const hook = 'type filter hook prerouting priority -300;'
      const egress = new Map<string, Probe>()
      for (const name of interfaces) {
        if (!/^[A-Za-z0-9._-]{1,15}$/.test(name)) throw new TypeError(`'${name}' is no interface`)
        const chain = `type filter hook egress device "${name}" priority 0;`
        egress.set(name, await this.#try(table('netdev', chain)))
      }
      return {
        tables: await this.#try(table('inet', hook)),
        bridge: await this.#try(table('bridge', hook)),
        bridgeConntrack: await this.#try(table('bridge', `${hook} ct state new`)),
        egress,
        tails: await this.#try(TAILS_TRIAL),
        queue: { inet: { nft: NO_QUEUE, xt: NO_QUEUE }, bridge: { nft: NO_QUEUE, xt: NO_QUEUE } },
      }
    })
  }

  /** By a check, whose answer is not JSON, and which needs no further right there. */
  flowtables(): Promise<readonly Flowtable[]> {
    return this.#inTurn(async () =>
      flowtablesIn((await this.#link.run('check', LIST_FLOWTABLES)).stdout),
    )
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    // What is read from now on is read after this.
    this.#reads = undefined
    return this.#queue(work)
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#away !== undefined) throw new KernelError('AWAY', this.#away)
      return work()
    })
    this.#last = done.catch(() => undefined)
    return done
  }

  async #change(text: string, index?: (line: number) => number | undefined): Promise<void> {
    this.#running++
    try {
      const result = await this.#link.run('change', text)
      const pid = this.#unnamed ? undefined : /^\d+/.exec(result.stdout)?.[0]
      if (pid !== undefined) this.#own.add(Number(pid))
      else if (result.code === 0) this.#unnamedChanges++
      for (const old of this.#own) {
        if (this.#own.size <= OWN_REMEMBERED) break
        this.#own.delete(old)
      }
      if (result.code !== 0) throw nftError(result, index)
    } finally {
      this.#running--
      this.#tellSoon()
    }
  }

  async #list(commands: string, how: NftOrder = 'list'): Promise<string> {
    const result = await this.#link.run(how, commands)
    if (result.code !== 0) throw nftError(result)
    return result.stdout
  }

  async #elements(set: SetSpec): Promise<Map<string, ElementNow>> {
    return elementsIn(set, await this.#list(listCommands([{ set }])))
  }

  /** Each answers for itself; many of one table are listed with it, as every nft takes its time. */
  async #readAll(reads: readonly Read[]): Promise<void> {
    const tables = Map.groupBy(reads, ({ set }) => `${set.family} ${set.table}` as TableId)
    for (const [table, some] of tables) {
      try {
        const found =
          some.length <= FEW_SETS
            ? undefined
            : elementsOfTable(
                some.map(({ set }) => set),
                await this.#list(listCommands([{ table }])),
              )
        for (const { set, resolve, reject } of some) {
          const elements = found === undefined ? await this.#elements(set) : found.get(set.name)
          if (elements !== undefined) resolve(elements)
          else reject(new KernelError('ENOENT', `There is no set ${set.name} in table ${table}.`))
        }
      } catch (error) {
        // Those that have their answer keep it.
        for (const { reject } of some) reject(error as Error)
      }
    }
  }

  async #presentRanges(changes: readonly ElementChange[]): Promise<Map<string, Set<string>>> {
    const present = new Map<string, Set<string>>()
    for (const { do: what, set } of changes) {
      if (!set.interval || (what === 'add' && !set.timeout) || present.has(setId(set))) continue
      present.set(setId(set), new Set((await this.#elements(set)).keys()))
    }
    return present
  }

  /** Whether the router's kernel would take this: a transaction that is thrown away. */
  async #try(text: string): Promise<Probe> {
    const result = await this.#link.run('check', text)
    return result.code === 0 ? { works: true } : { works: false, reason: nftError(result).message }
  }

  #state(away: string | undefined): void {
    const before = this.#away
    this.#away = away
    const first = this.#firstState
    this.#firstState = undefined
    clearTimeout(this.#listeningTimer)
    if (away === undefined) {
      // What others changed before that has not been heard.
      this.#listeningTimer = setTimeout(() => {
        this.#missed = true
        this.#tellSoon()
      }, LISTENING_MS)
    }
    if (first) first(away)
    else if (before === undefined || away === undefined) this.onAway(away)
  }

  #line(line: string | undefined): void {
    if (line === undefined) {
      this.#missed = true
      this.#tellSoon()
      return
    }
    const found = NEW_GENERATION.exec(line)
    if (!found) return
    const author = { pid: Number(found[1]), name: found[2] ?? '' }
    if (this.#news.some(({ pid, name }) => pid === author.pid && name === author.name)) return
    if (this.#news.length < MOST_AUTHORS) this.#news.push(author)
    else this.#missed = true
    this.#tellSoon()
  }

  /** By sudo: as many changes by nft as we made ourselves are our own, unless somebody else's are among them. */
  #withoutUnnamed(by: { pid: number; name: string }[]): { pid: number; name: string }[] {
    const own = by.filter(({ name }) => name === 'nft')
    const all = own.length <= this.#unnamedChanges
    this.#unnamedChanges = 0
    return all ? by.filter((each) => !own.includes(each)) : by
  }

  /** What is our own is known only when our own change has told its process id. */
  #tellSoon(): void {
    if (this.#running > 0 || (this.#news.length === 0 && !this.#missed)) return
    this.#newsTimer ??= setTimeout(() => {
      this.#newsTimer = undefined
      if (this.#running > 0) return
      const by = this.#withoutUnnamed(this.#news.filter(({ pid }) => !this.#own.has(pid)))
      const missed = this.#missed
      this.#news = []
      this.#missed = false
      if (by.length > 0 || missed) this.onForeignChange({ by, missed })
    }, NEWS_PAUSE_MS)
  }
}
