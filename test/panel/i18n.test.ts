import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import en from '../../panel/locales/en.json' with { type: 'json' }
import nl from '../../panel/locales/nl.json' with { type: 'json' }
import type { Key } from '../../panel/src/i18n.ts'
import { createI18n, pickLanguage } from '../../panel/src/i18n.ts'

const SOURCES = new URL('../../panel/src/', import.meta.url)

const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

describe('panel: languages', () => {
  it('has every text in both, with the same places in it', () => {
    assert.deepEqual(Object.keys(nl), Object.keys(en))
    for (const key of Object.keys(en) as Key[]) {
      assert.notEqual(nl[key].trim(), '', key)
      assert.deepEqual(places(nl[key]), places(en[key]), key)
    }
  })

  it('uses every text', () => {
    const source = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(new URL(file, SOURCES), 'utf8'))
      .join('\n')
    // Quoted whole, or put together from a beginning and a value: `mode_${…}`.
    const isUsed = (key: string): boolean => {
      const stem = key.replace(/_(?:one|other)$/, '')
      const cuts = [...stem.matchAll(/_/g)].map(({ index }) => `\`${stem.slice(0, index + 1)}\${`)
      return [`'${key}'`, `'${stem}'`, ...cuts].some((text) => source.includes(text))
    }
    const unused = Object.keys(en).filter((key) => !isUsed(key))
    assert.deepEqual(unused, [])
  })

  it('follows the wish, then the browser, then English', () => {
    assert.deepEqual(pickLanguage('auto', ['fr-FR', 'nl-BE', 'en']), {
      language: 'nl',
      locale: 'nl-BE',
    })
    assert.deepEqual(pickLanguage('auto', ['fr']), { language: 'en', locale: 'en' })
    assert.deepEqual(pickLanguage('en', ['nl', 'en-AU']), { language: 'en', locale: 'en-AU' })
    assert.deepEqual(pickLanguage('nl', ['de']), { language: 'nl', locale: 'nl' })
  })

  it('writes sizes and rates as the language does', () => {
    const english = createI18n('en', 'en-GB')
    const dutch = createI18n('nl', 'nl-NL')
    assert.equal(english.bytes(0), '0\u00a0B')
    assert.equal(english.bytes(999), '999\u00a0B')
    assert.equal(english.bytes(999.6), '1\u00a0kB')
    assert.equal(english.bytes(1234), '1.23\u00a0kB')
    assert.equal(english.bytes(999_600), '1\u00a0MB')
    assert.equal(english.bytes(98_765_432_109), '98.8\u00a0GB')
    assert.equal(dutch.bytes(12), '12\u00a0B')
    assert.equal(dutch.bytes(1234), '1,23\u00a0kB')
    assert.equal(dutch.rate(2_500_000), '2,5\u00a0MB/s')
    assert.equal(english.bytes(1e21), '1,000,000\u00a0PB')
  })

  it('counts and tells times in the language', () => {
    const english = createI18n('en', 'en-GB')
    const dutch = createI18n('nl', 'nl-NL')
    assert.equal(english.count('devices_n', 1), '1 device')
    assert.equal(english.count('devices_n', 1200), '1,200 devices')
    assert.equal(dutch.count('devices_n', 1200), '1.200 apparaten')
    assert.match(english.ago(125_000), /^2 min/)
    assert.match(dutch.ago(7_200_000), /2 uur geleden/)
    assert.equal(english.ago(-5000), 'now')
    const now = new Date()
    assert.match(english.moment(now.getTime()), /^\d\d:\d\d$/)
    assert.match(english.moment(now.getTime() - 30 * 86_400_000), /\d{4}/)
    assert.match(english.since(now.getTime()), /^\d\d:\d\d$/)
    assert.match(english.since(now.getTime() - 400 * 86_400_000), /\d{4}/)
    const new_year = new Date(now.getFullYear(), 0, 1, 12).getTime()
    assert.match(english.since(new_year), /^1 Jan$|^\d\d:\d\d$/)
  })

  it('puts values in as they are', () => {
    const { t } = createI18n('en', 'en')
    assert.equal(t('no_match', { query: '{n} $& <b>' }), 'No device matches “{n} $& <b>”')
  })
})
