import { css, html, LitElement, nothing } from 'lit'
import { tell } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { sharedStyles } from '../styles.ts'

/** Asks for the agent's token, once a tab. */
export class HomespinToken extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    isWrong: { attribute: false },
  }
  declare i18n: I18n
  declare isWrong: boolean

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        place-items: center;
        padding: 10vh 16px;
      }
      form {
        width: min(420px, 100%);
        padding: 24px;
      }
      p {
        margin: 6px 0 16px;
      }
      label {
        display: block;
        font-size: 13px;
        margin-bottom: 4px;
      }
      div {
        display: flex;
        gap: 8px;
      }
      input {
        flex: 1;
        min-width: 0;
      }
      .go {
        background: var(--hs-accent);
        border-color: var(--hs-accent);
        color: var(--hs-surface);
        font-weight: 600;
      }
      .wrong {
        margin: 10px 0 0;
        color: var(--hs-warn);
      }
    `,
  ]

  override render() {
    const { i18n } = this
    return html`
      <form class="card" @submit=${this.#submit}>
        <h2>${i18n.t('token_title')}</h2>
        <p class="muted">${i18n.t('token_hint')}</p>
        <label for="token">${i18n.t('token_label')}</label>
        <div>
          <input id="token" class="field" type="password" autocomplete="off" spellcheck="false" required />
          <button class="field go">${i18n.t('token_submit')}</button>
        </div>
        ${this.isWrong ? html`<p class="wrong" role="alert">${i18n.t('token_wrong')}</p>` : nothing}
      </form>
    `
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault()
    const input = this.renderRoot.querySelector('input') as HTMLInputElement
    const token = input.value.trim()
    input.value = ''
    if (token !== '') tell(this, 'homespin-token', token)
  }
}

customElements.define('homespin-token', HomespinToken)
