import assert from 'node:assert/strict'
import { bytes, deviceTable, flowLine, plain, table } from '../../../agent/cli/text.ts'
import type { Device, Flow } from '../../../protocol/messages.ts'

describe('numbers for people', () => {
  const cases: [count: number, text: string][] = [
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1049, '1.0 kB'],
    [9949, '9.9 kB'],
    [9999, '10 kB'],
    [12_345, '12 kB'],
    [999_499, '999 kB'],
    [999_999, '1.0 MB'],
    [1_000_000, '1.0 MB'],
    [999_999_999, '1.0 GB'],
    [5e12, '5.0 TB'],
    [5e15, '5.0 PB'],
    [5e18, '5000 PB'],
  ]
  for (const [count, text] of cases)
    it(`${count} is ${text}`, () => assert.equal(bytes(count), text))
})

describe('text from the network', () => {
  const cases: [what: string, given: string, shown: string][] = [
    ['as it is', 'Küche 🍳', 'Küche 🍳'],
    ['without colours', '\u001b[31mred\u001b[0m', '[31mred[0m'],
    ['without new lines', 'a\nb\r\u2028c\u2029d\u0085', 'abcd'],
    ['without directions', 'a\u202eb\u2066c\u200f', 'abc'],
    ['not longer than fits', 'x'.repeat(70), `${'x'.repeat(62)}…`],
    ['not cut inside a character', `${'x'.repeat(61)}🍳🍳`, `${'x'.repeat(61)}…`],
  ]
  for (const [what, given, shown] of cases)
    it(`is shown ${what}`, () => assert.equal(plain(given), shown))
})

describe('tables', () => {
  it('have numbers to the right', () => {
    assert.equal(
      table(
        ['NAME', 'SENT'],
        [
          ['a', '1.0 kB'],
          ['long name', '10 MB'],
        ],
      ),
      'NAME         SENT\na          1.0 kB\nlong name   10 MB',
    )
    assert.equal(table(['A', 'B'], []), 'A  B')
  })

  it('of devices show those with most bytes first, and what is made up', () => {
    const device = (id: string, sent: number, more: Partial<Device>): Device => ({
      type: 'device',
      id,
      ips: [],
      name: id,
      name_source: 'address',
      random_mac: false,
      present: true,
      sent_bytes: sent,
      received_bytes: 0,
      sent_packets: 0,
      received_packets: 0,
      first_seen_ms: 0,
      last_seen_ms: 0,
      ...more,
    })
    const lines = deviceTable([
      device('020000000001', 5, { ips: ['2001:db8::1', '192.0.2.1'], name: '\u001b[2Jevil' }),
      device('020000000002', 5000, { ips: ['2001:db8::2'], random_mac: true }),
    ]).split('\n')
    assert.match(lines[1] as string, /^020000000002 \* +020000000002 +2001:db8::2 +5\.0 kB +0 B$/)
    assert.match(lines[2] as string, /^\[2Jevil +020000000001 +192\.0\.2\.1 +5 B +0 B$/)
  })

  it('of flows are lines that say who, whom and how much', () => {
    const flow: Flow = {
      type: 'flow',
      id: 'r-1',
      device_id: '020000000001',
      direction: 'outbound',
      protocol: 'tcp',
      originator: { ip: '192.0.2.1', port: 50000 },
      responder: { ip: '203.0.113.9', port: 443 },
      remote_name: 'www.example.com',
      service: 'https',
      sent_bytes: 1000,
      received_bytes: 2000,
      sent_packets: 1,
      received_packets: 2,
      first_ms: 0,
      last_ms: 0,
      state: 'active',
    }
    assert.match(
      flowLine(flow),
      /^\d\d:\d\d:\d\d active 192\.0\.2\.1 → www\.example\.com:443 https {2}↑1\.0 kB ↓2\.0 kB$/,
    )
    const { remote_name: _, service: __, ...bare } = flow
    assert.match(
      flowLine({ ...bare, direction: 'inbound' }),
      /203\.0\.113\.9 ← 192\.0\.2\.1:50000 tcp/,
    )
  })
})
