import assert from 'node:assert/strict'
import type { ElementChange } from '../../../agent/enforce/kernel/kernel.ts'
import { inSteps } from '../../../agent/enforce/reconcile/reconciler-diff.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'

const CAMERA = '02:0d:e0:00:00:01'
const LAMP = '02:0d:e0:00:00:02'

function change(
  what: 'add' | 'delete',
  name: string,
  key: string,
  interval = false,
): ElementChange {
  const fixed = { timeout: false, counter: false, dynamic: false }
  const set: SetSpec = { family: 'inet', table: 't', name, key: 'ether_addr', interval, ...fixed }
  return { do: what, set, key }
}

describe('changes of elements', () => {
  it('are in one transaction where each of them only comes or only goes', () => {
    const changes = [change('delete', 'full', LAMP), change('add', 'full', CAMERA)]
    assert.deepEqual(inSteps(changes), [changes])
    assert.deepEqual(inSteps([]), [[]])
  })

  it('are in two where one goes to another set: there first, with everything else behind it', () => {
    const goes = change('delete', 'local_only', CAMERA)
    const comes = change('add', 'full', CAMERA)
    const other = change('add', 'full', LAMP)
    assert.deepEqual(inSteps([goes, comes, other]), [[comes], [goes, other]])
  })

  it('never put a prefix in before one that it overlaps with has gone', () => {
    const changes = [
      change('delete', 'net', '203.0.113.0/24', true),
      change('add', 'other', '203.0.113.0/24', true),
    ]
    assert.deepEqual(inSteps(changes), [changes])
  })
})
