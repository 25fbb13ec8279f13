// How long: a number of seconds, or text such as `30m`, the same on every way in.
import { z } from 'zod'

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** The longest duration that can be ordered: 366 days. */
export const MAX_DURATION_S = 31_622_400

/** Seconds of `90`, `30s`, `30m`, `2h`, `1d`, `1w`, `1h30m`; undefined for anything else. */
export function secondsOf(text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  if (text.length > 32 || !/^(?:\d{1,9}[smhdw])+$/.test(text)) return undefined
  let seconds = 0
  for (const [, count, unit = ''] of text.matchAll(/(\d+)([smhdw])/g)) {
    seconds += Number(count) * (UNIT_S[unit] ?? Number.NaN)
  }
  return seconds
}

/** `30 min`, `2 h`, `1 d 4 h`: the two largest units of a number of seconds. */
export function durationText(seconds: number): string {
  const parts: string[] = []
  let rest = Math.max(0, Math.round(seconds))
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) parts.push(`${count} ${unit}`)
  }
  return parts.slice(0, 2).join(' ') || '0 s'
}

/** The schema of a duration from `least` to `most` seconds; gives seconds. */
export function duration(least = 1, most = MAX_DURATION_S): z.ZodType<number, number | string> {
  const message = `expected a duration from ${durationText(least)} to ${durationText(most)}: seconds, or text such as 30m, 2h, 1d`
  return z
    .union(
      [
        z.number().int().min(least, message).max(most, message),
        z
          .string()
          .max(32, message)
          .regex(/^(?:[0-9]+|(?:[0-9]+[smhdw])+)$/, message),
      ],
      { error: message },
    )
    .transform((given, context) => {
      const seconds = typeof given === 'number' ? given : secondsOf(given)
      if (seconds !== undefined && seconds >= least && seconds <= most) return seconds
      context.issues.push({ code: 'custom', message, input: given })
      return z.NEVER
    })
}
