// nftables of this host: single changes by netlink, whole rulesets by the program nft.
import type { Nft, NftFailure, NftNews, NftTrial, NftWatch } from '../../../native/nft.ts'
import type { Addon } from '../../addon.ts'
import type { Family, SetSpec } from '../tables/sets.ts'
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
import { nftError, startError, TAILS_TRIAL } from './nft-words.ts'
import { runProgram } from './program.ts'

const NFT_TIMEOUT_MS = 30_000
/** So long after its end, news about what a program did may still come. */
const OWN_MS = 2000

function thrown(failure: NftFailure): never {
  throw new KernelError(failure.code, failure.message, failure.index)
}

function probeOf(failure: NftFailure | undefined): Probe {
  return failure ? { works: false, reason: failure.message } : { works: true }
}

export class LocalKernel implements Kernel {
  readonly away = undefined
  onAway: (away: string | undefined) => void = () => {}
  onForeignChange: (change: ForeignChange) => void = () => {}

  readonly #addon: Pick<Addon, 'createNft' | 'createNftWatch'>
  readonly #program: string
  readonly #ours: () => readonly number[]
  #nft: Nft | undefined
  #watch: NftWatch | undefined
  /** Netlink addresses of programs that this one ran, each until its news must have come. */
  readonly #own = new Set<number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Settles with the last change, never rejects. */
  #last: Promise<unknown> = Promise.resolve()

  /** `ours`: netlink ports of further sockets whose changes are not others'. */
  constructor(
    addon: Pick<Addon, 'createNft' | 'createNftWatch'>,
    program = 'nft',
    ours: () => readonly number[] = () => [],
  ) {
    this.#addon = addon
    this.#program = program
    this.#ours = ours
  }

  async start(): Promise<void> {
    const nft = this.#addon.createNft()
    const [failure] = await nft.probe([{ what: 'tables' }])
    if (failure) thrown(failure)
    const watch = this.#addon.createNftWatch()
    try {
      watch.start((news) => this.#news(news))
    } catch (cause) {
      throw new KernelError('EPERM', (cause as Error).message, undefined, { cause })
    }
    this.#nft = nft
    this.#watch = watch
  }

  async stop(): Promise<void> {
    this.#watch?.stop()
    this.#watch = undefined
    await this.#last
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#own.clear()
    this.#nft = undefined
  }

  replace(text: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#door()
      let pid: number | undefined
      try {
        const result = await runProgram(this.#program, ['-f', '-'], {
          input: text,
          timeoutMs: NFT_TIMEOUT_MS,
          onPid: (of) => {
            pid = of
            this.#own.add(of)
          },
        }).catch((cause: unknown) => {
          throw startError(this.#program, cause)
        })
        if (result.code !== 0) throw nftError(result)
      } finally {
        if (pid !== undefined) this.#forgetLater(pid)
      }
    })
  }

  change(changes: readonly ElementChange[]): Promise<void> {
    return this.#inTurn(async () => {
      const failure = await this.#door().apply(changes)
      if (failure) thrown(failure)
    })
  }

  addQueueRules(rules: readonly QueueRule[]): Promise<void> {
    return this.#inTurn(async () => {
      const failure = await this.#door().apply(rules.map((rule) => ({ do: 'queue', ...rule })))
      if (failure) thrown(failure)
    })
  }

  async elements(set: SetSpec): Promise<ReadonlyMap<string, ElementNow>> {
    await this.#last
    const elements = await this.#door().elements(set)
    if (elements instanceof Map) return elements
    return thrown(elements as NftFailure)
  }

  async shapes(tables: readonly TableId[]): Promise<ReadonlyMap<TableId, string>> {
    await this.#last
    const shapes = await this.#door().shapes(
      tables.map((id) => {
        const [family, table = ''] = id.split(' ')
        return { family: family as Family, table }
      }),
    )
    if (!Array.isArray(shapes)) return thrown(shapes)
    const there = new Map<TableId, string>()
    for (const [i, id] of tables.entries()) {
      const shape = shapes[i]
      if (shape !== undefined) there.set(id, shape)
    }
    return there
  }

  async probe(interfaces: readonly string[]): Promise<KernelProbes> {
    const trials: NftTrial[] = [
      { what: 'tables' },
      { what: 'bridge' },
      { what: 'bridge_conntrack' },
      { what: 'queue_nft', family: 'inet' },
      { what: 'queue_xt', family: 'inet' },
      { what: 'queue_nft', family: 'bridge' },
      { what: 'queue_xt', family: 'bridge' },
      ...interfaces.map((name): NftTrial => ({ what: 'egress', interface: name })),
    ]
    const found = (await this.#door().probe(trials)).map(probeOf)
    const tails = await this.#tryText(TAILS_TRIAL)
    const at = (i: number): Probe => found[i] as Probe
    return {
      tables: at(0),
      bridge: at(1),
      bridgeConntrack: at(2),
      tails,
      queue: { inet: { nft: at(3), xt: at(4) }, bridge: { nft: at(5), xt: at(6) } },
      egress: new Map(interfaces.map((name, i) => [name, at(7 + i)])),
    }
  }

  async flowtables(): Promise<readonly Flowtable[]> {
    const options = { input: LIST_FLOWTABLES, timeoutMs: NFT_TIMEOUT_MS }
    const { stdout } = await runProgram(this.#program, ['-c', '-f', '-'], options)
    return flowtablesIn(stdout)
  }

  /** Whether the program takes a text, which is thrown away. */
  async #tryText(text: string): Promise<Probe> {
    const options = { input: text, timeoutMs: NFT_TIMEOUT_MS }
    try {
      const result = await runProgram(this.#program, ['-c', '-f', '-'], options)
      return result.code === 0
        ? { works: true }
        : { works: false, reason: nftError(result).message }
    } catch (cause) {
      return { works: false, reason: startError(this.#program, cause).message }
    }
  }

  #door(): Nft {
    if (this.#nft === undefined) throw new Error('this kernel is not started; call start first')
    return this.#nft
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  #forgetLater(pid: number): void {
    const timer = setTimeout(() => {
      this.#own.delete(pid)
      this.#timers.delete(timer)
    }, OWN_MS)
    timer.unref()
    this.#timers.add(timer)
  }

  #news({ authors, missed }: NftNews): void {
    const ours = new Set([...this.#own, ...this.#ours(), this.#nft?.port])
    const foreign = authors.filter((author) => !ours.has(author.port))
    if (foreign.length === 0 && !missed) return
    this.onForeignChange({ by: foreign.map(({ pid, name }) => ({ pid, name })), missed })
  }
}
