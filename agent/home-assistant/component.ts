// What announcements are made of: orders, attributes and ids of entities. Every template is written in this room; nothing that
// came from a network is ever part of one. Pure.
import { OPEN } from '../../protocol/home-assistant.ts'
import type { Topics } from '../../protocol/topics.ts'

/** What the agent can do here, as far as entities depend on it. */
export interface Controls {
  /** Levels that can be held here; empty: nothing is shut off here, or Home Assistant may not order it. */
  levels: readonly string[]
  /** They can not be held for the moment. */
  away: boolean
  /** Home Assistant may order what needs no kernel. */
  orders: boolean
}

/** Who announces. */
export interface Announcer {
  agent: string
  version: string
  topics: Topics
}

/** One entity, as discovery takes it. */
export type Component = Record<string, unknown>

/** Options of a select of levels. */
export function levelOptions({ levels }: Controls): string[] {
  return [OPEN, ...levels]
}

/** Who announces, for Home Assistant's log. */
export function originOf({ version }: Announcer): object {
  return { name: 'homespin', sw_version: version }
}

/**
 * Entities with their ids. Those that can not be had here are reduced to their platform, which takes them out where they were
 * there before; each time, as Home Assistant may have been away when it was said first.
 */
export function withIds<Key extends string>(
  identifier: string,
  components: Partial<Record<Key, Component>>,
  platforms: Readonly<Record<Key, string>>,
): Record<string, Component> {
  const all: Record<string, Component> = {}
  const gone: Record<string, Component> = {}
  for (const key of Object.keys(platforms) as Key[]) {
    const component = components[key]
    const platform = platforms[key]
    if (component === undefined) gone[key] = { platform }
    else all[key] = { platform, unique_id: `${identifier}_${key}`, ...component }
  }
  return { ...all, ...gone }
}

/** Methods that write nothing into the journal take no name of who asks. */
const NAMELESS: readonly string[] = ['pause-minutes', 'device-forget']

/** A command: `args` is the rest of its JSON, ours to the last character; `value` is what Home Assistant's user chose. */
export function command({ topics }: Announcer, verb: string, args: string): Component {
  const now = '{{ (now().timestamp() * 1000) | int }}'
  const id = `ha-${now}-{{ range(100000) | random }}`
  const by = NAMELESS.includes(verb) ? '' : '"by":{"kind":"automation","name":"Home Assistant"},'
  return {
    command_topic: topics.command(verb),
    command_template: `{"id":"${id}","issued_ms":${now},"ttl_ms":30000,${by}${args}}`,
  }
}

/** What a whole device is available by; entities that have more to say have all of it themselves. */
export function available({ topics }: Announcer): Component {
  return { availability: [{ topic: topics.status }] }
}

/** What a control is available by: a short fault of the kernel does not take it out of Home Assistant. */
export function controllable({ topics }: Announcer): Component {
  return {
    availability: [{ topic: topics.status }, { topic: topics.homeAssistantAgent('controls') }],
    availability_mode: 'all',
  }
}

/** Attributes of an entity: what stands under `key` in the JSON of a topic. */
export function attributes(topic: string, key = 'attributes'): Component {
  return {
    json_attributes_topic: topic,
    json_attributes_template: `{{ value_json.${key} | tojson }}`,
  }
}
