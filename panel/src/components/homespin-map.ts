import { css, html, LitElement, nothing, svg } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { ChartOption } from '../charts/echarts.ts'
import type { ChartItem, ChartPoint } from '../charts/homespin-chart.ts'
import type { EdgeShape, MapLayout, NodeShape } from '../charts/map-layout.ts'
import { layoutMap, ROW } from '../charts/map-layout.ts'
import type { MapModel, MapNode } from '../charts/map-model.ts'
import { buildMap, NO_SLOTS, slotsOf } from '../charts/map-model.ts'
import { EDGES, fontOf, mapOption, NODES } from '../charts/map-option.ts'
import { shownName, shownRemote } from '../display-name.ts'
import { select } from '../events.ts'
import { fitNames } from '../fit-names.ts'
import type { I18n } from '../i18n.ts'
import { downIcon, upIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { linksOf } from '../links.ts'
import type { Palette } from '../palette.ts'
import { tintColor } from '../palette.ts'
import type { PanelState } from '../store.ts'
import { sharedStyles } from '../styles.ts'
import '../charts/homespin-chart.ts'
import './homespin-links.ts'

const WIDE = { devices: 20, remotes: 18 }
const NARROW = { devices: 12, remotes: 12 }
const NARROW_WIDTH = 560

const localSign = svg`<svg width="22" height="4" viewBox="0 0 22 4" aria-hidden="true">
  <path d="M1 2h20" stroke="currentColor" stroke-width="2" stroke-dasharray="5 3" /></svg>`
const colorSign = svg`<svg width="22" height="9" viewBox="0 0 22 9" aria-hidden="true">
  ${[0, 1, 2].map((n) => svg`<circle cx=${4 + n * 7} cy="4.5" r="3" fill="var(--hs-tint-${n})" />`)}</svg>`

const pen = document.createElement('canvas').getContext('2d')

function measureIn(font: string): (text: string) => number {
  return (text) => {
    if (pen === null) return text.length * 7
    pen.font = font
    return pen.measureText(text).width
  }
}

/** Who talks to whom: devices on the left, remotes on the right, as a picture or as a table. */
export class HomespinMap extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    state: { attribute: false },
    tints: { attribute: false },
    selection: { attribute: false },
    palette: { attribute: false },
    isStill: { attribute: false },
    nowMs: { attribute: false },
    view: { state: true },
    width: { state: true },
    point: { state: true },
  }
  declare i18n: I18n
  declare state: PanelState
  declare tints: ReadonlyMap<string, number>
  declare selection: Selection
  declare palette: Palette
  declare isStill: boolean
  declare nowMs: number
  declare view: 'map' | 'table'
  declare width: number
  declare point: ChartPoint | null

  static override styles = [
    sharedStyles,
    css`
      .hint {
        flex-basis: 100%;
        margin-top: -4px;
      }
      .key {
        white-space: nowrap;
      }
      .key svg {
        margin-inline-end: 3px;
        vertical-align: 1px;
      }
      .chart {
        padding: 0 16px 12px;
      }
      .tip p {
        display: flex;
        gap: 8px;
        align-items: center;
        overflow-wrap: anywhere;
      }
      .tip .figures {
        margin-top: 4px;
        gap: 12px;
      }
    `,
  ]

  #slots = NO_SLOTS
  #slotsFor = ''
  #rows = 0
  #drawn = ''
  #option: ChartOption | undefined
  #layout: MapLayout = { height: 0, nodes: [], edges: [] }

  constructor() {
    super()
    this.view = 'map'
    this.width = 0
    this.point = null
  }

  override render() {
    const { i18n } = this
    const links = linksOf(this.state.flows.values(), this.selection, this.nowMs)
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('map')}</h2>
          <div class="segments" role="group" aria-label=${i18n.t('view')}>
            ${(['map', 'table'] as const).map(
              (view) => html`
                <button
                  type="button"
                  aria-pressed=${this.view === view ? 'true' : 'false'}
                  @click=${() => {
                    this.view = view
                  }}
                >
                  ${i18n.t(`view_${view}`)}
                </button>
              `,
            )}
          </div>
          <p class="hint muted small">
            ${i18n.t('map_hint')} <span class="key">${localSign}${i18n.t('map_local')}</span> ·
            <span class="key">${colorSign}${i18n.t('map_color')}</span>
          </p>
        </div>
        ${
          links.length === 0
            ? html`<p class="empty"><strong>${i18n.t('map_empty')}</strong>${i18n.t('map_empty_hint')}</p>`
            : nothing
        }
        <div class="chart" ?hidden=${links.length === 0 || this.view !== 'map'}>
          ${this.#chart(links)}
        </div>
        ${
          this.view === 'table'
            ? html`<homespin-links
                .i18n=${i18n}
                .links=${links}
                .devices=${this.state.devices}
                .tints=${this.tints}
                .selection=${this.selection}
              ></homespin-links>`
            : nothing
        }
      </section>
    `
  }

  #chart(links: ReturnType<typeof linksOf>) {
    const { i18n } = this
    const isNarrow = this.width < NARROW_WIDTH
    // Another selection is another picture; within one, nodes keep their places and the picture its height.
    const slotsFor = JSON.stringify([this.selection, isNarrow])
    if (slotsFor !== this.#slotsFor) {
      this.#slots = NO_SLOTS
      this.#rows = 0
      this.#slotsFor = slotsFor
    }
    const model = buildMap(links, this.#slots, isNarrow ? NARROW : WIDE)
    const slots = slotsOf(model)
    // Only nodes that move are animated: widths that grow a little each second are not worth the battery.
    const hasMoved = JSON.stringify(slots) !== JSON.stringify(this.#slots)
    this.#slots = slots
    this.#rows = Math.max(this.#rows, model.left.length, model.right.length, 5)
    this.#layout = layoutMap(model, this.width, this.#rows)
    const labels = this.#labels()
    const look = {
      palette: this.palette,
      label: ({ node }: NodeShape) => labels.get(node.id) ?? '',
      color: (id: string) => this.#color(model, id),
      focus: this.#focus(),
      isStill: this.isStill || !hasMoved,
    }
    // Of a home where nothing moves the picture stays the same, and is not drawn again.
    const drawn = JSON.stringify([
      this.#layout,
      [...labels],
      [...this.tints],
      this.palette,
      look.focus,
    ])
    if (drawn !== this.#drawn) this.#option = mapOption(this.#layout, look)
    this.#drawn = drawn
    const option = this.width === 0 || this.view !== 'map' ? undefined : this.#option
    const label = i18n.t('map_label', {
      devices: i18n.number(model.left.length),
      remotes: i18n.number(model.right.length),
      links: i18n.number(links.length),
    })
    return html`
      <homespin-chart
        .option=${option}
        .height=${this.#rows * ROW + 20}
        .label=${label}
        @chart-width=${(event: CustomEvent<number>) => {
          this.width = event.detail
        }}
        @chart-point=${(event: CustomEvent<ChartPoint | null>) => {
          this.point = event.detail
        }}
        @chart-pick=${(event: CustomEvent<ChartItem>) => this.#pick(event.detail)}
      >
        <div slot="tip" class="tip">${this.#tip()}</div>
      </homespin-chart>
    `
  }

  /** What is drawn beside each node, by its id; cut here, because the canvas would cut any name at its end. */
  #labels(): Map<string, string> {
    const labels = new Map<string, string>()
    for (const kind of ['device', 'remote', undefined] as const) {
      const shapes = this.#layout.nodes.filter(({ node }) =>
        kind === undefined ? node.kind !== 'device' && node.kind !== 'remote' : node.kind === kind,
      )
      const titles = shapes.map(({ node }) => this.#name(node).title)
      const room = Math.min(...shapes.map(({ label_width }) => label_width))
      const keep = kind === 'remote' ? 'end' : 'start'
      const fitted = fitNames(titles, keep, room, measureIn(fontOf(kind)))
      shapes.forEach(({ node }, index) => {
        labels.set(node.id, fitted[index] ?? '')
      })
    }
    return labels
  }

  #shape(item: ChartItem | undefined): { node?: NodeShape; edge?: EdgeShape } {
    if (item === undefined) return {}
    const node = item.series === NODES ? this.#layout.nodes[item.index] : undefined
    const edge = item.series === EDGES ? this.#layout.edges[item.index] : undefined
    return { ...(node && { node }), ...(edge && { edge }) }
  }

  #focus(): string | undefined {
    return this.#shape(this.point?.item).node?.node.id
  }

  #pick(item: ChartItem): void {
    const { node, edge } = this.#shape(item)
    const target =
      node?.node ?? this.#layout.nodes.find((shape) => shape.node.id === edge?.edge.from)?.node
    if (target?.kind === 'device') {
      const isChosen = this.selection.device_id === target.key
      select(this, isChosen ? {} : { device_id: target.key })
    } else if (target?.kind === 'remote') {
      const { remote: _, ...rest } = this.selection
      select(this, this.selection.remote === target.key ? rest : { ...rest, remote: target.key })
    }
  }

  #tip() {
    const { i18n } = this
    const { node, edge } = this.#shape(this.point?.item)
    const total = node?.node ?? edge?.edge
    if (total === undefined) return nothing
    const ends = edge
      ? [edge.edge.from, edge.edge.to].map(
          (id) => this.#layout.nodes.find((at) => at.node.id === id)?.node,
        )
      : [node?.node]
    return html`
      ${ends.map((end) => {
        if (end === undefined) return nothing
        const tint = end.kind === 'device' ? `tint-${this.tints.get(end.key) ?? 0}` : ''
        return html`<p><span class="dot ${tint}"></span><bdi><strong>${this.#name(end).title}</strong></bdi></p>`
      })}
      <p class="figures">
        <span><span class="received">${downIcon}</span> ${i18n.bytes(total.received_bytes)}</span>
        <span><span class="sent">${upIcon}</span> ${i18n.bytes(total.sent_bytes)}</span>
        <span class="muted">${total.rate > 0 ? i18n.rate(total.rate) : nothing}</span>
      </p>
    `
  }

  #name(node: MapNode): { text: string; title: string } {
    const { i18n } = this
    if (node.kind === 'other_devices' || node.kind === 'other_remotes') {
      const text = i18n.count(node.kind, node.count)
      return { text, title: text }
    }
    if (node.kind === 'lan') return { text: i18n.t('lan'), title: i18n.t('lan') }
    const device: Device | undefined = this.state.devices.get(node.key)
    return node.kind === 'device' ? shownName(device?.name, node.key) : shownRemote(node.key)
  }

  #color({ left }: MapModel, id: string): string {
    const node = left.find((known) => known.id === id)
    const tint = node?.kind === 'device' ? this.tints.get(node.key) : undefined
    return tintColor(this.palette, tint)
  }
}

customElements.define('homespin-map', HomespinMap)
