// History: who said how much to whom, by minute, hour and day, in an SQLite file that stays small, survives a power
// cut with at most five seconds lost, and does not stop the agent when the disk fails.
import { join } from 'node:path'
import type { History as HistoryAnswer, RemoteList } from '../../protocol/http.ts'
import type { Device } from '../../protocol/messages.ts'
import type { Interval } from '../interval.ts'
import type { Log } from '../log.ts'
import { bucketStart } from './buckets.ts'
import { closeDatabase, faultOf, NewerSchemaError, openDatabase, setAside } from './database.ts'
import { DeviceStore } from './device-store.ts'
import { Expiry } from './expiry.ts'
import { HistoryTables, historySchema } from './history-tables.ts'
import { inTransaction, Pace } from './pace.ts'
import { Pending } from './pending.ts'
import type { HistoryQuery } from './queries.ts'
import { queryPoints, queryRemotes } from './queries.ts'
import type { Kept } from './retention.ts'
import { retain } from './retention.ts'
import type { LooseMinute } from './roll-up.ts'
import { closeMinutes, readJournal, rollUp } from './roll-up.ts'
import { StoreFault } from './store-fault.ts'
import { encodeTally } from './tally.ts'

export interface HistoryOptions {
  /** The data folder, which exists; `history.db` and `devices.db` are in it. */
  dir: string
  clock: { now(): number }
  /** Milliseconds since the box was started; default: the clock, which then never jumps. */
  bootMs?: () => number
  /** Whether the clock can be believed: only then does what is old go. Default: it can. */
  isSynchronised?: () => boolean
  log: Log
  /** Defaults: 2, 14 and 90 days, and 200 MB. */
  kept?: Partial<Kept>
  /** Remotes kept by name per device and bucket. Default 200. */
  topRemotes?: number
  /** Between two writes. Default 4000, so that with the write itself no more than five seconds can be lost. */
  flushMs?: number
}

const HISTORY_FILE = 'history.db'
const DEVICES_FILE = 'devices.db'
const DAY_S = 86_400
const DEFAULT_KEPT: Kept = {
  minute_s: 2 * DAY_S,
  hour_s: 14 * DAY_S,
  day_s: 90 * DAY_S,
  maxBytes: 200_000_000,
}
/** Five times what is kept of a minute is counted exactly, then the smallest are still rightly the smallest. */
const EXACT_FACTOR = 5
const MAX_ENTRIES = 40_000
/** The year 2100: no query reaches further. */
const LAST_MS = 4_102_444_800_000
const REOPEN_MS = 30_000

/** The store of history. */
export class History {
  readonly #options: HistoryOptions
  readonly #kept: Kept
  readonly #limits: { maxRemotes: number; maxEntries: number }
  readonly #pending: Pending
  readonly #fault: StoreFault
  readonly #expiry: Expiry
  readonly #path: string
  readonly #devices: DeviceStore
  #tables: HistoryTables | undefined
  #work: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #flushing = false
  #lastMinutes: readonly number[] = []
  #triedMs = Number.NEGATIVE_INFINITY

