import assert from 'node:assert/strict'
import { asDevice, asEvent, asFlowBatch, asInfo, MAX_DEPTH, readJson } from '../../nodes/guard.ts'
import { device, flow } from './agent-double.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('nodes/guard', () => {
  it('reads JSON up to its limits and not beyond', () => {
    assert.deepEqual(readJson(bytes('{"a":[1]}')), { a: [1] })
    assert.doesNotThrow(() => readJson(bytes(nested(MAX_DEPTH))))
    assert.throws(() => readJson(bytes(nested(MAX_DEPTH + 1))), /nests deeper than 16/)
    assert.doesNotThrow(() => readJson(bytes(JSON.stringify('x'.repeat(65534)))))
    assert.throws(() => readJson(bytes(JSON.stringify('x'.repeat(65535)))), /65537 bytes/)
    assert.throws(() => readJson(bytes(nested(32000))), /nests deeper/)
  })

  it('refuses what is not JSON, not UTF-8, or names a prototype', () => {
    assert.throws(() => readJson(bytes('{')), /not JSON/)
    assert.throws(() => readJson(bytes('')), /not JSON/)
    assert.throws(() => readJson(new Uint8Array([0x22, 0xff, 0xfe, 0x22])), /not JSON in UTF-8/)
    assert.throws(() => readJson(bytes('{"a":{"__proto__":{"x":1}}}')), /__proto__/)
    assert.throws(() => readJson(bytes('[{"\\u005f_proto__":1}]')), /__proto__/)
  })

  it('keeps the flows that have their shape and counts the others', () => {
    const batch = {
      type: 'flow_batch',
      seq: 1,
      from_ms: 0,
      to_ms: 1000,
      part: 1,
      parts: 1,
      complete: true,
    }
    const wrong = [
      null,
      7,
      [],
      {},
      { ...flow(), sent_bytes: '1' },
      { ...flow(), sent_bytes: -1 },
      { ...flow(), device_id: '../x' },
      { ...flow(), direction: 'sideways' },
      { ...flow(), originator: { ip: 'nowhere' } },
      { ...flow(), responder: { ip: '192.0.2.1', port: 65536 } },
      { ...flow(), remote_name: 'x'.repeat(1025) },
    ]
    const later = { ...flow({ id: 'r1-2' }), a_later_key: true }
    const checked = asFlowBatch({ ...batch, flows: [flow(), ...wrong, later] })
    assert.deepEqual(checked?.batch.flows, [flow(), later])
    assert.equal(checked?.refused, wrong.length)
    assert.equal(asFlowBatch({ ...batch, flows: {} }), undefined)
    assert.equal(asFlowBatch({ ...batch, seq: null, flows: [] }), undefined)
    assert.equal(asFlowBatch('flow_batch'), undefined)
  })

  it('does not take what an object inherits for what it has', () => {
    const heir = Object.create(device()) as object
    assert.equal(asDevice(heir), undefined)
    assert.equal(asDevice({ ...device(), ips: ['192.0.2.1', 'x'] }), undefined)
    assert.equal(asDevice({ ...device(), ips: Array(65).fill('192.0.2.1') }), undefined)
    assert.deepEqual(asDevice(device()), device())
  })

  it('keeps no more of a device than is known, however it comes', () => {
    const junk = Array.from({ length: 6000 }, (_, n) => `${n}`)
    const policy = { accepted: true, rules: ['r1-1'], restrictions: [], in_force: true }
    const told = { ...device(), junk, policy: { ...policy, junk } }
    assert.deepEqual(asDevice(told), { ...device(), policy })
    const event = { type: 'event', kind: 'device_new', seq: 1, time_ms: 1, sentence: 'It is.' }
    assert.deepEqual(asEvent({ ...event, device: told })?.device, { ...device(), policy })
    const problem = '\u2026'.repeat(4096)
    const large = { ...device(), policy: { ...policy, problem, uncovered: problem } }
    assert.throws(() => asEvent({ ...event, device: large }), /has \d+ bytes, more than the 16384/)
    const many = Array(129).fill('r1-1')
    assert.equal(asDevice({ ...device(), policy: { ...policy, rules: many } }), undefined)
  })

  it('reads an info of another protocol far enough to refuse it', () => {
    const info = { type: 'info', protocol: 2, instance: 'r9', version: '9.0.0', lan: 'other' }
    assert.equal(asInfo(info)?.protocol, 2)
    assert.equal(asInfo({ ...info, protocol: '2' }), undefined)
  })

  it('lets events pass whose kind is not known yet', () => {
    const event = { type: 'event', kind: 'moon_rose', seq: 1, time_ms: 1, sentence: 'It rose.' }
    assert.ok(asEvent(event))
    assert.equal(asEvent({ ...event, device: {} }), undefined)
  })
})
