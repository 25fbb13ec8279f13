import assert from 'node:assert/strict'
import { nativeLayout } from '../../native/index.ts'
import * as layout from '../../native/layout.ts'

describe('native layout', () => {
  const native = nativeLayout()

  it('has the same offsets in layout.ts as in C++', () => {
    const { BYTES: flowBytes, ...flow } = native.FLOW ?? {}
    assert.deepEqual(flow, layout.FLOW)
    assert.equal(flowBytes, layout.FLOW_RECORD_BYTES)
    const { BYTES: nameBytes, ...name } = native.NAME ?? {}
    assert.deepEqual(name, layout.NAME)
    assert.equal(nameBytes, layout.NAME_HEAD_BYTES)
  })

  it('has the same parts of a dns record', () => {
    const { BYTES: dnsBytes, ...dns } = native.DNS ?? {}
    assert.deepEqual({ ...dns, HEAD_BYTES: dnsBytes }, layout.DNS)
    const { BYTES: answerBytes, ...answer } = native.DNS_ANSWER ?? {}
    assert.deepEqual({ ...answer, HEAD_BYTES: answerBytes }, layout.DNS_ANSWER)
  })

  it('has the same connections and verdicts', () => {
    const { BYTES: connectionBytes, ...connection } = native.CONNECTION ?? {}
    assert.deepEqual(connection, layout.CONNECTION)
    assert.equal(connectionBytes, layout.CONNECTION_BYTES)
    const { BYTES: verdictBytes, ...verdict } = native.VERDICT ?? {}
    assert.deepEqual(verdict, layout.VERDICT)
    assert.equal(verdictBytes, layout.VERDICT_BYTES)
  })
})
