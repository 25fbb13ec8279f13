import { css, html, LitElement, svg } from 'lit'
import { shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import type { RemoteSum } from '../history-load.ts'
import type { I18n } from '../i18n.ts'
import type { Selection } from '../links.ts'
import { bytesOf } from '../links.ts'
import { sharedStyles } from '../styles.ts'

/** The remotes of a span, most bytes first; each narrows the page to itself. */
export class HomespinRemotes extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    remotes: { attribute: false },
    selection: { attribute: false },
  }
  declare i18n: I18n
  declare remotes: readonly RemoteSum[]
  declare selection: Selection

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: block;
        border-top: 1px solid var(--hs-line);
        padding: 12px 16px 14px;
      }
      h3 {
        font-size: 13px;
        font-weight: 600;
        margin-bottom: 6px;
      }
      ol {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr));
        gap: 4px 24px;
      }
      .row {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 0 12px;
        width: calc(100% + 12px);
        padding: 3px 6px;
        margin-inline: -6px;
        border-radius: 6px;
        font-size: 13px;
      }
      button.row:hover,
      .row[aria-pressed='true'] {
        background: var(--hs-raised);
      }
      svg {
        grid-column: 1 / -1;
        display: block;
        width: 100%;
        height: 4px;
        border-radius: 2px;
        background: var(--hs-raised);
      }
      .in {
        fill: var(--hs-received);
      }
      .out {
        fill: var(--hs-sent);
      }
    `,
  ]

  override render() {
    const { i18n, remotes } = this
    if (remotes.length === 0) return html`<p class="muted small">${i18n.t('no_remotes')}</p>`
    const most = Math.max(1, ...remotes.map(bytesOf))
    return html`
      <h3>${i18n.t('top_remotes')}</h3>
      <ol>
        ${remotes.map((sum) => html`<li>${this.#row(sum, most)}</li>`)}
      </ol>
    `
  }

  #row(sum: RemoteSum, most: number) {
    const { i18n, selection } = this
    const name = shownRemote(sum.remote, i18n.t('remote_rest'))
    const received = (100 * sum.received_bytes) / most
    const sent = (100 * sum.sent_bytes) / most
    const content = html`
      <span class="clip from-end ${sum.remote === undefined ? 'muted' : ''}" title=${name.title}>
        <bdi dir="ltr">${name.text}</bdi>
      </span>
      <span>${i18n.bytes(bytesOf(sum))}</span>
      ${svg`<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect class="in" x="0" y="0" height="4" width=${received}></rect>
        <rect class="out" x=${received} y="0" height="4" width=${sent}></rect>
      </svg>`}
    `
    const { remote } = sum
    if (remote === undefined) return html`<div class="row">${content}</div>`
    const isChosen = selection.remote === remote
    const { remote: _, ...rest } = selection
    return html`
      <button
        type="button"
        class="plain row"
        aria-pressed=${isChosen ? 'true' : 'false'}
        @click=${() => select(this, isChosen ? rest : { ...rest, remote })}
      >
        ${content}
      </button>
    `
  }
}

customElements.define('homespin-remotes', HomespinRemotes)
