// Two agents with one id would write over each other's topics. Each hears its own `info` topic, and so the other.

/** Another agent that uses the same agent id on the same broker, now. */
export interface OtherInstance {
  instance: string
  started_ms: number
  /** True: this agent started after the other one, and is the one to stand back. */
  this_is_later: boolean
}

/** What a message on the agent's own `info` topic says of another instance; undefined for our own echo and for garbage. */
export function readOtherInstance(
  payload: Buffer,
  own: { instance: string; startedMs: number },
): OtherInstance | undefined {
  if (payload.length === 0 || payload.length > 65536) return undefined
  let info: unknown
  try {
    info = JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof info !== 'object' || info === null) return undefined
  const { instance, started_ms } = info as { instance?: unknown; started_ms?: unknown }
  if (
    typeof instance !== 'string' ||
    instance === own.instance ||
    !/^[0-9a-z_-]{1,64}$/.test(instance)
  )
    return undefined
  if (typeof started_ms !== 'number' || !Number.isFinite(started_ms)) return undefined
  const this_is_later =
    own.startedMs > started_ms || (own.startedMs === started_ms && own.instance > instance)
  return { instance, started_ms, this_is_later }
}
