import assert from 'node:assert/strict'
import type { DnsPolicy } from '../../../native/dns-gate.ts'
import { DnsGate } from '../../../native/dns-gate.ts'
import { policy, SETS } from './gate-home.ts'

describe('options of a DNS gate', () => {
  it('are refused with what is wrong', () => {
    assert.throws(
      () => new DnsGate({ queue: 1, sets: [{ ...SETS[0], kind: 'x' } as never] }),
      /'x' is not a kind of set/,
    )
    assert.throws(
      () => new DnsGate({ queue: 1, sets: [{ ...SETS[0], key: 'x' } as never] }),
      /'x' is not a key of a set/,
    )
    assert.throws(() => new DnsGate({ queue: 1, maxLength: 10 }), /maxLength must be from 128/)
    const gate = new DnsGate({ queue: 1 })
    const wrong: [DnsPolicy, RegExp][] = [
      [policy({ block: [['Upper.example']] }), /not a name in lower-case ASCII/],
      [policy({ mac: 'x' }), /'x' is not a MAC/],
      [policy({ ips: ['1.2.3'] }), /must be an IP address/],
      [policy({}, { protect: ['192.0.2.0/33'] }), /'192.0.2.0\/33' is not an address or a prefix/],
      [policy({ canary: 1 as never }), /canary must be true or false/],
    ]
    for (const [what, message] of wrong) assert.throws(() => gate.setPolicy(what), message)
    assert.throws(() => gate.hear([{ names: [], ips: [], ttlS: 1 }]), /1 to 16 names/)
    assert.throws(() => gate.takeMarks(-1, []), /the mark must be from 0/)
    assert.throws(() => gate.takeMarks(1, ['x']), /must be an IP address/)
  })
})
