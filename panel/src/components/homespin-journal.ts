import type { PropertyValues } from 'lit'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { JournalEntry } from '../../../protocol/policy.ts'
import type { Scene } from '../acting.ts'
import type { Api } from '../api.ts'
import { shownName, shownSentence } from '../display-name.ts'
import type { JournalPage } from '../journal-list.ts'
import { canUndo, entryText, joinJournal } from '../journal-list.ts'
import type { Order } from '../orders.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { orderButton, orderFault, viewerNote } from './order-control.ts'

const PAGE = 50

/** Every change, the latest first, each with its way back. */
export class HomespinJournal extends LitElement {
  static override properties = {
    scene: { attribute: false },
    api: { attribute: false },
    page: { state: true },
    fault: { state: true },
    asking: { state: true },
  }
  declare scene: Scene
  declare api: Api
  declare page: JournalPage | undefined
  declare fault: string | undefined
  /** The entry to go back to which is asked about. */
  declare asking: number | undefined

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      .notes {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 8px;
        padding: 0 16px 10px;
      }
      li {
        display: grid;
        grid-template-columns: 112px minmax(0, 1fr) auto;
        gap: 2px 14px;
        align-items: start;
        padding: 9px 16px;
        border-top: 1px solid var(--hs-line);
      }
      time,
      .who {
        color: var(--hs-muted);
        font-size: 12.5px;
      }
      .text {
        overflow-wrap: anywhere;
        min-width: 0;
      }
      .sentence strong {
        font-weight: 600;
      }
      .undone .sentence {
        color: var(--hs-muted);
        text-decoration: line-through;
      }
      .fault,
      .note {
        grid-column: 1 / -1;
      }
      .more {
        padding: 12px 16px;
      }
      @media (max-width: 700px) {
        li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ]

  #abort: AbortController | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    if (this.hasUpdated) void this.#load()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#abort?.abort()
  }

  override updated(changed: PropertyValues<this>): void {
    const before = changed.get('scene')
    if (!changed.has('scene') && before === undefined) return
    const known = before?.state.policy
    const { policy, info } = this.scene.state
    // Another run of the agent may have another journal: what was read of the earlier one is not shown beside it.
    if (before?.state.info && before.state.info.instance !== info?.instance) this.page = undefined
    // A going back to a time marks many entries: they are read anew.
    const wasUndone = policy.journal[0]?.verb === 'undo' && policy.journal[0] !== known?.journal[0]
    if (known === undefined || known.snapshots !== policy.snapshots || wasUndone) void this.#load()
  }

  override render() {
    const { scene, page, fault } = this
    const { i18n, mayAct } = scene
    const entries = joinJournal(page, scene.state.policy.journal)
    const last: Order = { key: 'undo', verb: 'undo', args: {} }
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('journal')}</h2>
          ${
            mayAct && entries.some(canUndo)
              ? orderButton(scene, last, i18n.t('undo_last'), { look: 'primary' })
              : nothing
          }
        </div>
        <div class="notes">
          <p class="muted small">${i18n.t('journal_hint')}</p>
          ${viewerNote(scene) ?? nothing} ${orderFault(scene, last.key)}
          ${
            fault === undefined
              ? nothing
              : html`<p class="fault" role="alert">
                  <span>${i18n.t('not_read')} <bdi lang="en">${shownSentence(fault)}</bdi></span>
                  <button type="button" class="plain" @click=${() => this.#load()}>${i18n.t('retry')}</button>
                </p>`
          }
        </div>
        ${
          entries.length === 0 && fault === undefined
            ? html`<p class="empty">
                ${page === undefined ? i18n.t('loading') : html`<strong>${i18n.t('no_journal')}</strong>${i18n.t('no_journal_hint')}`}
              </p>`
            : nothing
        }
        <ol ?hidden=${entries.length === 0}>
          ${repeat(
            entries,
            ({ seq }) => seq,
            (entry) => this.#row(entry, entry.seq === entries[0]?.seq),
          )}
        </ol>
        ${
          page !== undefined && !page.isWhole
            ? html`<p class="more">
                <button type="button" class="act" @click=${() => this.#load(entries.at(-1)?.seq)}>${i18n.t('older')}</button>
              </p>`
            : nothing
        }
      </section>
    `
  }

  #row(entry: JournalEntry, isLatest: boolean) {
    const { scene } = this
    const { i18n, mayAct } = scene
    const { seq, time_ms, actor, reason } = entry
    const text = entryText(entry, scene.state, i18n)
    const name = actor.name === undefined ? '' : ` (${shownName(actor.name).text})`
    const undo: Order = { key: `undo:${seq}`, verb: 'undo', args: { seq } }
    const back: Order = { key: `back:${seq}`, verb: 'undo', args: { to_ms: time_ms } }
    const ask = (asked: number | undefined) => () => {
      this.asking = asked
    }
    return html`
      <li class=${entry.undone_by === undefined ? '' : 'undone'}>
        <time datetime=${new Date(time_ms).toISOString()}>${i18n.moment(time_ms)}</time>
        <div class="text">
          <p class="sentence" title=${shownSentence(entry.sentence)}>
            <strong>${text.verb}</strong>${text.what === '' ? nothing : html`: <bdi>${text.what}</bdi>`}
          </p>
          <p class="who">
            ${i18n.t(`actor_${actor.kind}`)}<bdi>${name}</bdi> · ${i18n.t(`via_${actor.via}`)}
            ${reason === '' ? nothing : html` · “<bdi>${shownSentence(reason)}</bdi>”`}
            ${entry.undone_by === undefined ? nothing : html` · ${i18n.t('undone')}`}
          </p>
        </div>
        ${
          mayAct
            ? html`<div class="acts">
                ${
                  canUndo(entry)
                    ? orderButton(scene, undo, i18n.t('undo'), {
                        look: 'slight',
                        label: i18n.t('undo_which', { n: String(seq) }),
                      })
                    : nothing
                }
                ${
                  isLatest
                    ? nothing
                    : this.asking === seq
                      ? html`
                          ${orderButton(scene, back, i18n.t('back_sure'), { look: 'slight danger', onGiven: ask(undefined) })}
                          <button type="button" class="act slight" @click=${ask(undefined)}>${i18n.t('keep')}</button>
                        `
                      : html`<button type="button" class="act slight" @click=${ask(seq)}>${i18n.t('back_to_here')}</button>`
                }
              </div>`
            : nothing
        }
        ${orderFault(scene, undo.key)} ${orderFault(scene, back.key)}
      </li>
    `
  }

  async #load(before?: number): Promise<void> {
    this.#abort?.abort()
    this.#abort = new AbortController()
    const { signal } = this.#abort
    try {
      const { entries } = await this.api.journal(before, PAGE, signal)
      const older = before === undefined ? [] : (this.page?.entries ?? [])
      this.page = { entries: [...older, ...entries], isWhole: entries.length < PAGE }
      this.fault = undefined
    } catch (error) {
      if (!signal.aborted) this.fault = error instanceof Error ? error.message : ''
    }
  }
}

customElements.define('homespin-journal', HomespinJournal)
