// The part of Home Assistant's `hass` object that the card uses, and the calls that any user may make. Everything in it
// may be missing or of another shape one day: it is read with care in home.ts and device-view.ts.

/** A state, as the frontend keeps it. */
export interface HassState {
  state: string
  attributes: Readonly<Record<string, unknown>>
}

/** A device of the registry. */
export interface HassDevice {
  id: string
  name: string | null
  name_by_user: string | null
  identifiers: readonly (readonly [string, string])[]
  via_device_id: string | null
  disabled_by?: string | null
}

/** An entity of the registry, in the short form that the frontend keeps. */
export interface HassEntity {
  entity_id: string
  device_id?: string
  platform?: string
}

/** A message that `mqtt/subscribe` delivers. */
export interface MqttMessage {
  topic: string
  payload: string
}

/** A connection to Home Assistant. */
export interface HassConnection {
  subscribeMessage<T>(
    callback: (message: T) => void,
    message: Readonly<Record<string, unknown>>,
  ): Promise<() => Promise<void>>
}

/** What the dashboard hands to a card, anew with each change of anything. */
export interface Hass {
  states: Readonly<Record<string, HassState>>
  devices: Readonly<Record<string, HassDevice>>
  entities: Readonly<Record<string, HassEntity>>
  language: string
  locale?: { language?: string; time_format?: string }
  themes?: { darkMode?: boolean; theme?: string }
  selectedTheme?: unknown
  user?: { is_admin: boolean }
  connection: HassConnection
  callService(
    domain: string,
    service: string,
    data: Readonly<Record<string, unknown>>,
    target: { entity_id: string },
    notifyOnError: boolean,
  ): Promise<unknown>
  callWS<T>(message: Readonly<Record<string, unknown>>): Promise<T>
}

/** Whether a state says anything. */
export function isKnown(state: HassState | undefined): state is HassState {
  return state !== undefined && state.state !== 'unavailable' && state.state !== 'unknown'
}
