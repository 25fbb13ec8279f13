// Where messages go. No topic is ever made of a name from the network.

/** The prefix of all topics unless configured otherwise. */
export const DEFAULT_PREFIX = 'homespin'

/** What an agent id looks like. */
export const AGENT_ID = /^[a-z0-9_-]{1,32}$/

/** What a device id looks like: a MAC's 12 hex digits, or 16 of a hash. */
export const DEVICE_ID = /^(?:[0-9a-f]{12}|[0-9a-f]{16})$/

/** The two words of the `status` topic, the second as last will. */
export type Status = 'online' | 'offline'

/** The largest payload that an agent publishes. */
export const MAX_PAYLOAD_BYTES = 65536

/** Topics of one agent. */
export interface Topics {
  /** Bare word `online` or `offline`; retained, QoS 1, last will. */
  status: string
  /** `Info`; retained, QoS 1. */
  info: string
  /** `FlowBatch`; QoS 0. */
  flow: string
  /** `DnsBatch`; QoS 0. */
  dns: string
  /** `AgentEvent`; QoS 1. */
  event: string
  /** Filter over every device of this agent. */
  devices: string
  /** `Device`; retained, QoS 1; empty payload: forgotten. */
  device: (id: string) => string
}

/** The topics of `agent` (an `AGENT_ID`) below `prefix`. Throws a RangeError for an impossible id or prefix. */
export function topicsOf(agent: string, prefix: string = DEFAULT_PREFIX): Topics {
  if (!AGENT_ID.test(agent)) throw new RangeError(`agent id must match ${AGENT_ID.source}`)
  if (!isTopicPrefix(prefix))
    throw new RangeError('topic prefix must be levels of letters, digits, _ and -')
  const base = `${prefix}/${agent}`
  return {
    status: `${base}/status`,
    info: `${base}/info`,
    flow: `${base}/flow`,
    dns: `${base}/dns`,
    event: `${base}/event`,
    devices: `${base}/device/+`,
    device: (id) => {
      if (!DEVICE_ID.test(id)) throw new RangeError('device id must be 12 or 16 hex digits')
      return `${base}/device/${id}`
    },
  }
}

/** Whether `prefix` can stand before `/<agent>/…`: one to eight levels of letters, digits, `_` and `-`. */
export function isTopicPrefix(prefix: string): boolean {
  return prefix.length <= 128 && /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+){0,7}$/.test(prefix)
}
