// Every colour of the page, once: the style sheet's variables and the charts are made of the same values.

/** Colours by what they are for. */
export interface Palette {
  ground: string
  surface: string
  raised: string
  /** The chosen one of several on `raised`. */
  chosen: string
  line: string
  ink: string
  muted: string
  faint: string
  accent: string
  received: string
  sent: string
  good: string
  warn: string
  warnGround: string
  bad: string
  badGround: string
  /** Of devices, in the order in which they were first seen. */
  tints: readonly string[]
}

export const LIGHT: Palette = {
  ground: '#f5f6f8',
  surface: '#ffffff',
  raised: '#f0f2f5',
  chosen: '#ffffff',
  line: '#e2e5ea',
  ink: '#171b22',
  muted: '#596273',
  faint: '#c9ced7',
  accent: '#1f5fbf',
  received: '#2468d1',
  sent: '#c2590a',
  good: '#1a7f4b',
  warn: '#8a5a00',
  warnGround: '#fff3d6',
  bad: '#b3261e',
  badGround: '#fdeceb',
  tints: [
    '#2f6fde',
    '#d0603c',
    '#259a63',
    '#8a58d8',
    '#c23c8c',
    '#0f92a8',
    '#a57f10',
    '#5f6bd0',
    '#6f921f',
    '#bd4547',
    '#2f8f86',
    '#8d6e5a',
  ],
}

export const DARK: Palette = {
  ground: '#0f1216',
  surface: '#171b21',
  raised: '#1f242c',
  chosen: '#3a424f',
  line: '#2a303a',
  ink: '#e9ecf1',
  muted: '#9aa4b2',
  faint: '#475060',
  accent: '#7fb0ff',
  received: '#5f9dfb',
  sent: '#f09a4a',
  good: '#5fcb93',
  warn: '#f2c14e',
  warnGround: '#3a2f12',
  bad: '#ff9a91',
  badGround: '#3d1c1a',
  tints: [
    '#6ea2ff',
    '#f28b66',
    '#5fcb93',
    '#b692f6',
    '#ef82c0',
    '#4cc6db',
    '#d9b64c',
    '#9aa6f5',
    '#a9cb58',
    '#f0827b',
    '#72c9c0',
    '#c4a792',
  ],
}

/** How many devices have a colour of their own. */
export const TINTS = LIGHT.tints.length

/** The colour of tint `index`; grey for what is no single device. */
export function tintColor(palette: Palette, index: number | undefined): string {
  return (index === undefined ? undefined : palette.tints[index % TINTS]) ?? palette.muted
}

/** Which tint each device has: stable, because later devices come later. */
export function tintsOf(
  devices: Iterable<{ id: string; first_seen_ms: number }>,
): ReadonlyMap<string, number> {
  const inOrder = [...devices].sort(
    (a, b) => a.first_seen_ms - b.first_seen_ms || (a.id < b.id ? -1 : 1),
  )
  return new Map(inOrder.map(({ id }, index) => [id, index % TINTS]))
}
