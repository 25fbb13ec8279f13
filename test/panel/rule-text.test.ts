import assert from 'node:assert/strict'
import type { FeedEvent } from '../../panel/src/feed.ts'
import { groupId } from '../../panel/src/group-id.ts'
import { createI18n } from '../../panel/src/i18n.ts'
import { evidenceText, incidentText } from '../../panel/src/incident-text.ts'
import {
  closureOf,
  closureText,
  isAbout,
  isAddress,
  leftText,
  lengthText,
  rulesFor,
  termText,
  whatText,
  whomText,
} from '../../panel/src/rule-text.ts'
import { secondsOf } from '../../panel/src/spans.ts'
import { EMPTY, receive } from '../../panel/src/store.ts'
import { deviceOf, incidentOf, policyOf, ruleOf } from './examples.ts'

const en = createI18n('en', 'en-GB')
const nl = createI18n('nl', 'nl-NL')

const events: FeedEvent[] = [
  {
    name: 'devices',
    data: {
      devices: [
        deviceOf('a', { name: 'cam\u202egnp.exe', policy: policyOf() }),
        deviceOf('n', { policy: policyOf({ accepted: false }) }),
      ],
      rates: [],
    },
  },
  {
    name: 'groups',
    data: { groups: [{ id: 'tablets', name: 'Tablets', device_ids: ['a'] }] },
  },
]
const state = events.reduce(receive, EMPTY)

describe('panel: rules in words', () => {
  it('says whom and what', () => {
    assert.equal(whomText({ device_id: 'a' }, state, en), 'camgnp.exe')
    assert.equal(whomText({ device_id: 'gone' }, state, en), 'gone')
    assert.equal(whomText({ group_id: 'tablets' }, state, nl), 'Groep Tablets')
    assert.equal(whomText({ new_devices: true }, state, nl), 'Nieuwe apparaten')
    assert.equal(whatText(ruleOf('r'), en), 'Everything is blocked')
    const match = { domain: 'example.com', protocol: 'tcp', port: 80, port_to: 90 } as const
    assert.equal(whatText(ruleOf('r', { match }), en), 'Blocked: example.com, TCP 80–90')
    assert.equal(
      whatText(ruleOf('r', { action: 'allow', match: { protocol: 47 } }), en),
      'Exception: protocol 47',
    )
  })

  it('says when it ends', () => {
    assert.equal(leftText(3_725_000, 0, en), '1:02:05')
    assert.equal(leftText(59_001, 0, en), '1:00')
    assert.equal(leftText(0, 5000, en), '0:00')
    assert.equal(leftText(2 * 86_400_000 + 61_000, 0, nl), '2 dagen 0:01:01')
    assert.equal(lengthText(1800, en), '30 minutes')
    assert.equal(lengthText(5400, nl), '90 minuten')
    assert.equal(lengthText(90, en), '90 seconds')
    const windows = [
      { days: [1, 7], from: '20:30', to: '07:00' },
      { days: [1, 2, 3, 4, 5, 6, 7], from: '12:00', to: '12:00' },
    ]
    const schedule = { time_zone: 'Europe/Amsterdam', windows }
    assert.equal(
      termText(ruleOf('r', { schedule }), en, 0),
      'Mon Sun 20:30–07:00; every day (Europe/Amsterdam)',
    )
    assert.equal(
      termText(ruleOf('r', { probation_s: 86_400 }), en, 0),
      'until it is quiet for 1 day',
    )
    assert.equal(termText(ruleOf('r'), en, 0), undefined)
  })

  it('lasts until the next midnight where it is until tomorrow', () => {
    const noon = new Date(2026, 5, 15, 12).getTime()
    assert.equal(secondsOf('tomorrow', noon), 12 * 3600)
    assert.equal(secondsOf('half_hour', noon), 1800)
    assert.equal(secondsOf('always', noon), undefined)
  })

  it('says what of a device is closed only where the kernel has it', () => {
    const block = ruleOf('b')
    const policy = policyOf({ rules: ['b'] })
    assert.deepEqual(closureOf(policyOf(), []), { kind: 'open' })
    assert.deepEqual(closureOf(policy, [block]), { kind: 'blocked' })
    assert.deepEqual(closureOf(policy, [{ ...block, state: 'failed' }]), { kind: 'open' })
    assert.deepEqual(closureOf(policyOf({ desired_level: 'full', in_force: false }), []), {
      kind: 'open',
    })
    assert.deepEqual(closureOf(policyOf({ level: 'full', level_until_ms: 9 }), []), {
      kind: 'level',
      level: 'full',
      until_ms: 9,
    })
    const beside = closureOf(policyOf({ level: 'local_only', also_level: 'internet_only' }), [])
    assert.deepEqual(beside, { kind: 'level', level: 'local_only', both: true })
    assert.equal(closureText(beside, en), 'No internet, no home network')
    assert.deepEqual(closureOf(policyOf({ restrictions: ['ask'] }), []), { kind: 'partly' })
    const one = ruleOf('b', { match: { endpoint: '203.0.113.9' } })
    assert.deepEqual(closureOf(policy, [one]), { kind: 'partly' })
    assert.deepEqual(closureOf(policy, [{ ...one, action: 'allow' }]), { kind: 'open' })
  })

  it('does not call a device partly closed for what holds for everyone', () => {
    const wide = ruleOf('b', { subject: { everyone: true }, match: { domain: 'ads.example.net' } })
    const own = ruleOf('o', { match: { domain: 'x.example.net' } })
    const limit = ruleOf('l', {
      action: 'restrict',
      subject: { new_devices: true },
      restriction: 'no_encrypted_dns',
    })
    const closure = closureOf(policyOf({ rules: ['b'] }), [wide])
    assert.deepEqual(closure, { kind: 'wider', blocks: 1, limits: 0 })
    assert.equal(closureText(closure, en), '1 block')
    const held = policyOf({ rules: ['b'], restrictions: ['no_encrypted_dns'] })
    assert.equal(closureText(closureOf(held, [wide, limit]), en), '1 block, 1 limit')
    assert.deepEqual(closureOf(held, [wide]), { kind: 'partly' })
    assert.deepEqual(closureOf(policyOf({ rules: ['b', 'o'] }), [wide, own]), { kind: 'partly' })
  })

  it('finds the rules of a device by itself, its groups, everyone and being new', () => {
    const rules = [
      ruleOf('own'),
      ruleOf('group', { subject: { group_id: 'tablets' } }),
      ruleOf('all', { subject: { everyone: true } }),
      ruleOf('new', { subject: { new_devices: true } }),
      ruleOf('other', { subject: { device_id: 'b' } }),
    ]
    const told = receive(state, { name: 'rules', data: { rules } })
    const ids = (id: string): string[] => rulesFor(id, told).map((rule) => rule.id)
    assert.deepEqual(ids('a'), ['own', 'group', 'all'])
    assert.deepEqual(ids('n'), ['all', 'new'])
  })

  it('tells addresses from names, and subdomains from lookalikes', () => {
    for (const text of ['203.0.113.9', '203.0.113.0/24', '2001:db8::1', '2001:db8::/32', '::1'])
      assert.equal(isAddress(text), true, text)
    for (const text of ['example.com', 'dead.beef.example', 'x/24', '']) {
      assert.equal(isAddress(text), false, text)
    }
    assert.equal(isAbout({ domain: 'example.com' }, 'www.example.com'), true)
    assert.equal(isAbout({ domain: 'example.com' }, 'notexample.com'), false)
    assert.equal(isAbout({ endpoint: '203.0.113.9' }, '203.0.113.9'), true)
    assert.equal(isAbout({}, 'example.com'), false)
  })

  it('makes ids of groups from their names', () => {
    assert.equal(groupId('Kinderen’s Tablets', []), 'kinderen-s-tablets')
    assert.equal(groupId('Küche', ['kuche']), 'kuche-2')
    assert.equal(groupId('客厅', ['group', 'group-2']), 'group-3')
    assert.match(groupId('x'.repeat(500), []), /^[a-z0-9_-]{1,32}$/)
  })
})

