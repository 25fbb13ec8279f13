// Where messages go. No topic is ever made of a name from the network.
import { VERB } from './commands.ts'

/** The prefix of all topics unless configured otherwise. */
export const DEFAULT_PREFIX = 'homespin'

/** What an agent id looks like. */
export const AGENT_ID = /^[a-z0-9_-]{1,32}$/

/** What a device id looks like: a MAC's 12 hex digits, or 16 of a hash. */
export const DEVICE_ID = /^(?:[0-9a-f]{12}|[0-9a-f]{16})$/

/** What the id of an incident looks like. */
export const INCIDENT_ID = /^[0-9a-z-]{1,32}$/

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
  /** `Presence`; QoS 1: instances of one agent id among themselves. */
  instance: string
  /** `FlowBatch`; QoS 0. */
  flow: string
  /** `DnsBatch`; QoS 0. */
  dns: string
  /** `AgentEvent`; QoS 1. */
  event: string
  /** `BlockedBatch`; QoS 0. */
  blocked: string
  /** `Connection`; QoS 0. */
  connection: string
  /** Filter over every incident of this agent. */
  incidents: string
  /** `Incident`; retained while open, QoS 1; at its end once unretained, then empty. */
  incident: (id: string) => string
  /** Filter over every order to this agent. */
  commands: string
  /** `CommandEnvelope` with the method's arguments; QoS 1, never retained. */
  command: (verb: string) => string
  /** `CommandResponse`; QoS 1. */
  response: (verb: string) => string
  /** Filter over every device of this agent. */
  devices: string
  /** `Device`; retained, QoS 1; empty payload: forgotten. */
  device: (id: string) => string
  /** Filter over what is told for Home Assistant's entities. */
  homeAssistant: string
  /**
   * `state`: retained, QoS 1. `new_device`: events. Both of the agent's own entities. `controls`: the word `online` or
   * `offline`, retained, QoS 1: whether what can be ordered can be held now.
   */
  homeAssistantAgent: (part: 'state' | 'controls' | 'new_device') => string
  /** Of a device's entities: `control`, `traffic` and `incident` retained, QoS 1; `detection`: events. */
  homeAssistantDevice: (id: string, part: HomeAssistantPart) => string
}

/** What of a device is told for Home Assistant's entities, each under its own topic. */
export type HomeAssistantPart = 'control' | 'traffic' | 'incident' | 'detection'

/** The topics of `agent` (an `AGENT_ID`) below `prefix`. Throws a RangeError for an impossible id or prefix. */
export function topicsOf(agent: string, prefix: string = DEFAULT_PREFIX): Topics {
  if (!AGENT_ID.test(agent)) throw new RangeError(`agent id must match ${AGENT_ID.source}`)
  if (!isTopicPrefix(prefix))
    throw new RangeError('topic prefix must be levels of letters, digits, _ and -')
  const base = `${prefix}/${agent}`
  return {
    status: `${base}/status`,
    info: `${base}/info`,
    instance: `${base}/instance`,
    flow: `${base}/flow`,
    dns: `${base}/dns`,
    event: `${base}/event`,
    blocked: `${base}/blocked`,
    connection: `${base}/connection`,
    incidents: `${base}/incident/+`,
    incident: (id) => {
      if (!INCIDENT_ID.test(id))
        throw new RangeError('incident id must be 1 to 32 of 0-9, a-z and -')
      return `${base}/incident/${id}`
    },
    commands: `${base}/command/+`,
    command: (verb) => `${base}/command/${checkedVerb(verb)}`,
    response: (verb) => `${base}/response/${checkedVerb(verb)}`,
    devices: `${base}/device/+`,
    device: (id) => `${base}/device/${checkedDevice(id)}`,
    homeAssistant: `${base}/ha/#`,
    homeAssistantAgent: (part) => `${base}/ha/agent/${part}`,
    homeAssistantDevice: (id, part) => `${base}/ha/${checkedDevice(id)}/${part}`,
  }
}

function checkedDevice(id: string): string {
  if (!DEVICE_ID.test(id)) throw new RangeError('device id must be 12 or 16 hex digits')
  return id
}

function checkedVerb(verb: string): string {
  if (verb.length > 32 || !VERB.test(verb))
    throw new RangeError('a verb is words of a-z with - between')
  return verb
}

/** Whether `prefix` can stand before `/<agent>/…`: one to eight levels of letters, digits, `_` and `-`. */
export function isTopicPrefix(prefix: string): boolean {
  return prefix.length <= 128 && /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+){0,7}$/.test(prefix)
}
