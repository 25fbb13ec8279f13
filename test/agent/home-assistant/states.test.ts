// What the entities show stays within what Home Assistant's recorder keeps, whatever it is made of, and does not fill it.
import assert from 'node:assert/strict'
import { agentState } from '../../../agent/home-assistant/agent-state.ts'
import type { ShownParts } from '../../../agent/home-assistant/device-shown.ts'
import { DeviceShown } from '../../../agent/home-assistant/device-shown.ts'
import type { OwnTopics } from '../../../agent/home-assistant/own-topics.ts'
import {
  controlState,
  detectionEvent,
  incidentState,
  newDeviceEvent,
  trafficState,
} from '../../../agent/home-assistant/states.ts'
import type { Incident } from '../../../protocol/act.ts'
import { MAX_HISTORY_POINTS, MAX_TOP_REMOTES } from '../../../protocol/home-assistant.ts'
import type { Device } from '../../../protocol/messages.ts'
import { topicsOf } from '../../../protocol/topics.ts'
import { incident } from '../methods/home.ts'
import { device } from '../mqtt/listener.ts'
import { actingInfo, OPEN } from './setting.ts'

/** Of the recorder (homeassistant/components/recorder/const.py, MAX_STATE_ATTRS_BYTES), less what Core adds by itself. */
const MOST_BYTES = 16_384 - 600
/** Takes four bytes a character, and can not be left out. */
const LONG = '𝔸"'.repeat(20_000)

function attributesOf(payload: string): [key: string, bytes: number][] {
  return Object.entries(JSON.parse(payload) as Record<string, unknown>)
    .filter(([key]) => key.endsWith('attributes'))
    .map(([key, value]) => [key, Buffer.byteLength(JSON.stringify(value))])
}

describe('states for Home Assistant', () => {
  const huge: Incident = {
    ...incident('run-i1'),
    sentence: LONG,
    params: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}${LONG}`, LONG])),
    evidence: Array.from({ length: 50 }, () => ({
      what: LONG,
      observed: 1 / 3,
      usual: 1 / 3,
      threshold: 1 / 3,
      weight: 1 / 3,
      flow_ids: [LONG],
    })),
  }
  const named: Device = {
    ...device(1),
    name: LONG,
    vendor: LONG,
    policy: { ...OPEN, level: 'full', level_reason: LONG, problem: LONG, uncovered: LONG },
  }

  it('never have more attributes than its recorder keeps', () => {
    const info = actingInfo()
    const long = { ok: false, reason: LONG }
    const capabilities = { ...info.capabilities, rules: long, commands: long, enforce: long }
    const problems = Array.from({ length: 50 }, () => LONG)
    const facts = { devices: 1, defaultPolicy: 'open', problems }
    const bytes = 2 ** 53 - 1
    const summary = {
      top_remotes: Array.from({ length: MAX_TOP_REMOTES }, () => ({
        name: '𝔸'.repeat(100),
        sent_bytes: bytes,
        received_bytes: bytes,
      })),
      history: Array.from({ length: MAX_HISTORY_POINTS }, () => [bytes, bytes, bytes] as const),
    }
    const payloads = {
      agent: agentState({ ...info, visibility: LONG, capabilities }, facts),
      control: controlState(named, ['open']),
      incident: incidentState([huge], huge),
      traffic: trafficState(named, 'lab', { received: 1, sent: 1 }, summary as never),
    }
    for (const [what, payload] of Object.entries(payloads)) {
      for (const [key, size] of attributesOf(payload)) {
        assert.ok(size < MOST_BYTES, `${what} ${key}: ${size} bytes`)
      }
    }
    for (const event of [detectionEvent(huge), newDeviceEvent(named)])
      assert.ok(Buffer.byteLength(event) < MOST_BYTES)
    // What can be kept is.
    const { anomaly_attributes } = JSON.parse(payloads.incident)
    assert.ok(anomaly_attributes.evidence.length > 3)
    assert.ok(Object.keys(anomaly_attributes.params).length > 3)
    const { problem_attributes } = JSON.parse(payloads.agent)
    assert.ok(problem_attributes.problems.length > 3)
  })

  it('tell that a device goes on misbehaving once a minute, and what is new at once', () => {
    const told: string[] = []
    const own = {
      set: (topic: string, payload: string) => topic.endsWith('/incident') && told.push(payload),
    } as unknown as OwnTopics
    const parts = {
      agent: 'lab',
      topics: topicsOf('lab'),
      own,
      configTopic: 'config',
      payloadOf: () => '',
      options: () => ['open'],
      pauseMinutes: () => 30,
      summaryOf: () => undefined,
    } satisfies ShownParts
    const shown = new DeviceShown(parts, device(1))
    shown.announce(0)
    shown.tell(0)
    told.length = 0
    const begun: Incident = { ...incident('run-i1'), device_id: device(1).id, severity: 'low' }
    const take = (one: Incident): void => {
      shown.incident(one)
      shown.tellIncidents()
    }
    take(begun)
    assert.equal(told.length, 1)
    // As the detector tells it anew, with other figures, and the clock of the agent between.
    for (let atMs = 2000; atMs <= 181_000; atMs += 1000) {
      shown.update({ ...device(1), sent_bytes: atMs })
      if (atMs % 10_000 === 0) take({ ...begun, params: { connections: atMs } })
      shown.tick(atMs)
    }
    assert.equal(told.length, 1 + 3)
    assert.equal(JSON.parse(told.at(-1) ?? '').anomaly_attributes.params.connections, 180_000)
    take({ ...begun, severity: 'high' })
    take({ ...begun, id: 'run-i2', opened_ms: begun.opened_ms + 1 })
    take({ ...begun, severity: 'high', state: 'closed' })
    assert.equal(told.length, 1 + 3 + 3)
  })
})
