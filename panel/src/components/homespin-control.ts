import { html, LitElement } from 'lit'
import type { Scene } from '../acting.ts'
import type { Api } from '../api.ts'
import type { Section } from '../place.ts'
import './homespin-blocked.ts'
import './homespin-blueprints.ts'
import './homespin-incidents.ts'
import './homespin-journal.ts'
import './homespin-rules.ts'

/** One section of what is ordered and what came of it. */
export class HomespinControl extends LitElement {
  static override properties = {
    scene: { attribute: false },
    api: { attribute: false },
    section: { attribute: false },
  }
  declare scene: Scene
  declare api: Api
  declare section: Section

  override render() {
    const { scene, api } = this
    switch (this.section) {
      case 'rules':
        return html`
          <homespin-rules .scene=${scene}></homespin-rules>
          <homespin-blueprints .scene=${scene} .api=${api}></homespin-blueprints>
        `
      case 'incidents':
        return html`<homespin-incidents .scene=${scene} .api=${api}></homespin-incidents>`
      case 'blocked':
        return html`<homespin-blocked .scene=${scene}></homespin-blocked>`
      case 'journal':
        return html`<homespin-journal .scene=${scene} .api=${api}></homespin-journal>`
    }
  }
}

customElements.define('homespin-control', HomespinControl)
