import { css } from 'lit'

/** What the parts of a device look like. */
export const detailStyles = css`
  :host {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 14px;
    font: inherit;
  }
  .line {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 10px;
  }
  .what {
    font-weight: 500;
    font-size: 14px;
    margin-inline-end: auto;
  }
  .incident {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 8px;
    padding: 10px 12px;
    border-radius: 10px;
    background: var(--hs-raised);
  }
  .incident.open {
    background: var(--hs-badGround);
  }
  .incident .text {
    overflow-wrap: anywhere;
  }
  .incident:not(.open) .text {
    font-size: 13px;
    color: var(--hs-muted);
  }
  .evidence {
    grid-template-columns: max-content auto minmax(0, 1fr);
  }
  .evidence meter {
    display: none;
  }
  .controls {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 10px;
  }
  .control {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 6px 12px;
    min-height: 32px;
  }
  .control select {
    max-width: 100%;
    min-width: 140px;
    color: var(--hs-ink);
  }
  [data-busy] {
    opacity: 0.55;
    cursor: progress;
  }
  .segments button:hover {
    color: var(--hs-ink);
  }
  .holding {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 6px 10px;
    font-size: 13px;
  }
  .holding .act {
    margin-inline-start: auto;
  }
  .holding .reason {
    flex: 1;
    min-width: 5em;
    overflow-wrap: anywhere;
  }
  .section {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 8px;
  }
  .remotes {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 7px;
    font-size: 13px;
  }
  .remotes li {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    gap: 2px 12px;
  }
  .remotes svg {
    grid-column: 1 / -1;
    display: block;
    width: 100%;
    height: 4px;
    border-radius: 2px;
    background: var(--hs-raised);
  }
  .figure {
    color: var(--hs-muted);
  }
  .figure strong {
    color: var(--hs-ink);
    font-weight: 500;
    margin-inline-end: 6px;
  }
  .in {
    fill: var(--hs-received);
  }
  .out {
    fill: var(--hs-sent);
  }
`

/** The switch; it moves when the state does. */
export const switchStyles = css`
  .switch {
    flex: none;
    position: relative;
    width: 44px;
    height: 26px;
    padding: 0;
    border: 0;
    border-radius: 13px;
    background: var(--hs-faint);
    transition: background 0.15s;
  }
  .switch::after {
    content: '';
    position: absolute;
    inset: -9px -4px;
  }
  .no-switch {
    width: 44px;
    text-align: center;
    color: var(--hs-muted);
  }
  .switch[aria-checked='true'] {
    background: var(--hs-accent);
  }
  .switch[aria-disabled='true'] {
    cursor: default;
    opacity: 0.55;
  }
  .switch[aria-busy='true'] {
    cursor: progress;
  }
  .knob {
    position: absolute;
    inset-block: 3px;
    inset-inline-start: 3px;
    width: 20px;
    border-radius: 50%;
    background: #fff;
    box-shadow: 0 1px 2px rgb(0 0 0 / 30%);
    transition: inset-inline-start 0.15s;
  }
  .switch[aria-checked='true'] .knob {
    inset-inline-start: 21px;
  }
  .switch[aria-busy='true'] .knob::before {
    content: '';
    position: absolute;
    inset: 4px;
    border: 2px solid #777;
    border-right-color: transparent;
    border-radius: 50%;
    animation: turn 0.8s linear infinite;
  }
`