  constructor(options: HistoryOptions) {
    this.#options = options
    this.#kept = { ...DEFAULT_KEPT, ...options.kept }
    this.#limits = {
      maxRemotes: (options.topRemotes ?? 200) * EXACT_FACTOR,
      maxEntries: MAX_ENTRIES,
    }
    this.#pending = new Pending(this.#limits)
    this.#fault = new StoreFault(options.log, 'history')
    const now = (): number => options.clock.now()
    const { bootMs = now, isSynchronised = () => true } = options
    this.#expiry = new Expiry({ now, bootMs, isSynchronised })
    this.#path = join(options.dir, HISTORY_FILE)
    this.#devices = new DeviceStore(join(options.dir, DEVICES_FILE), options.log)
  }

  /** Opens the files, and closes what an earlier run left open. Throws only for a file that a newer Homespin wrote. */
  async start(): Promise<void> {
    this.#devices.start()
    await this.#exclusive(() => this.#attempt((tables) => this.#maintain(tables), true))
    this.#timer = setInterval(() => {
      // A slow disk must not make writes queue up.
      if (!this.#flushing) void this.flush()
    }, this.#options.flushMs ?? 4000)
    this.#timer.unref()
  }

  /** Writes what is in memory and closes the files. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#devices.stop()
    await this.flush()
    await this.#exclusive(() => {
      const tables = this.#tables
      this.#tables = undefined
      if (tables === undefined) return
      try {
        closeDatabase(tables.db)
      } catch (error) {
        this.#fault.failed(error)
      }
    })
  }

  /** Takes an interval into memory; it is written within five seconds. */
  add(interval: Interval): void {
    this.#pending.add(interval)
    const ends = [interval.from_ms, interval.to_ms].map((ms) => Math.floor(ms / 1000))
    this.#lastMinutes = ends.map((time) => bucketStart('minute', time))
  }

  /** Writes what is in memory now; never throws. */
  async flush(): Promise<void> {
    this.#flushing = true
    try {
      await this.#exclusive(() => this.#attempt((tables) => this.#write(tables)))
    } finally {
      this.#flushing = false
    }
  }

  /** What can't be stored now, and why: sentences. */
  get problems(): string[] {
    return [this.#fault.problem, this.#devices.problem].filter((each) => each !== undefined)
  }

  /** Traffic over time, of one device or of all. */
  async query(query: HistoryQuery): Promise<HistoryAnswer> {
    const asked = clamp(query)
    const { points, kept_from_ms } = await this.#read((tables, loose) =>
      queryPoints(tables, loose, asked),
    )
    const { resolution, device, fromMs, toMs } = asked
    return {
      resolution,
      ...(device !== undefined && { device_id: device }),
      from_ms: fromMs,
      to_ms: toMs,
      points,
      kept_from_ms,
    }
  }

  /** The remotes with most bytes, of one device or of all. */
  async remotes(query: HistoryQuery, limit: number): Promise<RemoteList> {
    const asked = clamp(query)
    const remotes = await this.#read((tables, loose) =>
      queryRemotes(tables, loose, asked, limit, new Pace()),
    )
    return { remotes }
  }

  /** Every device as it was stored last; empty where the file can't be read. */
  loadDevices(): Device[] {
    return this.#devices.loadDevices()
  }

  /** Stores devices and their counters, all or none; true once they are on the disk. */
  saveDevices(devices: readonly Device[]): boolean {
    return this.#devices.saveDevices(devices)
  }

  /** Forgets a device; true once that is on the disk. Its history stays until it is too old. */
  deleteDevice(id: string): boolean {
    return this.#devices.deleteDevice(id)
  }

  /** One thing at a time: a transaction may span several turns of the event loop. */
  #exclusive<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#work.then(work)
    this.#work = result.catch(() => undefined)
    return result
  }

  async #read<Result>(
    work: (
      tables: HistoryTables | undefined,
      loose: Map<number, LooseMinute>,
    ) => Result | Promise<Result>,
  ): Promise<Result> {
    return await this.#exclusive(async () => {
      try {
        return await work(this.#tables, await this.#loose(this.#tables))
      } catch (error) {
        if (faultOf(error) === undefined) throw error
        this.#onFailure(error)
        return await work(undefined, await this.#loose(undefined))
      }
    })
  }

  /** Minutes that are not in the tables yet: those of the journal and those in memory. */
  async #loose(tables: HistoryTables | undefined): Promise<Map<number, LooseMinute>> {
    const loose = new Map<number, LooseMinute>()
    const pace = new Pace()
    if (tables !== undefined) {
      for (const minute of tables.journalMinutes()) {
        loose.set(minute, await readJournal(tables, minute, this.#limits, pace))
      }
    }
    for (const [time, minute] of this.#pending.minutes) {
      const known = loose.get(time)
      if (known === undefined) {
        loose.set(time, minute)
        continue
      }
      known.observed_ms += minute.observed_ms
      known.lossless &&= minute.lossless
      known.tally.merge(minute.tally)
    }
    return loose
  }

  /**
   * Opens the file if need be and works on it; what goes wrong is said once, and tried again by the next write. A file of a
   * newer Homespin is thrown at the start, and not used later.
   */
  async #attempt(work: (tables: HistoryTables) => Promise<void>, atStart = false): Promise<void> {
    try {
      if (this.#tables === undefined) {
        if (Math.abs(this.#options.clock.now() - this.#triedMs) < REOPEN_MS) return
        this.#triedMs = this.#options.clock.now()
        this.#tables = this.#open()
      }
      await work(this.#tables)
      const lost = this.#fault.active ? this.#pending.takeDropped() : 0
      this.#fault.recovered(
        lost === 0 ? '' : `${lost} minutes did not fit into memory and are missing`,
      )
    } catch (error) {
      if (atStart && error instanceof NewerSchemaError) throw error
      this.#onFailure(error)
    }
  }

  #open(): HistoryTables {
    const { topRemotes } = this.#options
    const schema = historySchema(this.#kept.maxBytes)
    const db = openDatabase(this.#path, schema, (keptAs) => this.#fault.damaged(keptAs))
    return new HistoryTables(db, topRemotes ?? 200)
  }

  #onFailure(error: unknown): void {
    if (faultOf(error) !== 'damaged') {
      this.#fault.failed(error)
      return
    }
    try {
      this.#tables?.db.close()
      this.#tables = undefined
      this.#fault.damaged(setAside(this.#path))
      this.#tables = this.#open()
    } catch (second) {
      this.#fault.failed(second)
    }
  }

  async #write(tables: HistoryTables): Promise<void> {
    const minutes = this.#pending.take()
    try {
      await inTransaction(tables.db, () => {
        for (const [minute, { observed_ms, lossless, tally }] of minutes) {
          tables.appendJournal({ minute, observed_ms, lossless, traffic: encodeTally(tally) })
        }
      })
    } catch (error) {
      this.#pending.putBack(minutes)
      throw error
    }
    const closing = tables.journalMinutes().some((minute) => !this.#isOpen(minute))
    if (closing || this.#fault.active) await this.#maintain(tables)
  }

  /** Whether more may still come for a minute. */
  #isOpen(minute: number): boolean {
    const current = bucketStart('minute', Math.floor(this.#options.clock.now() / 1000))
    return minute === current || this.#lastMinutes.includes(minute)
  }

  /** Closes minutes, rolls up, and makes the limits hold. */
  async #maintain(tables: HistoryTables): Promise<void> {
    const pace = new Pace()
    const now_s = Math.floor(this.#options.clock.now() / 1000)
    const allowance = this.#expiry.allowance(tables.rolledUpTo('minute'))
    await closeMinutes(tables, (minute) => this.#isOpen(minute), this.#limits, pace)
    await rollUp(tables, now_s, pace)
    this.#expiry.spent(await retain(tables, now_s, this.#kept, allowance, pace))
  }
}

function clamp(query: HistoryQuery): HistoryQuery {
  const within = (ms: number): number => Math.min(Math.max(Math.floor(ms), 0), LAST_MS)
  return { ...query, fromMs: within(query.fromMs), toMs: within(query.toMs) }
}
