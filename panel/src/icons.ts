// The few signs of the page, drawn here.
import { svg } from 'lit'

const stroke = (paths: ReturnType<typeof svg>, size = 16) => svg`
  <svg width=${size} height=${size} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${paths}</svg>`

export const downIcon = stroke(svg`<path d="M8 2.8v10M3.8 8.8 8 13l4.2-4.2" />`, 12)
export const upIcon = stroke(svg`<path d="M8 13.2v-10M3.8 7.2 8 3l4.2 4.2" />`, 12)
export const closeIcon = stroke(svg`<path d="m4 4 8 8M12 4l-8 8" />`, 12)
export const foldIcon = stroke(svg`<path d="m3.6 6 4.4 4.4L12.4 6" />`, 12)
export const warnIcon = stroke(svg`<path d="M8 2.2 14.4 13.4H1.6zM8 6.4v3.2M8 11.6v.1" />`, 14)
export const systemIcon = stroke(
  svg`<circle cx="8" cy="8" r="5.6" /><path d="M8 2.4v11.2A5.6 5.6 0 0 0 8 2.4z" fill="currentColor" />`,
)
export const sunIcon = stroke(
  svg`<circle cx="8" cy="8" r="2.8" /><path d="M8 1.4v1.2M8 13.4v1.2M1.4 8h1.2M13.4 8h1.2M3.4 3.4l.8.8M11.8 11.8l.8.8M12.6 3.4l-.8.8M4.2 11.8l-.8.8" />`,
)
export const moonIcon = stroke(svg`<path d="M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z" />`)
export const globeIcon = stroke(
  svg`<circle cx="8" cy="8" r="5.8" /><path d="M2.2 8h11.6M8 2.2c3 3.4 3 8.2 0 11.6M8 2.2c-3 3.4-3 8.2 0 11.6" />`,
  14,
)
export const devicesIcon = stroke(
  svg`<rect x="1.8" y="3" width="9" height="7" rx="1.2" /><path d="M4 13h4.6" /><rect x="10.6" y="6.4" width="3.8" height="7" rx="1" fill="var(--hs-surface)" />`,
  20,
)
export const mapIcon = stroke(
  svg`<circle cx="3.4" cy="8" r="1.6" /><circle cx="12.6" cy="3.4" r="1.6" /><circle cx="12.6" cy="12.6" r="1.6" /><path d="M5 8c3 0 3-4.6 6-4.6M5 8c3 0 3 4.6 6 4.6" />`,
  20,
)
export const historyIcon = stroke(svg`<path d="M2 13.6h12M4 11V7.4M8 11V3M12 11V5.6" />`, 20)
export const listIcon = stroke(
  svg`<path d="M5.4 4h8.4M5.4 8h8.4M5.4 12h8.4M2.2 4h.1M2.2 8h.1M2.2 12h.1" />`,
  20,
)
export const controlIcon = stroke(
  svg`<path d="M8 1.8 13.4 4v4c0 3.2-2.2 5.4-5.4 6.4C4.8 13.4 2.6 11.2 2.6 8V4z" /><path d="m5.6 8 1.8 1.8 3.2-3.4" />`,
  20,
)
export const logoIcon = svg`
  <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="#1f5fbf" />
    <g fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round">
      <path d="M16 7.2a8.8 8.8 0 0 1 8.8 8.8" />
      <path d="M24.8 16a8.8 8.8 0 0 1-17.6 0M7.2 16a8.8 8.8 0 0 1 3.2-6.8" opacity=".55" />
    </g>
    <circle cx="16" cy="16" r="3.4" fill="#fff" />
  </svg>`
