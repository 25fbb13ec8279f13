// A dashboard may load the card twice (by HACS and by hand): then the first one stands.

/** Registers an element, unless there is one of that name. */
export function define(name: string, element: CustomElementConstructor): void {
  if (customElements.get(name) === undefined) customElements.define(name, element)
}
