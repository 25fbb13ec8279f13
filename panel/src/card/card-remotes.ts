// Whom a device talks to outside the home: today by its entities, and in the last minutes where the agent is heard live.
import { html, nothing, svg } from 'lit'
import { shownRemote } from '../display-name.ts'
import type { RemoteSum } from '../history-load.ts'
import { bytesOf } from '../links.ts'
import type { CardScene } from './card-scene.ts'

/** A remote, with what flows right now where that is known. */
export interface RemoteRow extends RemoteSum {
  /** Bytes per second in both directions. */
  rate?: number
}

/** A list of remotes with their shares; `nothingText` stands for an empty one. */
export function remoteList(
  { i18n }: CardScene,
  remotes: readonly RemoteRow[],
  nothingText: string,
) {
  if (remotes.length === 0) return html`<p class="muted small">${nothingText}</p>`
  const most = Math.max(1, ...remotes.map(bytesOf))
  return html`
    <ol class="remotes">
      ${remotes.map((sum) => {
        const name = shownRemote(sum.remote, i18n.t('card_remote_unnamed'))
        const received = (100 * sum.received_bytes) / most
        const sent = (100 * sum.sent_bytes) / most
        return html`
          <li>
            <span class="clip from-end ${sum.remote === undefined ? 'muted' : ''}" title=${name.title}>
              <bdi dir="ltr">${name.text}</bdi>
            </span>
            <span class="figure">
              ${sum.rate === undefined || sum.rate < 1 ? nothing : html`<strong>${i18n.rate(sum.rate)}</strong>`}
              ${i18n.bytes(bytesOf(sum))}
            </span>
            ${svg`<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
              <rect class="in" x="0" y="0" height="4" width=${received}></rect>
              <rect class="out" x=${received} y="0" height="4" width=${sent}></rect>
            </svg>`}
          </li>
        `
      })}
    </ol>
  `
}