describe('panel: incidents in words', () => {
  const params = {
    connections: 240,
    remotes: 1,
    window_s: 60,
    max_connections: 200,
    max_remotes: 99,
  }

  it('are drawn from kind and numbers, in both languages', () => {
    assert.deepEqual(incidentText(incidentOf('i', { params }), 'TV', en), {
      text: 'TV began 240 connections to 1 remote within 1 minute; the limits are 200 and 99.',
      isForeign: false,
    })
    assert.match(
      incidentText(incidentOf('i', { params }), 'TV', nl).text,
      /^TV begon 240 verbindingen naar 1 bestemming binnen 1 minuut/,
    )
  })

  it('of a device that is observed say what it did since then', () => {
    const seen = { level: 'observe', connections: 12, remotes: 5, since_ms: Date.now() }
    const observed = incidentOf('i', { kind: 'anomaly', params: seen })
    const { text, isForeign } = incidentText(observed, 'TV', en)
    assert.match(text, /^TV is watched: since .+ it began 12 connections to 5 remotes\.$/)
    assert.equal(isForeign, false)
  })

  it('fall back to the agent’s sentence, then to the kind', () => {
    const odd = incidentOf('i', { params: { ...params, remotes: '<b>' }, sentence: 'Many\u202e.' })
    assert.deepEqual(incidentText(odd, 'TV', nl), { text: 'Many.', isForeign: true })
    const bare = incidentOf('i', { kind: 'beacon', sentence: '' })
    assert.equal(incidentText(bare, 'TV', en).text, 'TV did something that it should not: beacon.')
    const evidence = { what: 'open_ports', observed: 1, threshold: 1, weight: 1, flow_ids: [] }
    assert.equal(evidenceText(evidence, en), 'open ports')
  })
})
