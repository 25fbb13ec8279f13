import assert from 'node:assert/strict'
import { limitsThatAllow } from '../../../agent/methods/expected.ts'
import type { Incident } from '../../../protocol/act.ts'

const OPEN: Incident = {
  type: 'incident',
  id: 'r-i1',
  device_id: '020de0000001',
  ips: [],
  kind: 'connection_rate',
  severity: 'medium',
  state: 'open',
  opened_ms: 1,
  last_ms: 1,
  sentence: 's',
  params: {},
  evidence: [
    { what: 'connections', observed: 400, threshold: 150, weight: 1, flow_ids: [] },
    { what: 'remotes', observed: 3, threshold: 100, weight: 0.03, flow_ids: [] },
  ],
}

describe('allow always', () => {
  it('gives a device room for what it did, and no less than it had', () => {
    const limits = limitsThatAllow(OPEN, undefined)
    assert.deepEqual(limits, { device: '020de0000001', connections: 800, remotes: 100 })
  })

  it('leaves its other limits as they are', () => {
    const before = { device: '020de0000001', connections: 150, policy: 'quarantine' as const }
    const limits = limitsThatAllow(OPEN, before)
    assert.equal(limits.policy, 'quarantine')
    assert.equal(limits.connections, 800)
  })

  it('is refused where no limit is behind an incident', () => {
    assert.throws(() => limitsThatAllow({ ...OPEN, kind: 'beacon' }, undefined), /without always/)
  })
})
