import { css } from 'lit'

/** How the page is laid out: a list beside the rest, or, on a narrow screen, one view at a time. */
export const panelStyles = css`
  :host {
    display: block;
    min-height: 100vh;
    background: var(--hs-ground);
  }
  main {
    display: grid;
    grid-template-columns: minmax(360px, 448px) minmax(0, 1fr);
    grid-template-rows: auto auto 1fr;
    gap: 14px;
    max-width: 1760px;
    margin: 0 auto;
    padding: 14px 20px 28px;
  }
  homespin-notices,
  homespin-summary {
    grid-column: 1 / -1;
  }
  homespin-devices {
    position: sticky;
    top: 14px;
    align-self: start;
    max-height: calc(100vh - 28px);
    overflow: hidden;
  }
  .rest {
    display: grid;
    /* A name without a place to break must not make the column as wide as itself. */
    grid-template-columns: minmax(0, 1fr);
    gap: 14px;
    align-content: start;
    min-width: 0;
  }
  /* A section takes the place of what is seen of traffic. */
  :host([control])
    :is(
      homespin-selection,
      homespin-device-control,
      homespin-remote-control,
      homespin-map,
      homespin-history,
      homespin-connections
    ) {
    display: none;
  }
  @media (max-width: 860px) {
    main {
      display: flex;
      flex-direction: column;
      gap: 10px;
      padding: 10px 10px calc(78px + env(safe-area-inset-bottom));
    }
    .rest {
      gap: 10px;
    }
    homespin-devices {
      position: static;
      align-self: stretch;
      max-height: none;
    }
    :host(:not([view='devices'])) homespin-devices,
    :host(:not([view='map'])) homespin-map,
    :host(:not([view='history'])) homespin-history,
    :host(:not([view='connections'])) homespin-connections,
    :host(:not([view='map'])) homespin-device-control,
    :host(:not([view='map'])) homespin-remote-control,
    :host([view='devices']) homespin-selection,
    :host(:not([control])) homespin-sections,
    :host([control]) homespin-summary {
      display: none;
    }
  }
`
