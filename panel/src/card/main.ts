// homespin-card.js: registers the card with Home Assistant's dashboards.
import { define } from '../define.ts'
import { CARD_TYPE } from './card-config.ts'
import type { Hass } from './hass.ts'
import { isOurDevice } from './home.ts'
import { HomespinCard } from './homespin-card.ts'
import { languageOf } from './language.ts'

interface CardEntry {
  type: string
  name: string
  description: string
  preview: boolean
  documentationURL: string
  getEntitySuggestion(hass: Hass, entityId: string): { config: object } | null
}

declare global {
  interface Window {
    customCards?: CardEntry[]
  }
}

define('homespin-card', HomespinCard)

const type = CARD_TYPE.slice('custom:'.length)
window.customCards ??= []
if (!window.customCards.some((card) => card.type === type)) {
  const { t } = languageOf(undefined)
  window.customCards.push({
    type,
    name: t('card_name'),
    description: t('card_about'),
    preview: true,
    documentationURL: 'https://github.com/homespin/homespin/blob/main/docs/card.md',
    getEntitySuggestion: (hass, entityId) => {
      const device = hass.entities[entityId]?.device_id
      if (device === undefined || !isOurDevice(hass.devices[device])) return null
      return { config: { type: CARD_TYPE, devices: [device] } }
    },
  })
}
