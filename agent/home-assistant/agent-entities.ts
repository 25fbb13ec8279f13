// How the agent itself is announced. Pure.
import type { AgentEntityKey } from '../../protocol/home-assistant.ts'
import { AGENT_ENTITIES, identifierOf, VISIBILITIES } from '../../protocol/home-assistant.ts'
import type { Announcer, Component, Controls } from './component.ts'
import {
  attributes,
  available,
  command,
  controllable,
  levelOptions,
  originOf,
  withIds,
} from './component.ts'

/** The payload that announces the agent itself. `mode`: shown as its model. */
export function agentPayload(by: Announcer, mode: string, controls: Controls): string {
  const identifier = identifierOf(by.agent)
  const name = by.agent === 'home' ? 'Homespin' : `Homespin ${by.agent}`
  return JSON.stringify({
    device: {
      identifiers: [identifier],
      name,
      manufacturer: 'Homespin',
      model: `Agent, mode ${mode}`,
      sw_version: by.version,
    },
    origin: originOf(by),
    qos: 1,
    components: withIds(identifier, agentComponents(by, controls), AGENT_ENTITIES),
  })
}

function agentComponents(
  by: Announcer,
  controls: Controls,
): Partial<Record<AgentEntityKey, Component>> {
  const { topics } = by
  const state = topics.homeAssistantAgent('state')
  return {
    status: {
      name: 'Status',
      device_class: 'connectivity',
      entity_category: 'diagnostic',
      state_topic: topics.status,
      payload_on: 'online',
      payload_off: 'offline',
    },
    visibility: {
      name: 'Visibility',
      icon: 'mdi:eye-outline',
      device_class: 'enum',
      entity_category: 'diagnostic',
      options: [...VISIBILITIES],
      state_topic: state,
      value_template: '{{ value_json.visibility }}',
      ...attributes(state, 'visibility_attributes'),
      ...available(by),
    },
    devices: {
      name: 'Devices',
      icon: 'mdi:devices',
      state_class: 'measurement',
      state_topic: state,
      value_template: '{{ value_json.devices }}',
      ...available(by),
    },
    loss: {
      name: 'Lost packets',
      icon: 'mdi:package-variant-remove',
      entity_category: 'diagnostic',
      state_class: 'total_increasing',
      state_topic: state,
      value_template: '{{ value_json.loss }}',
      ...attributes(state, 'loss_attributes'),
      ...available(by),
    },
    problem: {
      name: 'Problem',
      device_class: 'problem',
      entity_category: 'diagnostic',
      state_topic: state,
      value_template: '{{ value_json.problem }}',
      ...attributes(state, 'problem_attributes'),
      ...available(by),
    },
    ...(controls.levels.length > 0 && {
      release_all: {
        name: 'Release all',
        icon: 'mdi:lock-open-outline',
        ...controllable(by),
        ...command(by, 'release', '"all":true'),
      },
      default_policy: {
        name: 'Default policy',
        icon: 'mdi:shield-plus-outline',
        entity_category: 'config',
        options: levelOptions(controls),
        state_topic: state,
        value_template: '{{ value_json.default_policy }}',
        ...controllable(by),
        ...command(by, 'quarantine', '"new_devices":true,"level":"{{ value }}"'),
      },
    }),
    new_device: {
      name: 'New device',
      icon: 'mdi:new-box',
      state_topic: topics.homeAssistantAgent('new_device'),
      event_types: ['new_device'],
      ...available(by),
    },
  }
}
