import assert from 'node:assert/strict'
import { z } from 'zod'
import { findDevice, quoted } from '../../../agent/methods/devices.ts'
import { durationText, secondsOf } from '../../../agent/methods/duration.ts'
import { domainOf, endpointOf } from '../../../agent/methods/match.ts'
import type { Caller, MethodErrorCode } from '../../../agent/methods/registry.ts'
import { MethodError } from '../../../agent/methods/registry.ts'
import { PolicyError } from '../../../agent/policy/contract.ts'
import { SAFE_VERBS } from '../../../protocol/commands.ts'
import type { Home } from './home.ts'
import { CAMERA, EXAMPLES, TELEVISION, testHome, testInventory } from './home.ts'

const ADMIN: Caller = { role: 'admin', via: 'socket' }

function fails(work: () => unknown, code: MethodErrorCode, says: RegExp): Promise<void> {
  return assert.rejects(
    async () => await work(),
    (error: Error) => {
      assert.ok(error instanceof MethodError, error.stack)
      assert.equal(error.code, code, error.message)
      assert.match(error.message, says)
      assert.match(error.message, /^[\x20-\x7e…\ufffd]*$/, 'nothing that a terminal would obey')
      assert.ok(error.message.length < 1000)
      return true
    },
  )
}

describe('which device is meant', () => {
  const devices = testInventory()
  const found: [text: string, id: string][] = [
    [CAMERA, CAMERA],
    ['02:0d:e0:00:00:01', CAMERA],
    ['02:0D:E0:00:00:01', CAMERA],
    ['02-0d-e0-00-00-01', CAMERA],
    ['020d.e000.0001', CAMERA],
    ['020DE0000001', CAMERA],
    [' 192.0.2.11 ', CAMERA],
    ['::ffff:192.0.2.11', CAMERA],
    ['2001:db8::12', TELEVISION],
    ['2001:DB8:0:0:0::12', TELEVISION],
    ['[2001:db8::12]', TELEVISION],
    ['camera', CAMERA],
    ['CAMERA', CAMERA],
    ['Te\u0301le\u0301vision', TELEVISION],
  ]
  for (const [text, id] of found) {
    it(`${JSON.stringify(text)} is ${id}`, () => assert.equal(findDevice(text, devices).id, id))
  }

  const none: [text: string, code: MethodErrorCode, says: RegExp][] = [
    ['tablet', 'conflict', /2 devices are called "tablet": .*020de0000003 .*020de0000004/],
    ['tab', 'not_found', /no device "tab".*such as 020de0000003 \("tablet"\), 020de0000004/],
    ['evil', 'not_found', /020de0000005 \("<b>\\u\{202e\}evil\\u0007<\/b>"\)/],
    ['192.0.2.99', 'not_found', /no device "192\.0\.2\.99"/],
    ['02:0d:e0:00:00:99', 'not_found', /no device/],
    ['fe80::1%eth0', 'not_found', /no device/],
    ['__proto__', 'not_found', /no device/],
    [`\u001b[2J${'x'.repeat(200)}`, 'not_found', /no device "\\u001b\[2Jx+…"/],
    ['', 'not_found', /no device ""/],
  ]
  for (const [text, code, says] of none) {
    it(`${JSON.stringify(text).slice(0, 40)} is none`, () =>
      fails(() => findDevice(text, devices), code, says))
  }

  it('quotes what is cut between the halves of a character', () => {
    assert.equal(quoted('\u{1f600}'), '"\\u{1f600}"')
    assert.equal(quoted('a\ud800'), '"a\\ud800"')
  })
})

describe('how long', () => {
  it('reads seconds and units', () => {
    const cases: [string, number | undefined][] = [
      ['90', 90],
      ['30s', 30],
      ['30m', 1800],
      ['2h', 7200],
      ['1d', 86_400],
      ['1w', 604_800],
      ['1h30m', 5400],
      ['1.5h', undefined],
      ['-1', undefined],
      ['1y', undefined],
      ['', undefined],
      ['m', undefined],
      ['1 h', undefined],
      ['9999999999', undefined],
      ['1m'.repeat(20), undefined],
    ]
    for (const [text, seconds] of cases) assert.equal(secondsOf(text), seconds, text)
  })
  it('writes the two largest units', () => {
    assert.equal(durationText(1800), '30 min')
    assert.equal(durationText(90_061), '1 d 1 h')
    assert.equal(durationText(0), '0 s')
  })
})

