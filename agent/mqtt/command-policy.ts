// Which orders are taken by MQTT.

/** None, those that any account of the broker may give (`safe` in the registry), or all. */
export const COMMAND_POLICIES = ['none', 'safe', 'all'] as const
export type CommandPolicy = (typeof COMMAND_POLICIES)[number]

/** What Home Assistant's entities, which can not sign, may order where orders are signed: nothing, or what they can unsigned. */
export const HA_CONTROLS = ['signed', 'unsigned'] as const
export type HaControls = (typeof HA_CONTROLS)[number]
