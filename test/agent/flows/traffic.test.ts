import assert from 'node:assert/strict'
import { protocolName, serviceName } from '../../../agent/flows/services.ts'
import { TrafficSums } from '../../../agent/flows/traffic.ts'

describe('sums of traffic', () => {
  it('are per device and remote, until taken', () => {
    const sums = new TrafficSums()
    sums.add('a', 'x.example', 1, 2, 3, 4)
    sums.add('a', 'y.example', 10, 20, 30, 40)
    sums.add('b', 'x.example', 100, 200, 300, 400)
    sums.add('a', 'x.example', 1, 2, 3, 4)
    const line = (device: string, remote: string, n: number): unknown => ({
      device_id: device,
      remote,
      sent_bytes: n,
      received_bytes: 2 * n,
      sent_packets: 3 * n,
      received_packets: 4 * n,
    })
    assert.deepEqual(sums.take(), [
      line('a', 'x.example', 2),
      line('a', 'y.example', 10),
      line('b', 'x.example', 100),
    ])
    assert.deepEqual(sums.take(), [])
  })

  it('of a device with too many remotes go together, and none is lost', () => {
    const sums = new TrafficSums()
    for (let i = 0; i < 10_000; i++) sums.add('scanner', `203.0.113.${i}`, 1, 2, 1, 1)
    sums.add('scanner', '203.0.113.0', 1, 2, 1, 1)
    sums.add('b', 'x.example', 5, 5, 5, 5)
    const all = sums.take()
    const scanner = all.filter((t) => t.device_id === 'scanner')
    assert.equal(scanner.length, 4097)
    assert.equal(scanner.find((t) => t.remote === '')?.sent_bytes, 10_000 - 4096)
    assert.equal(scanner.find((t) => t.remote === '203.0.113.0')?.sent_bytes, 2)
    assert.equal(
      scanner.reduce((sum, t) => sum + t.sent_bytes, 0),
      10_001,
    )
    assert.equal(all.filter((t) => t.device_id === 'b').length, 1)
  })

  it('of very many pairs can be taken', () => {
    const sums = new TrafficSums()
    for (let d = 0; d < 60; d++)
      for (let r = 0; r < 4096; r++) sums.add(`d${d}`, String(r), 1, 1, 1, 1)
    assert.equal(sums.take().length, 60 * 4096)
  })
})

describe('services', () => {
  const cases: [protocol: number, port: number, name: string | undefined][] = [
    [6, 443, 'https'],
    [17, 443, 'quic'],
    [6, 53, 'domain'],
    [17, 53, 'domain'],
    [6, 853, 'domain-s'],
    [17, 853, 'domain-quic'],
    [17, 67, 'bootps'],
    [6, 67, undefined],
    [6, 0, undefined],
    [6, 65535, undefined],
    [1, 80, undefined],
    [132, 80, undefined],
  ]
  for (const [protocol, port, name] of cases) {
    it(`of ${protocolName(protocol)} port ${port}: ${name ?? 'none'}`, () =>
      assert.equal(serviceName(protocol, port), name))
  }
})
