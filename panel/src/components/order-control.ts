// The parts that every control is made of: the button that is busy until the state says so, and the refusal beside it.
import { html, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import { agentText } from '../agent-words.ts'
import { shownSentence } from '../display-name.ts'
import { tell } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { closeIcon, warnIcon } from '../icons.ts'
import type { Order } from '../orders.ts'
import type { ActSpan } from '../spans.ts'

/** How a button looks and what it is called where its text does not say it. */
export interface ButtonLook {
  look?: string
  label?: string
  /** Called once the order is given. */
  onGiven?: () => void
}

/** A button that gives an order. */
export function orderButton(
  { orders, isLive }: Scene,
  order: Order,
  text: string,
  { look = '', label, onGiven }: ButtonLook = {},
) {
  const isBusy = orders.get(order.key)?.phase === 'busy'
  const give = (event: Event): void => {
    if (isBusy || !isLive) return
    tell(event.currentTarget as HTMLElement, 'homespin-order', order)
    onGiven?.()
  }
  return html`
    <button
      type="button"
      class="act ${look}"
      aria-busy=${isBusy ? 'true' : 'false'}
      aria-disabled=${isBusy || !isLive ? 'true' : nothing}
      aria-label=${label ?? nothing}
      title=${label ?? nothing}
      @click=${give}
    >
      ${text}
    </button>
  `
}

/** Why the last order of a control was not carried out, with the agent's own sentence. */
export function orderFault({ i18n, orders }: Pick<Scene, 'i18n' | 'orders'>, key: string) {
  const order = orders.get(key)
  if (order?.phase !== 'failed') return nothing
  const told = shownSentence(order.reason)
  const dismiss = (event: Event): void => {
    tell(event.currentTarget as HTMLElement, 'homespin-dismiss', key)
  }
  return html`
    <p class=${order.kind === 'warned' ? 'note' : 'fault'} role="alert">
      ${warnIcon}
      <span>
        ${i18n.t(`order_${order.kind}`)}
        ${told === '' ? nothing : html`<bdi lang="en">${told}</bdi>`}
      </span>
      <button type="button" class="plain" aria-label=${i18n.t('dismiss')} @click=${dismiss}>
        ${closeIcon}
      </button>
    </p>
  `
}

/** A sentence of the agent's, in the reader's language where it is known there. */
export function agentWords(sentence: string | undefined, i18n: I18n) {
  const { text, lang } = agentText(sentence, i18n)
  return text === '' ? nothing : html`<bdi lang=${lang ?? nothing}>${text}</bdi>`
}

/** A sentence of the agent's, with what it is about before it. */
export function agentNote(i18n: I18n, about: string, sentence: string | undefined, look = '') {
  return html`
    <p class="note ${look}">
      ${look === 'quiet' ? nothing : warnIcon}
      <span>${about} ${agentWords(sentence, i18n)}</span>
    </p>
  `
}

/** What stands where controls would, for those who may not act; undefined for those who may. */
export function viewerNote({ i18n, mayAct, viewerWhy }: Scene) {
  const why = i18n.t(viewerWhy === 'user' ? 'view_only_user' : 'view_only')
  return mayAct ? undefined : html`<p class="note quiet"><span>${why}</span></p>`
}

/** A choice of how long. */
export function spanField(
  i18n: I18n,
  spans: readonly ActSpan[],
  chosen: ActSpan,
  choose: (span: ActSpan) => void,
) {
  return html`
    <label class="named">
      ${i18n.t('how_long')}
      <select
        class="field"
        @change=${(event: Event) => choose((event.target as HTMLSelectElement).value as ActSpan)}
      >
        ${spans.map(
          (span) => html`
            <option value=${span} ?selected=${span === chosen}>${i18n.t(`act_${span}`)}</option>
          `,
        )}
      </select>
    </label>
  `
}

/** A field of one line; `most` characters. */
export function textField(
  label: string,
  value: string,
  most: number,
  change: (text: string) => void,
  hint = '',
) {
  return html`
    <label class="named">
      ${label}
      <input
        class="field"
        type="text"
        autocomplete="off"
        spellcheck="false"
        maxlength=${most}
        placeholder=${hint}
        .value=${value}
        @input=${(event: Event) => change((event.target as HTMLInputElement).value)}
      />
    </label>
  `
}

/** A button that opens and closes what stands below it. */
export function disclosure(text: string, isOpen: boolean, toggle: () => void, look = '') {
  return html`
    <button
      type="button"
      class="act ${look}"
      aria-expanded=${isOpen ? 'true' : 'false'}
      @click=${toggle}
    >
      ${text}
    </button>
  `
}
