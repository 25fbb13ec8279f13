import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import {
  checkConfig,
  formFields,
  isShown,
  wantedDevices,
} from '../../panel/src/card/card-config.ts'
import { bucketsOf, spanOf, sumHistories } from '../../panel/src/card/card-history.ts'
import { createI18n } from '../../panel/src/i18n.ts'

const PANEL = join(import.meta.dirname, '../../panel')
/** What it may weigh on its way to a phone. */
const MOST_BYTES = 250_000
const HALF_HOUR_MS = 1_800_000

describe('panel: the card', function () {
  this.timeout(90_000)

  it('is one file within its limit of size', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'homespin-card-'))
    try {
      const configFile = join(PANEL, 'vite.card.config.ts')
      await build({ root: PANEL, configFile, logLevel: 'error', build: { outDir: dir } })
      assert.deepEqual(readdirSync(dir), ['homespin-card.js'])
      const code = readFileSync(join(dir, 'homespin-card.js'))
      const bytes = gzipSync(code, { level: 9 }).length
      console.log(`      ${bytes} bytes gzipped, at most ${MOST_BYTES}`)
      assert.ok(bytes <= MOST_BYTES)
      // It loads nothing: neither a part of itself nor anything from elsewhere.
      assert.doesNotMatch(code.toString(), /\bimport\s*\(|\bfrom\s*["']|process\.env/)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })

  it('takes what the editor writes, and says what is wrong with the rest', () => {
    const type = 'custom:homespin-card'
    for (const good of [
      { type },
      { type, title: '', devices: [], hide: [], max_devices: null, topic_prefix: '' },
      { type, devices: 'abc', view_layout: { position: 'main' }, grid_options: { rows: 3 } },
      { type, devices: ['a', 'b'], hide: ['remotes'], entities_only: true, max_devices: 100 },
    ]) {
      assert.equal(checkConfig(good), good)
    }
    const bad: [unknown, RegExp][] = [
      [undefined, /needs a configuration/],
      [[], /needs a configuration/],
      [{ title: 7 }, /"title"/],
      [{ devices: 7 }, /"devices" must be a list/],
      [{ devices: [7] }, /"devices" must be a list/],
      [{ hide: ['everything'] }, /"hide" must be a list out of traffic, incidents/],
      [{ entities_only: 'yes' }, /"entities_only" must be true or false/],
      [{ max_devices: 0 }, /"max_devices" must be a whole number from 1 to 100/],
      [{ topic_prefix: 'a/#' }, /"topic_prefix" must be levels/],
    ]
    for (const [config, message] of bad) assert.throws(() => checkConfig(config), message)
    assert.deepEqual(wantedDevices({ type, devices: 'abc' }), ['abc'])
    assert.equal(isShown({ type, hide: ['remotes'] }, 'remotes'), false)
    assert.equal(isShown({ type }, 'remotes'), true)
  })

  it('offers its own devices, and those of MQTT where it knows none', () => {
    const i18n = createI18n('en', 'en')
    const choices = [{ value: 'abc', label: '<b>TV</b>' }]
    const fieldOf = (list: typeof choices) =>
      formFields(list, i18n).find(({ name }) => name === 'devices')?.selector
    assert.deepEqual(Object.keys(fieldOf(choices) ?? {}), ['select'])
    assert.deepEqual(Object.keys(fieldOf([]) ?? {}), ['device'])
  })

  it('sums devices by half hours, and leaves open what nothing is known of', () => {
    const at = (n: number) => n * HALF_HOUR_MS
    const point = (n: number, received_bytes: number) => ({
      time_ms: at(n),
      received_bytes,
      sent_bytes: 1,
      complete: true,
    })
    const sum = sumHistories([[point(95, 5), point(97, 0)], [point(95, 7)], []])
    assert.deepEqual(
      sum.map(({ time_ms, received_bytes, sent_bytes }) => [time_ms, received_bytes, sent_bytes]),
      [
        [at(95), 12, 2],
        [at(97), 0, 1],
      ],
    )
    const { plan, points, gaps } = spanOf([point(3, 1), ...sum], at(98) + 5)
    assert.deepEqual([plan.from_ms, plan.to_ms], [at(51), at(99)])
    assert.equal(points.length, 2)
    assert.deepEqual(gaps, [
      { from_ms: at(51), to_ms: at(95) },
      { from_ms: at(96), to_ms: at(97) },
    ])
    const series = bucketsOf(sum, at(98) + 5)
    assert.equal(series.length, 48)
    assert.deepEqual(series.slice(-5), [
      undefined,
      { received: 12, sent: 2 },
      undefined,
      { received: 0, sent: 1 },
      undefined,
    ])
  })
})
