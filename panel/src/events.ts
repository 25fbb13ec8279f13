// What elements tell the page: they bubble, so that only the outermost element keeps the selection.
import type { Selection } from './links.ts'
import type { Order } from './orders.ts'
import type { Settings } from './settings.ts'

/** What may be told, by its name. */
export interface Told {
  'homespin-select': Selection
  'homespin-settings': Settings
  'homespin-token': string
  /** An order that somebody gave by a control. */
  'homespin-order': Order
  /** The refusal of this order was read. */
  'homespin-dismiss': string
}

declare global {
  interface HTMLElementEventMap {
    'homespin-select': CustomEvent<Selection>
    'homespin-settings': CustomEvent<Settings>
    'homespin-token': CustomEvent<string>
    'homespin-order': CustomEvent<Order>
    'homespin-dismiss': CustomEvent<string>
  }
}

/** Asks for another selection; absent keys are cleared. */
export function select(from: EventTarget, selection: Selection): void {
  tell(from, 'homespin-select', selection)
}

/** Tells something to the elements around `from`. */
export function tell<Name extends keyof Told>(
  from: EventTarget,
  name: Name,
  detail: Told[Name],
): void {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
}
