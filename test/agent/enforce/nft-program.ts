// The kernel by the program `nft` alone: slow, and short enough to be right by looking at it. What the native kernel does is
// held against it, and tests of the reconciler run without the addon.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type {
  ElementChange,
  ElementNow,
  ForeignChange,
  Kernel,
  KernelProbes,
  TableId,
} from '../../../agent/enforce/kernel/kernel.ts'
import { KernelError } from '../../../agent/enforce/kernel/kernel.ts'
import type { SetId, SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { setId } from '../../../agent/enforce/tables/sets.ts'

type Json = string | number | { [key: string]: Json } | Json[]
type Row = Record<string, Record<string, Json>>

const CODES: readonly (readonly [RegExp, string])[] = [
  [/No such file or directory/, 'ENOENT'],
  [/Too many open files in system/, 'ENFILE'],
  [/Operation not permitted/, 'EPERM'],
  [/File exists/, 'EEXIST'],
]

function textOf(value: Json): string {
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(textOf).join(' . ')
  if ('concat' in value) return textOf(value.concat as Json)
  if ('range' in value) return (value.range as Json[]).map(textOf).join('-')
  const prefix = value.prefix as { addr: string; len: number }
  return `${prefix.addr}/${prefix.len}`
}

function commandOf({ do: what, set, key, timeoutMs }: ElementChange): string {
  const where = `element ${set.family} ${set.table} ${set.name}`
  const end = timeoutMs === undefined ? '' : ` timeout ${timeoutMs}ms`
  // What is there already stays with its old time unless it goes first; what is not there can't be deleted.
  const lines = [`add ${where} { ${key} }`, `delete ${where} { ${key} }`]
  if (what === 'add') lines.push(`add ${where} { ${key}${end} }`)
  return lines.join('\n')
}

export class NftProgram implements Kernel {
  readonly #own = new Set<number>()
  readonly #canonical: (set: SetSpec, key: string) => string
  #listing: Promise<ReadonlyMap<SetId, Map<string, ElementNow>>> | undefined
  #monitor: ReturnType<typeof spawn> | undefined
  readonly away = undefined
  onAway = (): void => {}
  onForeignChange: (change: ForeignChange) => void = () => {}

  constructor(canonical: (set: SetSpec, key: string) => string) {
    this.#canonical = canonical
  }

  async start(): Promise<void> {
    await this.#nft(['list', 'tables'])
    const monitor = spawn('stdbuf', ['-oL', 'nft', 'monitor'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#monitor = monitor
    createInterface({ input: monitor.stdout }).on('line', (line) => {
      const found = /^# new generation \d+ by process (\d+) \((.*)\)$/.exec(line)
      if (found === null) return
      const pid = Number(found[1])
      if (!this.#own.has(pid)) {
        this.onForeignChange({ by: [{ pid, name: found[2] as string }], missed: false })
      }
    })
    // It has subscribed by then.
    await new Promise((resolve) => setTimeout(resolve, 200))
  }

  async stop(): Promise<void> {
    this.#monitor?.kill()
  }

  async replace(text: string): Promise<void> {
    await this.#nft(['-f', '-'], text)
  }

  async change(changes: readonly ElementChange[]): Promise<void> {
    await this.#nft(['-f', '-'], changes.map(commandOf).join('\n'))
  }

  async addQueueRules(): Promise<void> {}

  async elements(set: SetSpec): Promise<ReadonlyMap<string, ElementNow>> {
    // All sets that are asked for at once are read at once.
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined
    })
    const found = (await this.#listing).get(setId(set))
    if (found === undefined) throw new KernelError('ENOENT', `no set ${setId(set)}`)
    return new Map([...found].map(([key, now]) => [this.#canonical(set, key), now]))
  }

  async shapes(tables: readonly TableId[]): Promise<ReadonlyMap<TableId, string>> {
    const rows = JSON.parse(await this.#nft(['-j', '-t', '-s', '-a', 'list', 'ruleset']))
    const shapes = new Map<TableId, string>()
    for (const row of rows.nftables as Row[]) {
      for (const [kind, body] of Object.entries(row)) {
        const table: TableId = `${body.family as 'inet'} ${String(body.table ?? body.name)}`
        if (!tables.includes(table)) continue
        shapes.set(table, `${shapes.get(table) ?? ''}${kind} ${JSON.stringify(body)}\n`)
      }
    }
    return shapes
  }

  async probe(interfaces: readonly string[]): Promise<KernelProbes> {
    const works = { works: true }
    const none = { works: false, reason: 'not by this program' }
    const queue = { nft: none, xt: none }
    return {
      tables: works,
      bridge: works,
      bridgeConntrack: none,
      egress: new Map(interfaces.map((name) => [name, works])),
      queue: { inet: queue, bridge: queue },
    }
  }

  async flowtables(): Promise<readonly []> {
    return []
  }

  async #list(): Promise<ReadonlyMap<SetId, Map<string, ElementNow>>> {
    const rows = JSON.parse(await this.#nft(['-j', 'list', 'ruleset']))
    const sets = new Map<SetId, Map<string, ElementNow>>()
    for (const { set } of rows.nftables as Row[]) {
      if (set === undefined) continue
      const elements = new Map<string, ElementNow>()
      for (const one of (set.elem ?? []) as Json[]) {
        const wrapped = typeof one === 'object' && !Array.isArray(one) ? one.elem : undefined
        const elem = (wrapped ?? { val: one }) as Record<string, Json>
        const counter = (elem.counter ?? { packets: 0, bytes: 0 }) as {
          packets: number
          bytes: number
        }
        const left =
          elem.timeout === undefined ? {} : { remainingMs: Number(elem.expires) * 1000 + 500 }
        elements.set(textOf(elem.val as Json), { ...counter, ...left })
      }
      sets.set(`${set.family as 'inet'} ${set.table as string} ${set.name as string}`, elements)
    }
    return sets
  }

  #nft(args: readonly string[], input = ''): Promise<string> {
    const child = spawn('nft', args, { stdio: 'pipe' })
    if (child.pid !== undefined) this.#own.add(child.pid)
    let out = ''
    let error = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    return new Promise((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new KernelError('ENOENT', 'no program nft', undefined, { cause })),
      )
      child.once('close', (code) => {
        if (code === 0) return resolve(out)
        const known = CODES.find(([pattern]) => pattern.test(error))?.[1]
        reject(new KernelError(known ?? 'EINVAL', error.split('\n')[0] as string))
      })
    })
  }
}
