// How a device of the home is announced: as one device of Home Assistant with its entities, by device-based MQTT discovery
// (home-assistant.io/integrations/mqtt, "device discovery payload"). Pure.
import { INCIDENT_KINDS } from '../../protocol/act.ts'
import type { DeviceEntityKey } from '../../protocol/home-assistant.ts'
import {
  DEVICE_ENTITIES,
  ENABLED_ENTITIES,
  identifierOf,
  MAX_PAUSE_MINUTES,
  OPEN,
} from '../../protocol/home-assistant.ts'
import type { Device } from '../../protocol/messages.ts'
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
import { plain } from './plain.ts'
import { nameOf } from './states.ts'

/**
 * The device that an entity belongs to, by the end of its identifier. Home Assistant compiles each different template, which
 * takes most of the time in which a home of hundreds appears: so these are the same for all.
 */
const DEVICE =
  '"device":"{{ (device_attr(entity_id, \'identifiers\') | first | last).split(\'_\') | last }}"'

/** What Home Assistant's registries know of a device besides its name. */
export interface RegistryFacts {
  manufacturer?: string
  model?: string
}

/** The payload that announces a device. */
export function devicePayload(
  by: Announcer,
  device: Device,
  controls: Controls,
  facts: RegistryFacts = {},
): string {
  const identifier = identifierOf(by.agent, device.id)
  const manufacturer = facts.manufacturer ?? device.vendor
  const components = deviceComponents(by, device.id, controls)
  for (const key of Object.keys(components) as DeviceEntityKey[]) {
    if (ENABLED_ENTITIES.includes(key)) continue
    components[key] = { ...components[key], enabled_by_default: false }
  }
  return JSON.stringify({
    device: {
      identifiers: [identifier],
      ...(device.mac === undefined ? {} : { connections: [['mac', device.mac]] }),
      name: nameOf(device),
      ...(manufacturer === undefined ? {} : { manufacturer: plain(manufacturer, 100) }),
      ...(facts.model === undefined ? {} : { model: plain(facts.model, 100) }),
      via_device: identifierOf(by.agent),
    },
    origin: originOf(by),
    ...available(by),
    qos: 1,
    components: withIds(identifier, components, DEVICE_ENTITIES),
  })
}

function deviceComponents(
  by: Announcer,
  id: string,
  controls: Controls,
): Partial<Record<DeviceEntityKey, Component>> {
  const control = by.topics.homeAssistantDevice(id, 'control')
  const incident = by.topics.homeAssistantDevice(id, 'incident')
  const canPause = controls.levels.includes('local_only')
  return {
    ...(canPause && {
      internet: {
        name: 'Internet access',
        icon: 'mdi:web',
        state_topic: control,
        value_template: '{{ value_json.internet }}',
        ...controllable(by),
        ...attributes(control),
        ...command(
          by,
          'quarantine',
          `${DEVICE},"level":"{{ '${OPEN}' if value == 'ON' else 'local_only' }}"`,
        ),
      },
      pause_minutes: {
        name: 'Pause minutes',
        icon: 'mdi:timer-cog-outline',
        entity_category: 'config',
        state_topic: control,
        value_template: '{{ value_json.pause_minutes }}',
        min: 1,
        max: MAX_PAUSE_MINUTES,
        step: 1,
        mode: 'box',
        unit_of_measurement: 'min',
        ...command(by, 'pause-minutes', `${DEVICE},"minutes":{{ value | int }}`),
      },
      pause: {
        name: 'Pause',
        icon: 'mdi:timer-pause-outline',
        ...controllable(by),
        ...command(by, 'pause', DEVICE),
      },
    }),
    ...(controls.levels.length > 0 && {
      quarantine: {
        name: 'Quarantine',
        icon: 'mdi:shield-lock-outline',
        state_topic: control,
        value_template: '{{ value_json.quarantine }}',
        options: levelOptions(controls),
        ...controllable(by),
        ...attributes(control),
        ...command(by, 'quarantine', `${DEVICE},"level":"{{ value }}"`),
      },
    }),
    ...(controls.orders && {
      forget: {
        name: 'Forget',
        icon: 'mdi:delete-outline',
        entity_category: 'config',
        ...command(by, 'device-forget', DEVICE),
      },
    }),
    ...trafficComponents(by.topics.homeAssistantDevice(id, 'traffic')),
    connected: {
      name: 'Connected',
      device_class: 'connectivity',
      state_topic: control,
      value_template: '{{ value_json.connected }}',
    },
    anomaly: {
      name: 'Anomaly',
      device_class: 'problem',
      state_topic: incident,
      value_template: '{{ value_json.anomaly }}',
      ...attributes(incident, 'anomaly_attributes'),
    },
    last_incident: {
      name: 'Last incident',
      icon: 'mdi:shield-alert-outline',
      state_topic: incident,
      value_template: '{{ value_json.last }}',
      ...attributes(incident, 'last_attributes'),
    },
    detection: {
      name: 'Detection',
      icon: 'mdi:shield-search',
      state_topic: by.topics.homeAssistantDevice(id, 'detection'),
      event_types: [...INCIDENT_KINDS],
    },
  }
}

function trafficComponents(topic: string): Partial<Record<DeviceEntityKey, Component>> {
  const bytes = (name: string, icon: string, key: string): Component => ({
    name,
    icon,
    device_class: 'data_size',
    state_class: 'total_increasing',
    unit_of_measurement: 'MB',
    suggested_display_precision: 1,
    state_topic: topic,
    value_template: `{{ value_json.${key} / 1000000 }}`,
  })
  const rate = (name: string, icon: string, key: string): Component => ({
    name,
    icon,
    device_class: 'data_rate',
    state_class: 'measurement',
    unit_of_measurement: 'kB/s',
    suggested_display_precision: 1,
    state_topic: topic,
    value_template: `{{ value_json.${key} / 1000 }}`,
  })
  return {
    downloaded: {
      ...bytes('Downloaded', 'mdi:download-network', 'received_bytes'),
      ...attributes(topic),
    },
    uploaded: bytes('Uploaded', 'mdi:upload-network', 'sent_bytes'),
    download_rate: rate('Download rate', 'mdi:download', 'received_rate'),
    upload_rate: rate('Upload rate', 'mdi:upload', 'sent_rate'),
  }
}
