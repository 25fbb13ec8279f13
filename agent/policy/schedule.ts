// Windows of the week on the clock on the wall, in any time zone: whether one holds now, and when that changes next.
// A window begins at the first moment at which the wall shows its beginning and ends at the last at which it shows its end;
// a time that is skipped in spring is the moment of the skip. So an hour that comes twice is held twice, never opened between.
import type { Schedule, Window } from '../../protocol/policy.ts'
import { PolicyError } from './contract.ts'

const DAY_MS = 86_400_000
/** Windows of a week repeat after seven days; one that a skipped hour swallows comes back after fourteen. */
const AHEAD_DAYS = 15
const BEHIND_DAYS = 2
/** Zones do not change their offset twice within this time. */
const STEP_MS = 6 * 3_600_000
/** Time zones whose offsets are kept at hand. */
const MAX_ZONES = 64
const MAX_WINDOWS = 32

/** What a schedule says at a moment. */
export interface Moment {
  /** A window holds. */
  open: boolean
  /** When that changes (milliseconds since the epoch); absent: not within two weeks. */
  untilMs?: number
}

/** From `fromMs` on the wall is `offsetMs` ahead of UTC. */
interface Span {
  fromMs: number
  toMs: number
  offsetMs: number
}

interface Zone {
  format: Intl.DateTimeFormat
  fromMs: number
  toMs: number
  spans: readonly Span[]
}

const zones = new Map<string, Zone>()

/** What `schedule` says at `nowMs`. Its zone and windows are those that `canonicalSchedule` let pass. */
export function momentOf(schedule: Schedule, nowMs: number): Moment {
  const spans = spansOf(schedule.time_zone, nowMs)
  const here = spans.find(({ toMs }) => nowMs < toMs) ?? (spans.at(-1) as Span)
  const today = Math.floor((nowMs + here.offsetMs) / DAY_MS)
  const held: [from: number, to: number][] = []
  for (let day = today - BEHIND_DAYS; day <= today + AHEAD_DAYS; day++) {
    for (const window of schedule.windows) {
      if (!window.days.includes(isoDay(day))) continue
      const [from, to] = minutesOf(window)
      const begin = firstInstant(spans, day * DAY_MS + from * 60_000)
      const end = lastInstant(spans, day * DAY_MS + to * 60_000)
      if (end > begin && end > nowMs) held.push([begin, end])
    }
  }
  held.sort((a, b) => a[0] - b[0])
  const first = held[0]
  if (first === undefined) return { open: false }
  if (first[0] > nowMs) return { open: false, untilMs: first[0] }
  let end = first[1]
  for (const [from, to] of held) if (from <= end && to > end) end = to
  return { open: true, untilMs: end }
}

/** The same schedule in its only form. Throws a `PolicyError` that says what is wrong with it. */
export function canonicalSchedule(schedule: Schedule): Schedule {
  const refuse = (message: string): PolicyError => new PolicyError('refused', message)
  const { time_zone, windows } = schedule
  if (!isTimeZone(time_zone)) {
    throw refuse('There is no such time zone; give an IANA name such as Europe/Amsterdam.')
  }
  if (windows.length < 1 || windows.length > MAX_WINDOWS) {
    throw refuse(`A schedule has 1 to ${MAX_WINDOWS} windows.`)
  }
  const isTime = (text: string): boolean => /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(text)
  const written = windows.map(({ days, from, to }) => {
    const sound = days.every((day) => Number.isInteger(day) && day >= 1 && day <= 7)
    if (!sound || days.length === 0 || days.length > 7) {
      throw refuse('The days of a window are numbers from 1 (Monday) to 7 (Sunday).')
    }
    if (!isTime(from) || !isTime(to)) throw refuse('A window goes from HH:MM to HH:MM.')
    return { days: [...new Set(days)].sort(), from, to }
  })
  const order = (a: Window, b: Window): number => (textOf(a) < textOf(b) ? -1 : 1)
  return { time_zone, windows: written.sort(order) }
}

