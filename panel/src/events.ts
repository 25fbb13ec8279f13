// What elements tell the page: they bubble, so that only the outermost element keeps the selection.
import type { Selection } from './links.ts'
import type { Settings } from './settings.ts'

declare global {
  interface HTMLElementEventMap {
    'homespin-select': CustomEvent<Selection>
    'homespin-settings': CustomEvent<Settings>
    'homespin-token': CustomEvent<string>
  }
}

/** Asks for another selection; absent keys are cleared. */
export function select(from: HTMLElement, selection: Selection): void {
  tell(from, 'homespin-select', selection)
}

/** Tells something to the elements around `from`. */
export function tell<Name extends 'homespin-select' | 'homespin-settings' | 'homespin-token'>(
  from: HTMLElement,
  name: Name,
  detail: HTMLElementEventMap[Name]['detail'],
): void {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
}
