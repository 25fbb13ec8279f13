import { css } from 'lit'

/** The line at the top; on a phone its first row never changes its height, whatever the state says. */
export const headerStyles = css`
  :host {
    display: block;
    background: var(--hs-surface);
    border-bottom: 1px solid var(--hs-line);
  }
  header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 14px;
    max-width: 1760px;
    margin: 0 auto;
    padding: 10px 20px;
  }
  .brand,
  .states {
    display: flex;
    align-items: center;
    gap: 10px;
    min-width: 0;
  }
  .brand svg {
    flex: none;
  }
  h1 {
    font-size: 16px;
    font-weight: 650;
    letter-spacing: -0.01em;
    line-height: 1.2;
  }
  .pill {
    display: inline-flex;
    align-items: center;
    gap: 7px;
    height: 28px;
    padding: 0 11px;
    border-radius: 14px;
    background: var(--hs-raised);
    font-size: 13px;
    font-weight: 550;
    white-space: nowrap;
  }
  .pill .dot {
    width: 8px;
    height: 8px;
  }
  .live .dot {
    background: var(--hs-good);
    box-shadow: 0 0 0 3px color-mix(in srgb, var(--hs-good) 22%, transparent);
  }
  .warn {
    background: var(--hs-warnGround);
    color: var(--hs-warn);
  }
  .warn .dot {
    background: var(--hs-warn);
  }
  .short {
    display: none;
  }
  .about {
    flex: 1 1 240px;
    min-width: 0;
    min-height: 19px;
    color: var(--hs-muted);
    font-size: 13px;
  }
  .about b {
    color: var(--hs-ink);
    font-weight: 600;
  }
  .about button {
    display: flex;
    align-items: center;
    gap: 5px;
    max-width: 100%;
  }
  .about .whole {
    overflow-wrap: anywhere;
  }
  .about p {
    margin-top: 4px;
    overflow-wrap: anywhere;
  }
  .fold {
    display: flex;
    flex: none;
    transition: rotate 0.15s;
  }
  [aria-expanded='true'] .fold {
    rotate: 180deg;
  }
  .tools {
    display: flex;
    gap: 8px;
    align-items: center;
  }
  .tools .segments button {
    padding: 0 8px;
    display: grid;
    place-items: center;
  }
  .language {
    position: relative;
    display: flex;
    align-items: center;
  }
  .language svg {
    position: absolute;
    inset-inline-start: 9px;
    color: var(--hs-muted);
    pointer-events: none;
  }
  .language select {
    padding-inline-start: 29px;
  }
  details {
    position: relative;
  }
  summary {
    cursor: pointer;
    list-style: none;
  }
  summary::-webkit-details-marker {
    display: none;
  }
  .losses {
    position: absolute;
    z-index: 5;
    top: 36px;
    left: 0;
    width: max-content;
    max-width: min(340px, 86vw);
    padding: 12px 14px;
    box-shadow: 0 8px 28px rgb(0 0 0 / 18%);
    overflow-wrap: anywhere;
  }
  .losses ul + strong {
    display: block;
    margin-top: 10px;
  }
  .losses li {
    margin-top: 4px;
    color: var(--hs-muted);
  }
  @media (max-width: 1024px) {
    .about {
      order: 3;
      flex-basis: 100%;
    }
    .tools {
      margin-inline-start: auto;
    }
  }
  .cycle {
    display: none;
    padding: 0 9px;
  }
  @media (max-width: 860px) {
    header {
      padding: 10px 14px;
    }
  }
  @media (pointer: coarse) {
    .about button {
      min-height: 32px;
    }
  }
  @media (max-width: 480px) {
    header {
      display: grid;
      grid-template-columns: minmax(0, 1fr) auto auto;
      gap: 6px 8px;
    }
    .about {
      grid-column: 1 / -1;
    }
    /* A name that has no room for three letters is not shown: it goes to a second line, out of sight. */
    .brand {
      flex-wrap: wrap;
      max-height: 28px;
      overflow: hidden;
    }
    h1 {
      flex: 1 1 2em;
      line-height: 28px;
    }
    .states {
      gap: 6px;
    }
    .long,
    .product,
    .tools .segments {
      display: none;
    }
    .short {
      display: inline;
    }
    .cycle {
      display: grid;
      place-items: center;
    }
    .tools select {
      width: 88px;
      padding-inline-end: 4px;
    }
    .losses {
      position: fixed;
      inset: 58px 10px auto;
      width: auto;
      max-width: none;
      max-height: calc(100vh - 150px);
      overflow-y: auto;
    }
  }
  @media (max-width: 340px) {
    .tools select {
      width: 58px;
    }
  }
`