function textOf({ days, from, to }: Window): string {
  return `${days.join('')} ${from} ${to}`
}

function isTimeZone(name: string): boolean {
  if (typeof name !== 'string' || name.length > 64 || !/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** 1 (Monday) to 7 of a day counted from 1970-01-01, a Thursday. */
function isoDay(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1
}

/** Minutes from the midnight before the window begins; the end later than the beginning. */
function minutesOf({ from, to }: Window): [from: number, to: number] {
  const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
  const [begin, end] = [minutes(from), minutes(to)]
  return [begin, end > begin ? end : end + 1440]
}

/** `wallMs`: what the wall shows, as if it were UTC. */
function instantsOf(spans: readonly Span[], wallMs: number): number[] {
  const shown = spans
    .map(({ fromMs, toMs, offsetMs }) => ({ at: wallMs - offsetMs, fromMs, toMs }))
    .filter(({ at, fromMs, toMs }) => at >= fromMs && at < toMs)
    .map(({ at }) => at)
  if (shown.length > 0) return shown
  // Never shown: the moment at which the wall jumps over it.
  const jump = spans.find(
    ({ toMs, offsetMs }, n) =>
      wallMs >= toMs + offsetMs && wallMs < toMs + (spans[n + 1]?.offsetMs ?? -Infinity),
  )
  return jump === undefined ? [wallMs - (spans[0]?.offsetMs ?? 0)] : [jump.toMs]
}

function firstInstant(spans: readonly Span[], wallMs: number): number {
  return Math.min(...instantsOf(spans, wallMs))
}

function lastInstant(spans: readonly Span[], wallMs: number): number {
  return Math.max(...instantsOf(spans, wallMs))
}

/** The offsets of a zone around a moment; asking Intl is slow, so they are kept for some days. */
function spansOf(name: string, nowMs: number): readonly Span[] {
  const known = zones.get(name)
  const margin = (BEHIND_DAYS + 1) * DAY_MS
  const ahead = (AHEAD_DAYS + 2) * DAY_MS
  if (known && nowMs - margin >= known.fromMs && nowMs + ahead <= known.toMs) return known.spans
  const format =
    known?.format ??
    new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
  const fromMs = Math.floor(nowMs / STEP_MS) * STEP_MS - margin - 2 * DAY_MS
  const toMs = fromMs + margin + ahead + 7 * DAY_MS
  if (zones.size >= MAX_ZONES) zones.clear()
  const spans = readSpans(format, fromMs, toMs)
  zones.set(name, { format, fromMs, toMs, spans })
  return spans
}

function readSpans(format: Intl.DateTimeFormat, fromMs: number, toMs: number): Span[] {
  const spans: Span[] = []
  let begin = fromMs
  let offset = offsetAt(format, fromMs)
  for (let at = fromMs; at < toMs; at += STEP_MS) {
    const next = offsetAt(format, at + STEP_MS)
    if (next === offset) continue
    let [low, high] = [at, at + STEP_MS]
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000
      if (offsetAt(format, middle) === offset) low = middle
      else high = middle
    }
    spans.push({ fromMs: begin, toMs: high, offsetMs: offset })
    begin = high
    offset = next
  }
  spans.push({ fromMs: begin, toMs: toMs + STEP_MS, offsetMs: offset })
  return spans
}

function offsetAt(format: Intl.DateTimeFormat, atMs: number): number {
  const seconds = Math.floor(atMs / 1000) * 1000
  const part: Record<string, string> = {}
  for (const { type, value } of format.formatToParts(seconds)) part[type] = value
  const year = part.era === 'BC' ? 1 - Number(part.year) : Number(part.year)
  const wall = Date.UTC(
    year,
    Number(part.month) - 1,
    Number(part.day),
    Number(part.hour),
    Number(part.minute),
    Number(part.second),
  )
  return wall - seconds
}
