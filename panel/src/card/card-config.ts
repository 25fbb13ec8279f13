// What a person may set about a card: checked, described for the visual editor, and proposed for a new card.
import { isTopicPrefix } from '../../../protocol/topics.ts'
import type { I18n, Key } from '../i18n.ts'

/** The parts that a card may leave out. */
export const PARTS = ['traffic', 'incidents', 'remotes', 'controls'] as const
export type Part = (typeof PARTS)[number]

/** A card's configuration, as it stands in the dashboard. */
export interface CardConfig {
  type: string
  title?: string
  /** Ids of Home Assistant's device registry; none: every device of the home. */
  devices?: string | readonly string[]
  /** What is left out. */
  hide?: readonly Part[]
  /** Also for administrators: no traffic of this second over MQTT. */
  entities_only?: boolean
  max_devices?: number
  topic_prefix?: string
}

/** How many devices are listed before the rest is asked for. */
export const DEFAULT_DEVICES = 6

/** The type as it stands in a dashboard. */
export const CARD_TYPE = 'custom:homespin-card'

/** The configuration, checked. Throws an Error that says what to write instead. */
export function checkConfig(raw: unknown): CardConfig {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new Error('Homespin: the card needs a configuration with "type: custom:homespin-card".')
  const config = raw as Record<string, unknown>
  const { title, devices, hide, entities_only, max_devices, topic_prefix } = config
  if (!isAbsent(title) && typeof title !== 'string')
    throw new Error('Homespin: "title" must be a text.')
  const isIds = typeof devices === 'string' || (Array.isArray(devices) && devices.every(isText))
  if (!isAbsent(devices) && !isIds)
    throw new Error(
      'Homespin: "devices" must be a list of device ids of Home Assistant; leave it out for all.',
    )
  const isParts = Array.isArray(hide) && hide.every((part) => PARTS.includes(part))
  if (!isAbsent(hide) && !isParts)
    throw new Error(`Homespin: "hide" must be a list out of ${PARTS.join(', ')}.`)
  if (!isAbsent(entities_only) && typeof entities_only !== 'boolean')
    throw new Error('Homespin: "entities_only" must be true or false.')
  if (!isAbsent(max_devices) && !isCount(max_devices))
    throw new Error('Homespin: "max_devices" must be a whole number from 1 to 100.')
  if (!isAbsent(topic_prefix) && !(isText(topic_prefix) && isTopicPrefix(topic_prefix)))
    throw new Error(
      'Homespin: "topic_prefix" must be levels of letters, digits, _ and -, such as "homespin".',
    )
  return config as unknown as CardConfig
}

/** The registry ids that a card is about; none: all. */
export function wantedDevices({ devices }: CardConfig): readonly string[] {
  if (isAbsent(devices)) return []
  return typeof devices === 'string' ? [devices] : [...new Set(devices)]
}

/** Whether a part is shown. */
export function isShown({ hide }: CardConfig, part: Part): boolean {
  return !(hide ?? []).includes(part)
}

/** What `ha-form` draws for a field. */
export interface FormField {
  name: string
  type?: 'expandable'
  flatten?: boolean
  title?: string
  selector?: Readonly<Record<string, unknown>>
  schema?: FormField[]
}

/** A device that the editor offers. */
export interface DeviceChoice {
  value: string
  label: string
}

/** The fields of the visual editor. `choices` are Homespin's devices; where none is known, any of MQTT's can be chosen. */
export function formFields(choices: readonly DeviceChoice[], { t }: I18n): FormField[] {
  const devices =
    choices.length > 0
      ? { select: { multiple: true, mode: 'dropdown', sort: true, options: choices } }
      : { device: { multiple: true, filter: { integration: 'mqtt' } } }
  const parts = PARTS.map((part) => ({ value: part, label: t(`card_part_${part}`) }))
  return [
    { name: 'title', selector: { text: {} } },
    { name: 'devices', selector: devices },
    { name: 'hide', selector: { select: { multiple: true, mode: 'list', options: parts } } },
    {
      name: 'max_devices',
      selector: { number: { min: 1, max: 100, step: 1, mode: 'box' } },
    },
    { name: 'entities_only', selector: { boolean: {} } },
    {
      name: 'advanced',
      type: 'expandable',
      flatten: true,
      title: t('card_advanced'),
      schema: [{ name: 'topic_prefix', selector: { text: {} } }],
    },
  ]
}

const FIELDS = ['title', 'devices', 'hide', 'max_devices', 'entities_only', 'topic_prefix'] as const

/** What a field is called. */
export function fieldLabel(name: string, { t }: I18n): string | undefined {
  const field = FIELDS.find((known) => known === name)
  return field === undefined ? undefined : t(`card_set_${field}`)
}

/** What a field is for. */
export function fieldHelp(name: string, { t }: I18n): string | undefined {
  const field = FIELDS.find((known) => known === name)
  if (field === undefined || field === 'title' || field === 'hide') return undefined
  return t(`card_help_${field}` satisfies Key)
}

function isAbsent(value: unknown): value is null | undefined {
  // The editor writes null where a field was emptied.
  return value === undefined || value === null || value === ''
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 100
}