describe('the other side', () => {
  it('is an address or a prefix in one form', () => {
    const cases: [string, string | undefined][] = [
      ['203.0.113.9', '203.0.113.9'],
      ['203.0.113.9/32', '203.0.113.9'],
      ['203.0.113.9/24', '203.0.113.0/24'],
      ['203.0.113.255/25', '203.0.113.128/25'],
      ['2001:DB8::0:1/128', '2001:db8::1'],
      ['2001:db8:ffff::1/33', '2001:db8:8000::/33'],
      ['::ffff:203.0.113.9', '203.0.113.9'],
      ['::ffff:203.0.113.9/120', '203.0.113.0/24'],
      ['::ffff:203.0.113.9/90', undefined],
      ['0.0.0.0/0', '0.0.0.0/0'],
      ['203.0.113', undefined],
      ['203.0.113.9/33', undefined],
      ['0203.0.113.9', undefined],
      ['fe80::1%eth0', undefined],
      ['example.com', undefined],
    ]
    for (const [text, endpoint] of cases) assert.equal(endpointOf(text), endpoint, text)
  })
  it('is a name as A-labels', () => {
    const cases: [string, string | undefined][] = [
      ['Example.COM.', 'example.com'],
      ['*.ads.example', 'ads.example'],
      ['Bücher.example', 'xn--bcher-kva.example'],
      ['_dns.resolver.arpa', '_dns.resolver.arpa'],
      ['ex ample.com', undefined],
      ['192.0.2.1', undefined],
      ['0x7f.1', undefined],
      ['a..b', undefined],
      ['-a.example', undefined],
      ['http://example.com', undefined],
      ['user@example.com', undefined],
      ['%65xample.com', undefined],
      ['', undefined],
      ['*.', undefined],
      [`${'a'.repeat(64)}.example`, undefined],
      [`${'a.'.repeat(130)}example`, undefined],
    ]
    for (const [text, domain] of cases) assert.equal(domainOf(text), domain, text)
  })
})

