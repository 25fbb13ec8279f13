// Home Assistant's theme as the panel's palette. Elements follow the theme's variables by themselves; a canvas needs the
// colours they stand for, read again when the theme changes.
import type { Palette } from '../palette.ts'
import { DARK, LIGHT } from '../palette.ts'

type Colors = Omit<Palette, 'tints'>

/** What each colour of the palette is in a theme. */
const THEME: Readonly<Record<keyof Colors, string>> = {
  ground: 'var(--primary-background-color, #fafafa)',
  surface: 'var(--ha-card-background, var(--card-background-color, #fff))',
  raised: 'color-mix(in srgb, var(--primary-text-color, #212121) 6%, transparent)',
  chosen: 'var(--ha-card-background, var(--card-background-color, #fff))',
  line: 'var(--divider-color, rgb(0 0 0 / 12%))',
  ink: 'var(--primary-text-color, #212121)',
  muted: 'var(--secondary-text-color, #727272)',
  faint: 'var(--disabled-color, #bdbdbd)',
  accent: 'var(--primary-color, #009ac7)',
  received: 'var(--primary-color, #009ac7)',
  sent: 'var(--accent-color, #ff9800)',
  good: 'var(--success-color, #43a047)',
  warn: 'color-mix(in srgb, var(--warning-color, #ffa600) 65%, var(--primary-text-color, #212121))',
  warnGround: 'color-mix(in srgb, var(--warning-color, #ffa600) 16%, transparent)',
  bad: 'color-mix(in srgb, var(--error-color, #db4437) 82%, var(--primary-text-color, #212121))',
  badGround: 'color-mix(in srgb, var(--error-color, #db4437) 13%, transparent)',
}

/** The palette as lines of CSS for `:host`. */
export const THEME_VARIABLES: string = Object.entries(THEME)
  .map(([name, color]) => `--hs-${name}: ${color};`)
  .join('\n')

/** The palette as it is drawn at `host` in this moment. */
export function paletteAt(host: HTMLElement, isDark: boolean): Palette {
  const fallback = isDark ? DARK : LIGHT
  const probe = host.ownerDocument.createElement('span')
  probe.style.display = 'none'
  ;(host.shadowRoot ?? host).append(probe)
  const pen = host.ownerDocument.createElement('canvas').getContext('2d', {
    willReadFrequently: true,
  })
  const colors: Colors = { ...fallback }
  for (const name of Object.keys(THEME) as (keyof Colors)[]) {
    probe.style.color = `var(--hs-${name})`
    const color = plainColor(getComputedStyle(probe).color, pen)
    if (color !== undefined) colors[name] = color
  }
  probe.remove()
  return { ...colors, tints: fallback.tints }
}

/** Any colour of CSS as `rgba(…)`, which ECharts reads. */
function plainColor(color: string, pen: CanvasRenderingContext2D | null): string | undefined {
  if (pen === null || color === '') return undefined
  pen.clearRect(0, 0, 1, 1)
  pen.fillStyle = color
  pen.fillRect(0, 0, 1, 1)
  const [r = 0, g = 0, b = 0, a = 0] = pen.getImageData(0, 0, 1, 1).data
  return `rgba(${r}, ${g}, ${b}, ${Math.round((a / 255) * 1000) / 1000})`
}
