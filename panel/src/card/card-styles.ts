import { css, unsafeCSS } from 'lit'
import { THEME_VARIABLES } from './card-palette.ts'

/** The card itself. */
export const cardStyles = css`
  :host {
    ${unsafeCSS(THEME_VARIABLES)}
    display: block;
    height: 100%;
    font-family: var(--ha-font-family-body, Roboto, 'Noto Sans', sans-serif);
    font-size: 14px;
    line-height: 1.45;
  }
  :host([dark]) {
    color-scheme: dark;
    --hs-chosen: color-mix(in srgb, var(--primary-text-color, #e1e1e1) 20%, transparent);
  }
  ha-card {
    height: 100%;
    overflow: auto;
    container-type: inline-size;
  }
  .body {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 12px;
    padding: 16px;
  }
  .top {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 10px;
  }
  .top h2 {
    flex: 1;
    min-width: 0;
    font-size: 18px;
    font-weight: 500;
    letter-spacing: 0;
  }
  .sums {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 2px 14px;
    font-size: 13px;
    color: var(--hs-muted);
  }
  .sums strong {
    font-size: 16px;
    font-weight: 500;
    color: var(--hs-ink);
  }
  .sums svg {
    vertical-align: -1px;
  }
  .pill.live::before {
    content: '';
    width: 7px;
    height: 7px;
    border-radius: 50%;
    background: currentColor;
  }
  .devices {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    margin-inline: -16px;
  }
  .devices > li {
    border-top: 1px solid var(--hs-line);
  }
  .row {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 84px 44px;
    align-items: center;
    gap: 0 14px;
    padding-inline: 16px;
    min-height: 60px;
  }
  .row.bare {
    grid-template-columns: minmax(0, 1fr) 84px;
  }
  .who {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 1px;
    min-width: 0;
    padding-block: 9px;
  }
  .who .name {
    display: flex;
    align-items: center;
    gap: 8px;
    min-width: 0;
    font-weight: 500;
  }
  .who .pill {
    min-height: 20px;
    padding-inline: 7px;
    font-size: 12px;
  }
  .dot {
    display: inline-block;
    background: var(--hs-faint);
  }
  h2 .dot {
    margin-inline-end: 4px;
  }
  .dot.on {
    background: var(--hs-good);
  }
  .dot.bad {
    background: var(--hs-bad);
  }
  /* What holds and its countdown are never cut off: where there is no room beside them, the row grows. */
  .figures {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 3px 10px;
    min-height: 20px;
    font-size: 12.5px;
    color: var(--hs-muted);
    white-space: nowrap;
  }
  .spark {
    display: block;
    width: 84px;
    height: 28px;
  }
  .pair {
    display: inline-flex;
    gap: 10px;
  }
  .now {
    display: flex;
    align-items: center;
    gap: 8px;
    flex: 1 1 100%;
  }
  .now .spark {
    flex: 1;
    width: 0;
    min-width: 40px;
    height: 20px;
  }
  .spark .base {
    stroke: var(--hs-line);
  }
  .in {
    fill: var(--hs-received);
  }
  .out {
    fill: var(--hs-sent);
  }
  .devices homespin-card-device {
    padding: 2px 16px 16px;
  }
  .more {
    padding: 10px 16px 2px;
    border-top: 1px solid var(--hs-line);
    margin: -12px -16px -6px;
  }
  @container (max-width: 340px) {
    .row,
    .row.bare {
      grid-template-columns: minmax(0, 1fr) 44px;
    }
    .row.bare {
      grid-template-columns: minmax(0, 1fr);
    }
    .row .spark {
      display: none;
    }
  }
`
