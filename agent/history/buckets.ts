// The spans of time that history is kept by. Hours and days are those of the local clock; times are in seconds here.
import type { Resolution } from '../../protocol/http.ts'

export const RESOLUTIONS = ['minute', 'hour', 'day'] as const satisfies readonly Resolution[]

/** When the bucket that holds `time_s` begins. */
export function bucketStart(resolution: Resolution, time_s: number): number {
  if (resolution === 'minute') return time_s - modulo(time_s, 60)
  const date = new Date(time_s * 1000)
  if (resolution === 'day') return Math.floor(date.setHours(0, 0, 0, 0) / 1000)
  // By the offset of that very moment, so that the hour a clock goes through twice stays two hours.
  const offset_s = -date.getTimezoneOffset() * 60
  return time_s - modulo(time_s + offset_s, 3600)
}

/** When the bucket that begins at `start_s` ends; a day may have 23 or 25 hours. */
export function bucketEnd(resolution: Resolution, start_s: number): number {
  if (resolution === 'minute') return start_s + 60
  if (resolution === 'hour') return start_s + 3600
  const date = new Date(start_s * 1000)
  return Math.floor(date.setDate(date.getDate() + 1) / 1000)
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}
