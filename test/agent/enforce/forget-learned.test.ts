import assert from 'node:assert/strict'
import type { ElementChange, ElementNow } from '../../../agent/enforce/kernel/kernel.ts'
import { forgetLearned, OPEN_SETS } from '../../../agent/enforce/reconcile/forget-learned.ts'
import type { Elements, SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { setId } from '../../../agent/enforce/tables/sets.ts'

const MAC = '02:0d:e0:00:00:01'
const SET: SetSpec = {
  ...{ family: 'inet', table: 'homespin', name: 'resolved4', key: 'ether_addr . ipv4_addr' },
  ...{ interval: false, timeout: true, counter: false, dynamic: true },
}

describe('forgetLearned', () => {
  it('has the gate write again what it learned while that was taken out', async () => {
    const keys = ['203.0.113.1', '203.0.113.2', '203.0.113.3'].map((ip) => `${MAC} . ${ip}`)
    const [kept = '', gone = '', again = ''] = keys
    let known: Elements = new Map([[setId(SET), new Map([[kept, { ruleIds: [] }]])]])
    const taken: ElementChange[] = []
    let restored = 0
    const device = { deviceId: 'd', mac: MAC, ips: [], restrictions: {}, matches: [] }
    const run = (learns: readonly string[]): Promise<void> =>
      forgetLearned(
        {
          ...{ sets: OPEN_SETS, devices: [device], everyone: false, known: () => known },
          restore: () => restored++,
        },
        {
          sets: new Map([[setId(SET), SET]]),
          writeDynamic: async (changes) => {
            taken.push(...changes)
            known = new Map([[setId(SET), new Map(learns.map((key) => [key, { ruleIds: [] }]))]])
          },
        },
        {
          elements: async () =>
            new Map(keys.map((key) => [key, { remainingMs: 1000 } as ElementNow])),
        },
      )
    await run([kept])
    assert.deepEqual([taken.map(({ key }) => key), restored], [[gone, again], 0])
    await run([kept, again])
    assert.equal(restored, 1)
  })
})
