// Where the reader is, as the fragment of the page's address: Back works, a reload keeps the place, and a link leads to it.
// Whoever made the link may have written anything: what is not understood is left out.
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Selection } from './links.ts'

export const SECTIONS = ['rules', 'incidents', 'blocked', 'journal'] as const

/** What is shown instead of traffic. */
export type Section = (typeof SECTIONS)[number]

export const TRAFFIC_VIEWS = ['devices', 'map', 'history', 'connections'] as const

/** What a narrow page shows; a wide one shows all views of traffic at once, or one section beside the devices. */
export type View = (typeof TRAFFIC_VIEWS)[number] | Section

/** What is looked at. */
export interface Place {
  view: View
  selection: Selection
}

const MAX_FRAGMENT = 4000
/** A name of 255 octets, each of them escaped. */
const MAX_REMOTE = 1020
const FIRST: View = 'devices'
const VIEWS: readonly View[] = [...TRAFFIC_VIEWS, ...SECTIONS]

/** The place that a fragment (with or without `#`) means. */
export function readPlace(fragment: string): Place {
  if (fragment.length > MAX_FRAGMENT) return { view: FIRST, selection: {} }
  const asked = new URLSearchParams(fragment.replace(/^#/, ''))
  const view = VIEWS.find((known) => known === asked.get('view')) ?? FIRST
  const device_id = asked.get('device') ?? ''
  const remote = asked.get('remote') ?? ''
  return {
    view,
    selection: {
      ...(DEVICE_ID.test(device_id) ? { device_id } : {}),
      ...(remote !== '' && remote.length <= MAX_REMOTE ? { remote } : {}),
    },
  }
}

/** The fragment of a place, with its `#`; empty for the first one. */
export function placeFragment({ view, selection }: Place): string {
  const { device_id, remote } = selection
  const told = new URLSearchParams({
    ...(view === FIRST ? {} : { view }),
    ...(device_id === undefined ? {} : { device: device_id }),
    ...(remote === undefined ? {} : { remote }),
  })
  return told.size === 0 ? '' : `#${told}`
}

/** The section of a view; undefined for the views of traffic. */
export function sectionOf(view: View): Section | undefined {
  return SECTIONS.find((section) => section === view)
}
