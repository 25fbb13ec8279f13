// Changes of elements as text for `nft -f -`, and what `nft -j` says of sets and tables as plain values.
import { createHash } from 'node:crypto'
import { canonicalKey } from '../../../native/nft-key.ts'
import type { SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import type { ElementChange, ElementNow, TableId } from './kernel.ts'
import { KernelError } from './kernel.ts'

const FAMILIES: readonly string[] = ['inet', 'netdev', 'bridge']

function checkName(name: string): string {
  if (!/^[a-z0-9_]{1,31}$/.test(name)) {
    throw new TypeError(`names in nftables must be 1 to 31 of a-z, 0-9 and _, not '${name}'`)
  }
  return name
}

function checkFamily(family: string): string {
  if (!FAMILIES.includes(family)) throw new TypeError(`'${family}' is not a family of tables`)
  return family
}

/** Text, and which change a line of it (from 1) is about; undefined where nft's word for it may be about another one. */
export interface ChangeText {
  text: string
  index: (line: number) => number | undefined
}

/**
 * One transaction. Taking out what is absent is no error: where `present` tells what is in a set, by that; else by adding it
 * first. (Adding a range first could touch another one, so sets with ranges have to be in `present`.)
 */
export function changeText(
  changes: readonly ElementChange[],
  present: ReadonlyMap<string, ReadonlySet<string>>,
): ChangeText {
  const lines: string[] = []
  const indexes: number[] = []
  const heads: string[] = []
  const known = new Map<string, Set<string>>()
  for (const [id, keys] of present) known.set(id, new Set(keys))
  for (const [i, { do: what, set, key, timeoutMs }] of changes.entries()) {
    const where = `${checkFamily(set.family)} ${checkName(set.table)} ${checkName(set.name)}`
    const element = canonicalKey(set.key, set.interval, key)
    const line = (verb: string, ending = ''): void => {
      lines.push(`${verb} element ${where} { ${element}${ending} }`)
      indexes.push(i)
      heads.push(`${verb} ${where}`)
    }
    const there = known.get(setId(set))
    if (what === 'delete' || set.timeout) {
      if (there === undefined) line('add')
      if (there === undefined || there.delete(element)) line('delete')
    }
    if (what === 'add') {
      if (timeoutMs !== undefined && !(set.timeout && timeoutMs >= 1 && timeoutMs <= 2 ** 42)) {
        throw new RangeError(`${timeoutMs} ms is no time-out for an element of ${set.name}`)
      }
      line('add', timeoutMs === undefined ? '' : ` timeout ${Math.round(timeoutMs)}ms`)
      there?.add(element)
    }
  }
  // nft makes one command of lines that are alike, and then names the first of them, whichever it was.
  const index = (line: number): number | undefined =>
    heads[line - 1] === heads[line] || heads[line - 1] === heads[line - 2]
      ? undefined
      : indexes[line - 1]
  return { text: lines.map((line) => `${line}\n`).join(''), index }
}

/** What `nft -j -f -` is given to list some things. */
export function listCommands(
  what: readonly ({ set: SetSpec } | { table: TableId } | 'tables')[],
): string {
  const commands = what.map((each) => {
    if (each === 'tables') return { list: { tables: null } }
    if ('table' in each) {
      const [family = '', name = ''] = each.table.split(' ')
      return { list: { table: { family: checkFamily(family), name: checkName(name) } } }
    }
    const { family, table, name } = each.set
    return {
      list: {
        set: { family: checkFamily(family), table: checkName(table), name: checkName(name) },
      },
    }
  })
  return JSON.stringify({ nftables: commands })
}

type Json = Record<string, unknown>

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects of an answer, each with its kind. Throws a `KernelError` where it is none. */
export function answered(text: string): { kind: string; of: Json }[] {
  let all: unknown
  try {
    all = (JSON.parse(text) as Json).nftables
  } catch (cause) {
    throw new KernelError('EPROTO', 'nft did not answer with JSON', undefined, { cause })
  }
  if (!Array.isArray(all)) throw new KernelError('EPROTO', 'nft answered with something else')
  return all.flatMap((each: unknown) => {
    if (!isObject(each)) return []
    return Object.entries(each).flatMap(([kind, of]) => (isObject(of) ? [{ kind, of }] : []))
  })
}

/** One part of a key, or a whole one, as text. */
function keyText(value: unknown): string {
  if (!isObject(value)) return String(value)
  if (Array.isArray(value.concat)) return value.concat.map(keyText).join(' . ')
  if (Array.isArray(value.range)) return value.range.map(keyText).join('-')
  if (isObject(value.prefix)) return `${String(value.prefix.addr)}/${String(value.prefix.len)}`
  throw new KernelError('EPROTO', 'nft listed an element of an unknown kind')
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** What is in a set, of the answer to its `list`. */
export function elementsIn(set: SetSpec, text: string): Map<string, ElementNow> {
  return elementsOf(set, answered(text).find(({ kind }) => kind === 'set')?.of)
}

/** What is in some sets of one table, by their names, of the answer to its `list`; a set that is not there is absent. */
export function elementsOfTable(
  sets: readonly SetSpec[],
  text: string,
): Map<string, Map<string, ElementNow>> {
  const there = new Map(
    answered(text).flatMap(({ kind, of }) => (kind === 'set' ? [[String(of.name), of]] : [])),
  )
  return new Map(
    sets.flatMap((set) => {
      const of = there.get(set.name)
      return of === undefined ? [] : [[set.name, elementsOf(set, of)]]
    }),
  )
}

function elementsOf(set: SetSpec, of: Json | undefined): Map<string, ElementNow> {
  const elements = new Map<string, ElementNow>()
  const listed = of?.elem
  if (!Array.isArray(listed)) return elements
  for (const each of listed as unknown[]) {
    const elem = isObject(each) && isObject(each.elem) ? each.elem : undefined
    const counter = isObject(elem?.counter) ? elem.counter : {}
    const now: ElementNow = { packets: countOf(counter.packets), bytes: countOf(counter.bytes) }
    if (typeof elem?.expires === 'number') now.remainingMs = elem.expires * 1000
    elements.set(canonicalKey(set.key, set.interval, keyText(elem ? elem.val : each)), now)
  }
  return elements
}

/** The tables that are there. */
export function tablesIn(text: string): Set<TableId> {
  return new Set(
    answered(text)
      .filter(({ kind }) => kind === 'table')
      .map(({ of }) => `${String(of.family)} ${String(of.name)}` as TableId),
  )
}

/** Of each table a text that stays the same as long as its chains, rules and sets do. */
export function shapesIn(text: string): Map<TableId, string> {
  const parts = new Map<TableId, unknown[]>()
  for (const { kind, of } of answered(text)) {
    const table = `${String(of.family)} ${String(kind === 'table' ? of.name : of.table)}` as TableId
    const { handle, name, chain, flags, hook, prio, policy, dev, type } = of
    let part: unknown[] | undefined
    if (kind === 'table') part = [handle, flags]
    if (kind === 'chain') part = [name, handle, type, hook, prio, policy, dev]
    if (kind === 'rule') part = [chain, handle]
    if (kind === 'set') part = [name, handle]
    if (part === undefined) continue
    const list = parts.get(table)
    if (list) list.push(kind, part)
    else parts.set(table, [kind, part])
  }
  const shapes = new Map<TableId, string>()
  for (const [table, list] of parts) {
    shapes.set(table, createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 32))
  }
  return shapes
}
