// The spans of time that history is kept by. Hours and days are those of the local clock; times are in seconds here.
import type { Resolution } from '../../protocol/http.ts'

export const RESOLUTIONS = ['minute', 'hour', 'day'] as const satisfies readonly Resolution[]

/** When the bucket that holds `time_s` begins. */
export function bucketStart(resolution: Resolution, time_s: number): number {
  if (resolution === 'minute') return time_s - modulo(time_s, 60)
  if (resolution === 'day') return Math.floor(new Date(time_s * 1000).setHours(0, 0, 0, 0) / 1000)
  return Math.max(hourFloor(time_s), changeBetween(hourFloor(time_s), time_s) ?? 0)
}

/** When the bucket that begins at `start_s` ends; a day may have 23 or 25 hours. */
export function bucketEnd(resolution: Resolution, start_s: number): number {
  if (resolution === 'minute') return start_s + 60
  if (resolution === 'hour') {
    const end = hourFloor(start_s) + 3600
    return changeBetween(start_s, end - 1) ?? end
  }
  const date = new Date(start_s * 1000)
  return Math.floor(date.setDate(date.getDate() + 1) / 1000)
}

/** By the offset of that very moment, so that the hour a clock goes through twice stays two hours. */
function hourFloor(time_s: number): number {
  return time_s - modulo(time_s + offsetAt(time_s), 3600)
}

/** When the offset changes within an hour, as on Lord Howe Island by half of one: that cuts the hour in two. */
function changeBetween(from_s: number, to_s: number): number | undefined {
  const after = offsetAt(to_s)
  if (offsetAt(from_s) === after) return undefined
  let change = to_s - modulo(to_s, 60)
  while (offsetAt(change - 60) === after) change -= 60
  return change
}

/** Seconds that local time is ahead of UTC. */
function offsetAt(time_s: number): number {
  return -new Date(time_s * 1000).getTimezoneOffset() * 60
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}
