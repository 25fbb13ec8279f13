// By which name each device knows an address: what it was answered itself, never what another device was.
import { AnswerRows } from './answer-rows.ts'
import { KeptTexts } from './kept-texts.ts'

/** Answers remembered of one address: a flow takes the one that was current when it began. */
const ANSWERS = 8
/** Addresses remembered per device, and of all together; the oldest go first, and the device that heard nothing new for longest. */
const ADDRESSES_PER_DEVICE = 2048
const ADDRESSES = 131072

interface Answer {
  name: string
  timeMs: number
}

/** What one device knows. */
interface Known {
  /** Stands for the device in rows. */
  number: number
  /** Its rows, in the order in which they came, by `AnswerRows.next`; 0 is none. */
  first: number
  last: number
  size: number
  /** When it heard something new, by the count of all that is new. */
  newest: number
}

/** Names by device and address, from DNS answers. Programs keep addresses longer than the TTL, so answers are kept until displaced. */
export class NameCache {
  readonly #byDevice = new Map<string, Known>()
  readonly #ips = new KeptTexts()
  readonly #names = new KeptTexts()
  /** The latest answer of each device and address. */
  readonly #rows = new AnswerRows()
  /** Answers before the latest, of the few addresses that had another name before. */
  readonly #earlier = new Map<number, Answer[]>()
  #news = 0
  #devices = 0
  /** Who is to be forgotten next, last first: looked up for many at once, as looking takes long. */
  #stale: { device: string; newest: number }[] = []

  /** `device` was told at `timeMs` that `name` is at `ip`. */
  add(device: string, ip: string, name: string, timeMs: number): void {
    let known = this.#byDevice.get(device)
    if (known === undefined) {
      known = { number: this.#devices++, first: 0, last: 0, size: 0, newest: 0 }
      this.#byDevice.set(device, known)
    }
    const row = this.#row(known, ip)
    if (row !== 0) {
      this.#rows.setHeardAgain(row, true)
      this.#append(row, name, timeMs)
      return
    }
    known.newest = ++this.#news
    if (known.size >= ADDRESSES_PER_DEVICE) this.#dropOldest(known)
    while (this.#rows.size >= ADDRESSES) this.#forgetStale()
    this.#insert(known, ip, name, timeMs)
  }

  /** The name under which `device` knew `ip` at `timeMs`, if it had asked by then. */
  at(device: string, ip: string, timeMs: number): string | undefined {
    const known = this.#byDevice.get(device)
    if (known === undefined) return undefined
    const row = this.#row(known, ip)
    if (row === 0) return undefined
    if (this.#rows.timeMs(row) <= timeMs) return this.#names.text(this.#rows.name(row))
    return this.#earlier.get(row)?.findLast((answer) => answer.timeMs <= timeMs)?.name
  }

  forget(device: string): void {
    const known = this.#byDevice.get(device)
    if (known === undefined) return
    this.#byDevice.delete(device)
    for (let row = known.first; row !== 0; ) {
      const next = this.#rows.next(row)
      this.#remove(row)
      row = next
    }
  }

  #row(known: Known, ip: string): number {
    const number = this.#ips.find(ip)
    return number === undefined ? 0 : this.#rows.find(known.number, number)
  }

  #insert(known: Known, ip: string, name: string, timeMs: number): void {
    const row = this.#rows.insert(known.number, this.#ips.hold(ip))
    this.#rows.set(row, this.#names.hold(name), timeMs)
    this.#push(known, row)
    known.size++
  }

  #push(known: Known, row: number): void {
    this.#rows.setNext(row, 0)
    if (known.last === 0) known.first = row
    else this.#rows.setNext(known.last, row)
    known.last = row
  }

  /** Of what a device knows, that which it was told longest ago. What it has heard again since it came has another turn. */
  #dropOldest(known: Known): void {
    for (;;) {
      const row = known.first
      known.first = this.#rows.next(row)
      if (known.first === 0) known.last = 0
      if (!this.#rows.isHeardAgain(row)) {
        known.size--
        this.#remove(row)
        return
      }
      this.#rows.setHeardAgain(row, false)
      this.#push(known, row)
    }
  }

  #remove(row: number): void {
    this.#ips.release(this.#rows.ip(row))
    this.#names.release(this.#rows.name(row))
    this.#earlier.delete(row)
    this.#rows.remove(row)
  }

  #append(row: number, name: string, timeMs: number): void {
    const earlier = this.#earlier.get(row)
    // After a clock was set back, what lies ahead would hide what is told now until then.
    if (this.#rows.timeMs(row) > timeMs) {
      let last = earlier?.pop()
      while (last !== undefined && last.timeMs > timeMs) last = earlier?.pop()
      this.#replace(row, last?.name ?? name, last?.timeMs ?? timeMs)
    }
    const current = this.#names.text(this.#rows.name(row))
    if (current === name) return
    const answers = earlier ?? []
    answers.push({ name: current, timeMs: this.#rows.timeMs(row) })
    if (answers.length >= ANSWERS) answers.shift()
    if (earlier === undefined) this.#earlier.set(row, answers)
    this.#replace(row, name, timeMs)
  }

  #replace(row: number, name: string, timeMs: number): void {
    const before = this.#rows.name(row)
    this.#rows.set(row, this.#names.hold(name), timeMs)
    this.#names.release(before)
  }

  /** Forgets the device that heard nothing new for longest. */
  #forgetStale(): void {
    if (this.#stale.length === 0) this.#stale = this.#stalest()
    const { device, newest } = this.#stale.pop() as { device: string; newest: number }
    if (this.#byDevice.get(device)?.newest === newest) this.forget(device)
  }

  /** A quarter of all devices, the stalest at the end. */
  #stalest(): { device: string; newest: number }[] {
    return Array.from(this.#byDevice, ([device, { newest }]) => ({ device, newest }))
      .sort((one, other) => one.newest - other.newest)
      .slice(0, Math.ceil(this.#byDevice.size / 4))
      .reverse()
  }
}
