// Words, figures and times in the reader's language. Catalogues lie in panel/locales.
import en from '../locales/en.json' with { type: 'json' }
import nl from '../locales/nl.json' with { type: 'json' }

/** A text of the catalogue. */
export type Key = keyof typeof en

type CountKey = Key extends infer K ? (K extends `${infer Stem}_other` ? Stem : never) : never

export const LANGUAGES = ['en', 'nl'] as const

export type Language = (typeof LANGUAGES)[number]

const CATALOGUES: Readonly<Record<Language, Readonly<Record<Key, string>>>> = { en, nl }

/** Everything that depends on the language. */
export interface I18n {
  language: Language
  /** BCP 47, with the region that the browser asks for where it has one. */
  locale: string
  t(key: Key, values?: Readonly<Record<string, string>>): string
  /** The text for `n` things; `{n}` in it is the number. */
  count(key: CountKey, n: number): string
  number(n: number): string
  /** `1.23 GB`; decimal multiples. */
  bytes(n: number): string
  /** `1.23 MB/s`. */
  rate(bytesPerSecond: number): string
  /** `3 minutes ago`, of a time that lies `ms` back. */
  ago(ms: number): string
  /** Time of the day, with the date where that is not today's. */
  moment(time_ms: number): string
  /** The day, with the year where it is not this one; of today the time. */
  since(time_ms: number): string
  /** Tick of a time axis. */
  tick(time_ms: number, step_ms: number): string
  list(words: readonly string[]): string
}

/** The language to use: the wanted one, else the first of the browser's that there is a catalogue for, else English. */
export function pickLanguage(
  wanted: Language | 'auto',
  browser: readonly string[],
): { language: Language; locale: string } {
  const isOurs = (tag: string, language: string): boolean =>
    tag.toLowerCase().split('-')[0] === language
  if (wanted !== 'auto') {
    return { language: wanted, locale: browser.find((tag) => isOurs(tag, wanted)) ?? wanted }
  }
  for (const tag of browser) {
    const language = LANGUAGES.find((known) => isOurs(tag, known))
    if (language !== undefined) return { language, locale: tag }
  }
  return { language: 'en', locale: 'en' }
}

/** Words and figures for a language; `locale` may carry a region. */
export function createI18n(language: Language, locale: string): I18n {
  const catalogue = CATALOGUES[language]
  const plural = new Intl.PluralRules(locale)
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  const words = new Intl.ListFormat(locale, { type: 'conjunction' })
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' })
  const dated = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
  const dayOfYear = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
  const size = unitFormat(locale)

  const t: I18n['t'] = (key, values = {}) =>
    catalogue[key].replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
  return {
    language,
    locale,
    t,
    count: (key, n) => {
      const form = plural.select(n) === 'one' ? 'one' : 'other'
      return t(`${key}_${form}` as Key, { n: whole.format(n) })
    },
    number: (n) => whole.format(n),
    bytes: size,
    // The sign for a second is the same in every language; Intl would write "MB/sec" in some.
    rate: (bytesPerSecond) => `${size(bytesPerSecond)}/s`,
    ago: (ms) => relativeTime(relative, ms),
    moment: (time_ms) => (isToday(time_ms) ? clock.format(time_ms) : dated.format(time_ms)),
    since: (time_ms) => {
      if (isToday(time_ms)) return clock.format(time_ms)
      const isThisYear = new Date(time_ms).getFullYear() === new Date().getFullYear()
      return (isThisYear ? day : dayOfYear).format(time_ms)
    },
    tick: (time_ms, step_ms) => {
      const isMidnight = new Date(time_ms).getHours() + new Date(time_ms).getMinutes() === 0
      return step_ms >= 86_400_000 || isMidnight ? day.format(time_ms) : clock.format(time_ms)
    },
    list: (texts) => words.format(texts),
  }
}

const UNITS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const

function unitFormat(locale: string): (n: number) => string {
  // Intl writes "12 byte" out even when short; the sign is the same everywhere.
  const single = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const multiples = UNITS.map(
    (unit) =>
      new Intl.NumberFormat(locale, {
        style: 'unit',
        unit,
        unitDisplay: 'short',
        maximumSignificantDigits: 3,
      }),
  )
  return (n) => {
    let amount = Math.max(0, n)
    if (amount < 999.5) return `${single.format(amount)}\u00a0B`
    let step = -1
    while (amount >= 999.5 && step < UNITS.length - 1) {
      amount /= 1000
      step += 1
    }
    const text = multiples[step]?.format(amount) ?? ''
    return text.replace(/(\d)\s?(\p{L})/u, '$1\u00a0$2')
  }
}

function relativeTime(format: Intl.RelativeTimeFormat, ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return format.format(-seconds, 'second')
  if (seconds < 3600) return format.format(-Math.floor(seconds / 60), 'minute')
  if (seconds < 86_400) return format.format(-Math.floor(seconds / 3600), 'hour')
  return format.format(-Math.floor(seconds / 86_400), 'day')
}

function isToday(time_ms: number): boolean {
  return new Date(time_ms).toDateString() === new Date().toDateString()
}
