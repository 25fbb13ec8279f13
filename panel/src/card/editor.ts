// The card's visual editor: Home Assistant draws it from this description.

import { shownText } from '../display-name.ts'
import type { I18n } from '../i18n.ts'
import type { DeviceChoice, FormField } from './card-config.ts'
import { checkConfig, fieldHelp, fieldLabel, formFields } from './card-config.ts'
import type { Hass } from './hass.ts'
import { isOurDevice } from './home.ts'
import { languageOf } from './language.ts'

// The form is asked for without `hass`: what the cards of this page saw last is what it offers.
let choices: readonly DeviceChoice[] = []
let i18n: I18n | undefined

/** Keeps which devices the editor can offer, and in which language. */
export function learnChoices(hass: Hass): void {
  i18n = languageOf(hass)
  choices = Object.values(hass.devices)
    .filter(isOurDevice)
    .map(({ id, name, name_by_user }) => ({
      value: id,
      label: shownText(name_by_user ?? name ?? '', id),
    }))
}

/** What Home Assistant makes an editor of. */
export function configForm(): {
  schema: FormField[]
  computeLabel: (field: FormField) => string | undefined
  computeHelper: (field: FormField) => string | undefined
  assertConfig: (config: unknown) => void
} {
  const words = i18n ?? languageOf(undefined)
  return {
    schema: formFields(choices, words),
    computeLabel: ({ name }) => fieldLabel(name, words),
    computeHelper: ({ name }) => fieldHelp(name, words),
    assertConfig: (config) => void checkConfig(config),
  }
}