describe('orders', () => {
  let home: Home
  beforeEach(() => {
    home = testHome()
  })
  const call = (name: string, args: unknown, caller = ADMIN): Promise<unknown> =>
    home.methods.call(name, args, caller)

  it('reach policy as they are meant', async () => {
    const term = (): unknown => home.desk.calls.at(-1)?.order
    await call('block', { device: 'camera', domain: '*.Ads.Example', for: '2h' })
    assert.deepEqual(term(), {
      action: 'block',
      subject: { device_id: CAMERA },
      match: { domain: 'ads.example' },
      term: { forS: 7200 },
    })
    await call('allow', { group: 'kids', protocol: 6, port: '8000-8010', probation: 3600 })
    assert.deepEqual(term(), {
      action: 'allow',
      subject: { group_id: 'kids' },
      match: { protocol: 'tcp', port: 8000, port_to: 8010 },
      term: { probationS: 3600 },
    })
    await call('quarantine', {
      new_devices: true,
      level: 'internet_only',
      schedule: { windows: [{ days: [7, 1], from: '22:00', to: '07:00' }] },
      confirm: 30,
    })
    assert.deepEqual(term(), {
      action: 'quarantine',
      subject: { new_devices: true },
      level: 'internet_only',
      term: {
        confirmS: 30,
        schedule: {
          time_zone: 'Europe/Amsterdam',
          windows: [{ days: [1, 7], from: '22:00', to: '07:00' }],
        },
      },
    })
    await call('pause', { device: CAMERA })
    assert.deepEqual(term(), {
      action: 'quarantine',
      subject: { device_id: CAMERA },
      level: 'local_only',
      term: { forS: 1800 },
    })
    await call('restrict', { everyone: true, restriction: 'no_encrypted_dns' })
    assert.deepEqual(term(), {
      action: 'restrict',
      subject: { everyone: true },
      restriction: 'no_encrypted_dns',
      term: {},
    })
  })

  it('tell who asks, why, and from where', async () => {
    const by = (): unknown => home.desk.calls.at(-1)?.by
    await call('pause', { device: CAMERA, reason: 'homework\ud800\0' })
    assert.deepEqual(by(), { actor: { kind: 'person', via: 'socket' }, reason: 'homework\ufffd' })
    const from: Caller = { role: 'admin', via: 'http', address: '192.0.2.77' }
    await call('pause', { device: CAMERA, by: { kind: 'flow', name: 'night' } }, from)
    assert.deepEqual(by(), {
      actor: { kind: 'flow', name: 'night', via: 'http' },
      asker: '192.0.2.77',
      reason: '',
    })
    await call('pause', { device: CAMERA }, { role: 'admin', via: 'mqtt' })
    assert.deepEqual(by(), { actor: { kind: 'automation', via: 'mqtt' }, reason: '' })
  })

  it('are taken away by subject, by match or by id, each by its own way back', async () => {
    const one = (await call('block', { device: CAMERA, domain: 'a.example' })) as Ordered
    await call('block', { device: CAMERA, domain: 'b.example' })
    const shut = (await call('quarantine', { device: CAMERA })) as Ordered
    await call('unblock', { device: CAMERA, domain: 'b.example' })
    assert.equal(home.desk.rules().length, 2)
    const quarantine = shut.rules[0]?.id as string
    await fails(() => call('unblock', { rule: quarantine }), 'conflict', /taken away by release/)
    await fails(() => call('release', { rule: 'r99' }), 'not_found', /no rule r99/)
    await call('unblock', { rule: one.rules[0]?.id })
    await call('release', { device: CAMERA })
    assert.deepEqual(home.desk.rules(), [])
    assert.deepEqual(await call('release', { device: CAMERA }), { rules: [], policies: {} })
  })

  const bad: [name: string, args: unknown, says: RegExp][] = [
    ['block', {}, /exactly one of device, group/],
    ['block', { device: CAMERA, group: 'kids' }, /exactly one/],
    ['block', { device: CAMERA, everyone: false }, /everyone/],
    ['block', { device: CAMERA, endpoint: '1', domain: 'x' }, /endpoint: expected an address/],
    ['block', { device: CAMERA, endpoint: '192.0.2.1', domain: 'a.example' }, /not both/],
    ['block', { device: CAMERA, port: 80 }, /needs protocol/],
    ['block', { device: CAMERA, protocol: 'icmp', port: 80 }, /needs protocol/],
    ['block', { device: CAMERA, protocol: 'tcp', port: '90-80' }, /ports from 1/],
    ['block', { device: CAMERA, protocol: 'tcp', port: 0 }, /port/],
    ['block', { device: CAMERA, protocol: '256' }, /protocol/],
    ['block', { device: CAMERA, for: 0 }, /for: expected a duration/],
    ['block', { device: CAMERA, for: '400d' }, /for: expected a duration/],
    ['block', { device: CAMERA, for: Number.POSITIVE_INFINITY }, /for/],
    ['block', { device: CAMERA, for: 60, schedule: { windows: [span()] } }, /not both/],
    ['block', { device: CAMERA, reason: 'x'.repeat(201) }, /reason/],
    ['block', { device: CAMERA, by: { kind: 'detector' } }, /by\.kind/],
    ['block', { device: CAMERA, by: { kind: 'person', via: 'x' } }, /by/],
    ['block', { device: CAMERA, colour: 'red' }, /colour/],
    ['block', { device: CAMERA, '\u001b[2J\u202e': 1 }, /"\ufffd\[2J\ufffd"/],
    ['block', JSON.parse(`{"device":"${CAMERA}","__proto__":{"everyone":true}}`), /__proto__/],
    ['quarantine', { device: CAMERA, level: 'total' }, /level/],
    ['quarantine', { device: CAMERA, confirm: 1 }, /confirm/],
    ['quarantine', { device: CAMERA, schedule: { windows: [] } }, /windows/],
    [
      'quarantine',
      { device: CAMERA, schedule: { time_zone: '+02:00', windows: [span()] } },
      /time zone/,
    ],
    ['quarantine', { device: CAMERA, schedule: { windows: [span({ days: [1, 1] })] } }, /once/],
    ['quarantine', { device: CAMERA, schedule: { windows: [span({ from: '24:00' })] } }, /HH:MM/],
    ['unblock', {}, /exactly one of rule/],
    ['undo', { seq: 1, to_ms: 1 }, /not both/],
    ['group-set', { group: 'Kids' }, /id of a group/],
    ['device-rename', { device: CAMERA, name: 'x'.repeat(64) }, /name/],
    ['verdict', { connection: 'c-1', verdict: 'maybe' }, /verdict/],
    ['resolve-incident', { incident: '../x' }, /incident/],
  ]
  for (const [name, args, says] of bad) {
    it(`not ${name} ${JSON.stringify(args).slice(0, 80)}`, async () => {
      await fails(() => call(name, args), 'invalid_arguments', says)
      assert.deepEqual(home.desk.calls, [])
    })
  }

  it('hand on why policy refuses', async () => {
    for (const code of ['refused', 'not_found', 'conflict', 'unavailable'] as const) {
      home.desk.fault = new PolicyError(code, 'because')
      await fails(() => call('block', { device: CAMERA }), code, /because/)
    }
  })

  it('about devices, groups, verdicts and incidents', async () => {
    await call('device-rename', { device: CAMERA, name: ' front door ' })
    assert.equal(home.inventory.get(CAMERA)?.name, 'front door')
    await call('block', { device: CAMERA })
    await fails(() => call('device-forget', { device: CAMERA }), 'conflict', /rule r1 is about/)
    await call('device-forget', { device: TELEVISION })
    assert.deepEqual(home.forgotten, [TELEVISION])
    await call('group-set', {
      group: 'kids',
      name: 'Kids',
      devices: ['192.0.2.13', '020de0000003'],
    })
    assert.deepEqual(home.desk.groups(), [
      { id: 'kids', name: 'Kids', device_ids: ['020de0000003'] },
    ])
    await call('group-set', { group: 'kids', name: 'Children' })
    assert.deepEqual(home.desk.groups()[0]?.device_ids, ['020de0000003'])
    await call('verdict', { connection: 'c-1', verdict: 'drop', remember: '1h' })
    assert.deepEqual(home.verdicts, [['c-1', 'drop', 3600]])
    await fails(() => call('verdict', { connection: 'c-2', verdict: 'drop' }), 'not_found', /waits/)
    assert.equal(
      ((await call('resolve-incident', { incident: 'i-1' })) as { state: string }).state,
      'closed',
    )
    await fails(
      () => call('resolve-incident', { incident: 'i-1' }),
      'not_found',
      /no open incident/,
    )
  })

  it('are never taken from who may only look; reads are', async () => {
    const viewer: Caller = { role: 'view', via: 'http' }
    for (const method of home.methods.list()) {
      assert.ok(method.role === 'view' || method.role === 'admin', `${method.name} has no role`)
      assert.equal(method.role === 'view', method.name.startsWith('get-'), method.name)
      const args = EXAMPLES[method.name] ?? {}
      if (method.role === 'view') await call(method.name, args, viewer)
      else await fails(() => call(method.name, args, viewer), 'forbidden', /role admin/)
    }
    assert.deepEqual(home.desk.calls, [])
  })

  it('are safe by MQTT as the contract says, and leave the envelope its keys', () => {
    const methods = home.methods.list()
    assert.deepEqual(
      methods
        .filter(({ role, safe }) => safe && role === 'admin')
        .map(({ name }) => name)
        .sort(),
      [...SAFE_VERBS].sort(),
    )
    for (const { name, role, safe, schema, description } of methods) {
      if (role === 'view') assert.ok(safe, name)
      assert.ok(schema instanceof z.ZodObject, name)
      for (const key of ['id', 'issued_ms', 'ttl_ms']) assert.ok(!(key in schema.shape), name)
      assert.match(description, /^[a-z].*[^.]$/, name)
      assert.equal(z.toJSONSchema(schema, { io: 'input' }).additionalProperties, false, name)
    }
  })
})

type Ordered = { rules: { id: string }[] }

function span(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { days: [1], from: '08:00', to: '09:00', ...more }
}
