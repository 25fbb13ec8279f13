import { css } from 'lit'

/** What everything that acts looks like. */
export const actStyles = css`
  .act {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 7px;
    min-height: 32px;
    max-width: 100%;
    padding: 3px 12px;
    border: 1px solid var(--hs-line);
    border-radius: 8px;
    background: var(--hs-surface);
    font-weight: 550;
    font-size: 13px;
    text-align: center;
    overflow-wrap: anywhere;
  }
  .act:hover {
    border-color: var(--hs-faint);
    background: var(--hs-raised);
  }
  .act[aria-expanded='true'] {
    border-color: var(--hs-accent);
    color: var(--hs-accent);
  }
  .act.primary {
    border-color: var(--hs-accent);
    background: var(--hs-accent);
    color: var(--hs-surface);
  }
  .act.danger {
    border-color: color-mix(in srgb, var(--hs-bad) 45%, var(--hs-line));
    color: var(--hs-bad);
  }
  .act.slight {
    min-height: 28px;
    padding: 2px 9px;
    font-weight: 500;
    font-size: 12.5px;
  }
  .act[aria-disabled='true'] {
    cursor: default;
    opacity: 0.55;
  }
  .act[aria-busy='true'] {
    cursor: progress;
    opacity: 1;
  }
  .act[aria-busy='true']::before {
    content: '';
    width: 12px;
    height: 12px;
    border: 2px solid currentColor;
    border-right-color: transparent;
    border-radius: 50%;
    animation: turn 0.8s linear infinite;
  }
  @keyframes turn {
    to {
      rotate: 360deg;
    }
  }
  .acts {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px;
  }
  .fault,
  .note {
    display: flex;
    align-items: flex-start;
    gap: 8px;
    padding: 7px 10px;
    border-radius: 8px;
    font-size: 13px;
    overflow-wrap: anywhere;
  }
  .fault {
    background: var(--hs-badGround);
    color: var(--hs-bad);
  }
  .note {
    background: var(--hs-warnGround);
    color: var(--hs-warn);
  }
  .note.quiet {
    background: var(--hs-raised);
    color: var(--hs-muted);
  }
  .fault span,
  .note span {
    flex: 1;
    min-width: 0;
  }
  .fault svg,
  .note svg {
    flex: none;
    margin-top: 3px;
  }
  .fault button {
    flex: none;
    min-width: 24px;
    min-height: 22px;
    text-align: center;
  }
  .pill {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    min-height: 24px;
    padding: 0 9px;
    border-radius: 12px;
    background: var(--hs-raised);
    color: var(--hs-muted);
    font-size: 12.5px;
    font-weight: 550;
    white-space: nowrap;
  }
  .pill.good {
    color: var(--hs-good);
  }
  .pill.warn {
    background: var(--hs-warnGround);
    color: var(--hs-warn);
  }
  .pill.bad {
    background: var(--hs-badGround);
    color: var(--hs-bad);
  }
  .form {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 12px;
    padding: 12px 14px;
    border: 1px solid var(--hs-line);
    border-radius: 10px;
    background: color-mix(in srgb, var(--hs-raised) 55%, var(--hs-surface));
  }
  .form > .segments {
    justify-self: start;
  }
  .fields {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 190px), 1fr));
    gap: 10px 12px;
  }
  label.named {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 3px;
    font-size: 12px;
    color: var(--hs-muted);
  }
  label.named > * {
    font-size: 14px;
    color: var(--hs-ink);
    width: 100%;
  }
  fieldset {
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }
  legend {
    padding: 0;
    margin-bottom: 5px;
    font-size: 12px;
    color: var(--hs-muted);
  }
  @media (pointer: coarse) {
    .act {
      min-height: 40px;
    }
    .act.slight {
      min-height: 36px;
    }
  }
`
