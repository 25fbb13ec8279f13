// Time zones by their IANA names.
import { readlinkSync } from 'node:fs'

const LOCALTIME = '/etc/localtime'

/** Whether this system knows the IANA time zone; offsets such as `+02:00` are none, as they know no summer time. */
export function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(text)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return true
  } catch {
    return false
  }
}

/**
 * The zone of this system, as the C library finds it (tzset(3)). Intl is asked only where that is no name of a zone: what it
 * needs for that is 8 MB of memory.
 */
export function systemTimeZone(
  env: NodeJS.ProcessEnv = process.env,
  localtime = LOCALTIME,
): string {
  return zoneName(env.TZ ?? linkOf(localtime)) ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Where the link of the system leads to, such as `/usr/share/zoneinfo/Europe/Amsterdam`. */
function linkOf(path: string): string {
  try {
    const [, name = ''] = /\/zoneinfo\/(.+)$/.exec(readlinkSync(path)) ?? []
    return name
  } catch {
    return ''
  }
}

function zoneName(text: string): string | undefined {
  return /^(UTC|[A-Z][A-Za-z_]+(\/[A-Z][A-Za-z0-9_+-]+){1,2})$/.test(text) ? text : undefined
}
