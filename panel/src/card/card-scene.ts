// What every part of the card is drawn from.
import type { I18n } from '../i18n.ts'
import type { OrderState } from '../orders.ts'
import type { Palette } from '../palette.ts'
import type { CardConfig } from './card-config.ts'
import type { DeviceView } from './device-view.ts'
import type { EntityOrder } from './entity-orders.ts'
import type { LiveAgent } from './live-agent.ts'

/** Made anew with each drawing. */
export interface CardScene {
  i18n: I18n
  palette: Palette
  config: CardConfig
  orders: ReadonlyMap<string, OrderState>
  /** By this machine's clock. */
  nowMs: number
  /** Gives an order. */
  give: (order: EntityOrder) => void
  /** What a device's agent says live; undefined for those who may not listen. */
  liveOf: (view: DeviceView) => LiveAgent | undefined
}
