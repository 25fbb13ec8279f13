import { css } from 'lit'

/** The list of devices: three lines a row, the rates and the last minute at their right. */
export const devicesStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-height: 0;
  }
  .controls {
    display: flex;
    gap: 8px;
    padding: 0 16px 10px;
  }
  input {
    flex: 1;
    min-width: 0;
  }
  ul {
    overflow-y: auto;
    flex: 1;
    min-height: 0;
    scrollbar-width: thin;
    border-top: 1px solid var(--hs-line);
  }
  li + li {
    border-top: 1px solid var(--hs-line);
  }
  .row {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 64px 86px;
    align-items: center;
    gap: 1px 12px;
    width: 100%;
    padding: 9px 16px;
    border-inline-start: 3px solid transparent;
  }
  .row:hover {
    background: var(--hs-raised);
  }
  .row[aria-pressed='true'] {
    background: color-mix(in srgb, var(--hs-accent) 11%, transparent);
    border-inline-start-color: var(--hs-accent);
  }
  .row:focus-visible {
    outline-offset: -2px;
  }
  .name {
    grid-column: 1 / 3;
    flex-wrap: wrap;
  }
  /* Badges that have no room beside the name begin below it, not below its dot. */
  .name {
    padding-inline-start: 17px;
  }
  .title {
    margin-inline-start: -17px;
  }
  .name,
  .title {
    display: flex;
    align-items: center;
    gap: 2px 8px;
    min-width: 0;
    font-weight: 600;
  }
  .badge {
    flex: none;
    padding: 0 6px;
    border: 1px solid var(--hs-line);
    border-radius: 6px;
    font-size: 11px;
    font-weight: 450;
    color: var(--hs-muted);
  }
  .badge:is(.shut, .incident) {
    border-color: transparent;
    background: var(--hs-badGround);
    color: var(--hs-bad);
  }
  .badge.new {
    border-color: transparent;
    background: var(--hs-warnGround);
    color: var(--hs-warn);
  }
  .line {
    grid-column: 1 / 3;
    display: flex;
    gap: 8px;
    min-width: 0;
    padding-inline-start: 17px;
    font-size: 12.5px;
    color: var(--hs-muted);
  }
  .address {
    flex: 0 0 auto;
    max-width: 70%;
  }
  homespin-sparkline {
    height: 22px;
  }
  .rates {
    grid-row: 1 / 3;
    grid-column: 3;
    text-align: end;
    font-size: 13px;
    line-height: 1.4;
    white-space: nowrap;
  }
  .quiet {
    color: var(--hs-muted);
  }
  .totals {
    padding-inline-start: 17px;
  }
  .totals,
  .seen {
    font-size: 12px;
    color: var(--hs-muted);
  }
  .seen {
    text-align: end;
  }
  .more {
    padding: 10px 16px;
    border-top: 1px solid var(--hs-line);
  }
  @media (max-width: 480px) {
    .row {
      grid-template-columns: minmax(0, 1fr) 60px 84px;
      gap: 1px 8px;
      padding: 9px 12px;
    }
    .today + .ever {
      display: none;
    }
  }
  @media (max-width: 340px) {
    .row {
      grid-template-columns: minmax(0, 1fr) 40px 80px;
      gap: 1px 6px;
    }
  }
`
