// What all elements share: the palette as variables, and the few parts that look the same everywhere.
import { css, unsafeCSS } from 'lit'
import type { Palette } from './palette.ts'
import { DARK, LIGHT } from './palette.ts'

function variables(palette: Palette) {
  const { tints, ...colors } = palette
  const lines = Object.entries(colors).map(([name, color]) => `--hs-${name}: ${color};`)
  lines.push(...tints.map((color, index) => `--hs-tint-${index}: ${color};`))
  // Only the constants of palette.ts go in here.
  return unsafeCSS(lines.join('\n'))
}

/** For the outermost element: light, and dark where it carries `theme="dark"`. */
export const themeStyles = css`
  :host {
    ${variables(LIGHT)}
    color-scheme: light;
  }
  :host([theme='dark']) {
    ${variables(DARK)}
    color-scheme: dark;
  }
`

/** For every element. */
export const sharedStyles = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    color: var(--hs-ink);
    font:
      14px/1.45 system-ui,
      -apple-system,
      'Segoe UI',
      Roboto,
      'Noto Sans',
      sans-serif;
    font-variant-numeric: tabular-nums;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h2 {
    font-size: 15px;
    font-weight: 620;
    letter-spacing: -0.005em;
  }
  .card {
    background: var(--hs-surface);
    border: 1px solid var(--hs-line);
    border-radius: 12px;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px 12px;
    padding: 12px 16px 8px;
  }
  .head h2 {
    margin-inline-end: auto;
  }
  .muted {
    color: var(--hs-muted);
  }
  .small {
    font-size: 12px;
  }
  .received {
    color: var(--hs-received);
  }
  .sent {
    color: var(--hs-sent);
  }
  .clip {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  /* Of a domain name the end says whose it is: the beginning is cut off. The name itself is isolated by its bdi. */
  .from-end {
    direction: rtl;
    text-align: left;
  }
  .hidden-text {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .empty {
    padding: 28px 20px 34px;
    text-align: center;
    color: var(--hs-muted);
  }
  .empty strong {
    display: block;
    color: var(--hs-ink);
    font-weight: 600;
    margin-bottom: 2px;
  }
  button,
  select,
  input {
    font: inherit;
    color: inherit;
  }
  button {
    cursor: pointer;
  }
  :focus-visible {
    outline: 2px solid var(--hs-accent);
    outline-offset: 2px;
  }
  .plain {
    background: none;
    border: 0;
    padding: 0;
    text-align: start;
  }
  .field {
    height: 32px;
    padding: 0 10px;
    border: 1px solid var(--hs-line);
    border-radius: 8px;
    background: var(--hs-surface);
  }
  .segments {
    display: inline-flex;
    padding: 2px;
    gap: 2px;
    background: var(--hs-raised);
    border-radius: 9px;
  }
  .segments button {
    border: 0;
    background: none;
    min-height: 28px;
    padding: 0 10px;
    border-radius: 7px;
    color: var(--hs-muted);
    font-size: 13px;
    white-space: nowrap;
  }
  .segments button[aria-pressed='true'],
  .segments button[aria-checked='true'] {
    background: var(--hs-chosen);
    color: var(--hs-ink);
    box-shadow: 0 1px 2px rgb(0 0 0 / 14%);
  }
  .dot {
    flex: none;
    width: 9px;
    height: 9px;
    border-radius: 50%;
    background: var(--hs-muted);
  }
  ${unsafeCSS(LIGHT.tints.map((_, i) => `.tint-${i} { background: var(--hs-tint-${i}); }`).join('\n'))}
  @media (pointer: coarse) {
    .field {
      height: 40px;
    }
    .segments button {
      min-height: 36px;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`
