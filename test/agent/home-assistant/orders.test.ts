// What Home Assistant's entities order, at the place where it comes in.
import assert from 'node:assert/strict'
import { readCommand } from '../../../agent/mqtt/command-read.ts'
import { HOME_ASSISTANT_VERBS, SAFE_VERBS } from '../../../protocol/commands.ts'
import { CAMERA, testHome } from '../methods/home.ts'

const BY_MQTT = { role: 'admin', via: 'mqtt' } as const

describe("what Home Assistant's entities order", () => {
  it('is taken unsigned where that was asked for, and nothing else is', () => {
    const payload = Buffer.from(JSON.stringify({ id: 'ha-1', issued_ms: 1, ttl_ms: 30_000 }))
    const rules = { agent: 'home', key: 'k'.repeat(16), nowMs: 1, synchronised: true }
    const codeOf = (verb: string, unsigned?: readonly string[]): string | undefined => {
      const read = readCommand(verb, payload, false, { ...rules, ...(unsigned && { unsigned }) })
      return 'code' in read ? read.code : undefined
    }
    for (const verb of SAFE_VERBS) {
      assert.equal(codeOf(verb), 'bad_signature', verb)
      const isTheirs = HOME_ASSISTANT_VERBS.some((one) => one === verb)
      assert.equal(codeOf(verb, HOME_ASSISTANT_VERBS), isTheirs ? undefined : 'bad_signature', verb)
    }
    const forged = Buffer.concat([Buffer.from(`${'0'.repeat(64)}.`), payload])
    const read = readCommand('pause', forged, false, { ...rules, unsigned: HOME_ASSISTANT_VERBS })
    assert.ok(
      'code' in read && read.code === 'bad_signature',
      'a wrong signature is worse than none',
    )
  })

  it('opens a device again, and releases everything', async () => {
    const { methods, desk } = testHome()
    await methods.call('quarantine', { device: CAMERA, level: 'open' }, BY_MQTT)
    await methods.call('release', { all: true }, BY_MQTT)
    await assert.rejects(
      methods.call('release', { all: true, device: CAMERA, everyone: true }, BY_MQTT),
    )
    await assert.rejects(methods.call('release', {}, BY_MQTT))
    const lifted = JSON.stringify(desk.calls)
    assert.match(lifted, /"action":"quarantine","subject":\{"device_id":"020de0000001"\}/)
    assert.match(lifted, /\{"action":"quarantine"\}/)
  })

  it('sets how long a pause lasts within a day', async () => {
    const { methods } = testHome()
    const set = (minutes: number): Promise<unknown> =>
      methods.call('pause-minutes', { device: CAMERA, minutes }, BY_MQTT)
    assert.deepEqual(await set(45), { device_id: CAMERA, minutes: 45 })
    for (const wrong of [0, 1441, 1.5, Number.NaN]) await assert.rejects(set(wrong))
  })
})
