import { css, html, LitElement } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Device } from '../../../protocol/messages.ts'
import { shownName, shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import type { I18n } from '../i18n.ts'
import type { Link, Selection } from '../links.ts'
import { sharedStyles } from '../styles.ts'

const MAX_ROWS = 100

/** The map as a table, for those who cannot or do not want to read a picture. */
export class HomespinLinks extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    links: { attribute: false },
    devices: { attribute: false },
    tints: { attribute: false },
    selection: { attribute: false },
  }
  declare i18n: I18n
  declare links: readonly Link[]
  declare devices: ReadonlyMap<string, Device>
  declare tints: ReadonlyMap<string, number>
  declare selection: Selection

  static override styles = [
    sharedStyles,
    css`
      .scroll {
        max-height: 560px;
        overflow: auto;
        scrollbar-width: thin;
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: 13px;
        table-layout: fixed;
      }
      th {
        position: sticky;
        top: 0;
        background: var(--hs-surface);
        font-weight: 550;
        color: var(--hs-muted);
        text-align: start;
      }
      th,
      td {
        padding: 6px 8px;
        border-bottom: 1px solid var(--hs-line);
      }
      th:first-child,
      td:first-child {
        padding-inline-start: 16px;
      }
      th:last-child,
      td:last-child {
        padding-inline-end: 16px;
      }
      .figure {
        width: 100px;
        text-align: end;
        white-space: nowrap;
      }
      .name {
        display: flex;
        align-items: center;
        gap: 8px;
        width: 100%;
        min-height: 24px;
      }
      button.name:hover {
        text-decoration: underline;
      }
      @media (max-width: 480px) {
        .figure {
          width: 78px;
        }
      }
    `,
  ]

  override render() {
    const { i18n } = this
    return html`
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">${i18n.t('device')}</th>
              <th scope="col">${i18n.t('talks_to')}</th>
              <th scope="col" class="figure">${i18n.t('received')}</th>
              <th scope="col" class="figure">${i18n.t('sent')}</th>
            </tr>
          </thead>
          <tbody>
            ${repeat(
              this.links.slice(0, MAX_ROWS),
              ({ key }) => key,
              (link) => html`
                <tr>
                  <td>${this.#device(link.device_id)}</td>
                  <td>${this.#end(link)}</td>
                  <td class="figure">${i18n.bytes(link.received_bytes)}</td>
                  <td class="figure">${i18n.bytes(link.sent_bytes)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    `
  }

  #device(id: string) {
    const name = shownName(this.devices.get(id)?.name, id)
    return html`
      <button type="button" class="plain name" @click=${() => select(this, { device_id: id })}>
        <span class="dot tint-${this.tints.get(id) ?? 0}"></span>
        <bdi class="clip" title=${name.title}>${name.text}</bdi>
      </button>
    `
  }

  #end({ end }: Link) {
    if (end.kind === 'device') return this.#device(end.key)
    if (end.kind === 'lan') return html`<span class="muted">${this.i18n.t('lan')}</span>`
    const name = shownRemote(end.key)
    const narrow = (): void => select(this, { ...this.selection, remote: end.key })
    return html`
      <button type="button" class="plain name" @click=${narrow}>
        <span class="clip from-end" title=${name.title}><bdi dir="ltr">${name.text}</bdi></span>
      </button>
    `
  }
}

customElements.define('homespin-links', HomespinLinks)
