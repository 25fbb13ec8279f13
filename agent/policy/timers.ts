// Ends that no step of the clock on the wall moves: kept on boot time, and carried over a reboot by what is known then.
import { existsSync, readFileSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import { bootMs, wallClock } from '../clock.ts'

/** Nobody can have built this before: a clock that shows less was never set. */
const BUILT_MS = Date.UTC(2026, 0, 1)
/** A home without internet never synchronises: after this the box's own clock is believed, if it can be right. */
const SYNC_PATIENCE_MS = 15 * 60_000
const TIMESYNC = '/run/systemd/timesync'
/** The wall may drift or be slewed; only more than this is a step. */
const STEP_MS = 1000

/** The clocks of a box. */
export interface BoxTime {
  wall: Clock
  /** Milliseconds of CLOCK_BOOTTIME. */
  bootMs: () => number
  /** Another one after each boot. */
  bootId: string
  /** Whether the clock on the wall can be believed. */
  synchronised: () => boolean
}

/** A moment to come. */
export interface Deadline {
  boot_id: string
  /** By CLOCK_BOOTTIME of that boot. */
  boot_ms: number
  /** By the clock on the wall when this was written; counts only after a reboot. */
  wall_ms: number
  /** The clock was not synchronised after the last reboot: `wall_ms` decides once it is. */
  wall_pending?: true
}

/** How the clocks stood together; written from time to time, so that a reboot does not lose what had passed. */
export interface Mark {
  boot_id: string
  boot_ms: number
  wall_ms: number
  synchronised: boolean
}

/** What is known of the clock on the wall besides what it shows. */
export interface WallFacts {
  /** Whether the kernel says that somebody keeps it right; undefined: it does not tell. */
  kernelSays: boolean | undefined
  /** Whether systemd-timesyncd says so; undefined: it is not there. */
  timesyncdSays: boolean | undefined
  /** It is right though nobody keeps it so: `trust_clock` of the configuration. */
  trusted: boolean
  wallMs: number
  bootMs: number
}

/**
 * Whether the wall can be believed: somebody keeps it right. Where nobody did for a quarter of an hour, or neither of both
 * tells, then if it is not earlier than this program.
 */
export function isBelieved(facts: WallFacts): boolean {
  const { kernelSays, timesyncdSays, trusted, wallMs, bootMs } = facts
  if (trusted || kernelSays === true || timesyncdSays === true) return true
  const isUntold = kernelSays === undefined && timesyncdSays === undefined
  return wallMs >= BUILT_MS && (isUntold || bootMs >= SYNC_PATIENCE_MS)
}

/** This box's clocks; see `WallFacts`. */
export function boxTime(
  kernelSays: () => boolean | undefined = () => undefined,
  trusted = false,
): BoxTime {
  return {
    wall: wallClock,
    bootMs,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    synchronised: () =>
      isBelieved({
        kernelSays: kernelSays(),
        timesyncdSays: existsSync(TIMESYNC) ? existsSync(`${TIMESYNC}/synchronized`) : undefined,
        trusted,
        wallMs: Date.now(),
        bootMs: bootMs(),
      }),
  }
}

/** Deadlines by a box's clocks. */
export class Timers {
  readonly #time: BoxTime
  /** Another one after each boot, also where the box has one id for several. */
  #bootId: string
  /** What the wall is ahead of boot time, held still while it only drifts. */
  #offsetMs = 0
  #trusted = false

  constructor(time: BoxTime) {
    this.#time = time
    this.#bootId = time.bootId
    this.follow()
  }

  /**
   * Looks at what an earlier run wrote last. A container (LXC) begins its uptime anew and keeps the boot id of its host: an
   * uptime below the one that was written is of another boot.
   */
  begin(mark: Mark | undefined): void {
    const [id, count = '0'] = mark?.boot_id.split('+') ?? []
    if (mark === undefined || id !== this.#time.bootId) return
    this.#bootId = mark.boot_ms > this.bootNow ? `${id}+${Number(count) + 1}` : mark.boot_id
  }

  get bootNow(): number {
    return this.#time.bootMs()
  }

  get wallNow(): number {
    return this.#time.wall.now()
  }

  /** Whether the clock on the wall could be believed when it was last looked. */
  get trusted(): boolean {
    return this.#trusted
  }

  /** Looks at the clocks; true where the wall was set or has become believable since. */
  follow(): boolean {
    const offset = this.#time.wall.now() - this.#time.bootMs()
    const trusted = this.#trusted || this.#time.synchronised()
    const changed = Math.abs(offset - this.#offsetMs) > STEP_MS || trusted !== this.#trusted
    this.#trusted = trusted
    if (changed) this.#offsetMs = offset
    return changed
  }

  mark(): Mark {
    return {
      boot_id: this.#bootId,
      boot_ms: this.bootNow,
      wall_ms: this.wallNow,
      synchronised: this.#trusted,
    }
  }

  /** A deadline in `ms` from now. */
  after(ms: number): Deadline {
    return this.#at(this.bootNow + ms)
  }

  #at(bootMs: number): Deadline {
    return { boot_id: this.#bootId, boot_ms: bootMs, wall_ms: bootMs + this.#offsetMs }
  }

  /** Milliseconds left; negative once it has passed. For deadlines of this boot. */
  left(deadline: Deadline): number {
    return deadline.boot_ms - this.bootNow
  }

  /** What the wall will show then, if nobody sets it meanwhile. */
  wallAt(bootMs: number): number {
    return Math.round(bootMs + this.#offsetMs)
  }

  /** What the wall will show at a deadline. */
  wallOf(deadline: Deadline): number {
    return deadline.boot_id === this.#bootId
      ? this.wallAt(deadline.boot_ms)
      : Math.round(deadline.wall_ms)
  }

  /** When the wall will show `wallMs`, if nobody sets it meanwhile. */
  bootAt(wallMs: number): number {
    return wallMs - this.#offsetMs
  }

  /**
   * A deadline of any boot as one of this boot. `mark`: the last one that was written. By the wall, where it can be believed
   * now and could when the mark was written; else by what was left at the mark.
   */
  carryOver(deadline: Deadline, mark: Mark | undefined): Deadline {
    if (deadline.boot_id === this.#bootId) return deadline
    const known = mark?.boot_id === deadline.boot_id ? mark : undefined
    const pending = deadline.wall_pending === true
    const wallEnd =
      known === undefined || pending
        ? deadline.wall_ms
        : known.wall_ms + deadline.boot_ms - known.boot_ms
    const byWall = wallEnd - this.wallNow
    if (known === undefined) return this.after(byWall)
    const leftThen = deadline.boot_ms - known.boot_ms
    const wallKnown = pending || known.synchronised
    if (wallKnown && this.#trusted) return this.after(Math.min(leftThen, byWall))
    const carried = this.after(leftThen)
    return wallKnown ? { ...carried, wall_ms: wallEnd, wall_pending: true } : carried
  }

  /** A deadline that waited for the clock on the wall, now that it is believed. Never later than it was. */
  settle(deadline: Deadline): Deadline {
    if (deadline.wall_pending !== true || !this.#trusted) return deadline
    return this.after(Math.min(this.left(deadline), deadline.wall_ms - this.wallNow))
  }
}
