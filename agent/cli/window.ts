// Windows of a week as people write them on a command line.
import type { Window } from '../../protocol/policy.ts'

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const SENTENCE =
  'expected days and times, such as "mon-fri 22:00-07:00", "sat,sun 09:00-12:00" or "daily 23:00-06:30"'

/** Reads `mon-fri 22:00-07:00`. Throws an Error with a sentence. */
export function parseWindow(text: string): Window {
  const match = /^([a-z,-]+) +(\d{2}:\d{2})-(\d{2}:\d{2})$/.exec(text.trim().toLowerCase())
  const [, days = '', from = '', to = ''] = match ?? []
  if (match === null) throw new Error(`--window: ${SENTENCE}`)
  return { days: days === 'daily' ? [1, 2, 3, 4, 5, 6, 7] : daysOf(days), from, to }
}

function daysOf(text: string): number[] {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [first = '', last = first, more] = part.split('-')
    const from = DAYS.indexOf(first)
    const to = DAYS.indexOf(last)
    if (from < 0 || to < 0 || more !== undefined) throw new Error(`--window: ${SENTENCE}`)
    // `sat-mon` goes over the end of the week.
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day + 1)
      if (day === to) break
    }
  }
  return [...days].sort((a, b) => a - b)
}

/** The same back, for lists of rules. */
export function windowText({ days, from, to }: Window): string {
  const names = days.length === 7 ? 'daily' : days.map((day) => DAYS[day - 1] ?? '?').join(',')
  return `${names} ${from}-${to}`
}
