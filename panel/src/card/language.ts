// The language and the clock that a person chose in Home Assistant.
import type { I18n } from '../i18n.ts'
import { createI18n, pickLanguage } from '../i18n.ts'
import type { Hass } from './hass.ts'

/** Words and figures for `hass`; without it, for the language of the page. */
export function languageOf(hass: Pick<Hass, 'language' | 'locale'> | undefined): I18n {
  const wanted = [hass?.locale?.language, hass?.language, document.documentElement.lang]
  const tags = wanted.filter((tag): tag is string => typeof tag === 'string' && tag !== '')
  const own = navigator.languages.filter((tag) => tag.split('-')[0] === tags[0]?.split('-')[0])
  // The browser's own tag has the region, which Home Assistant's language has not.
  const { language, locale } = pickLanguage('auto', [...own, ...tags])
  const cycle = { '12': 'h12', '24': 'h23' }[hass?.locale?.time_format ?? '']
  return createI18n(language, cycle === undefined ? locale : withCycle(locale, cycle))
}

function withCycle(locale: string, cycle: string): string {
  try {
    return new Intl.Locale(locale, { hourCycle: cycle as 'h12' | 'h23' }).toString()
  } catch {
    return locale
  }
}
