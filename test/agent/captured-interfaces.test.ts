import assert from 'node:assert/strict'
import { CapturedInterfaces } from '../../agent/captured-interfaces.ts'
import type { InterfaceCounters } from '../../native/index.ts'

/** `eth0` is up, `-eth0` down. */
function interfaces(...names: readonly string[]): InterfaceCounters[] {
  return names.map((name) => ({
    name: name.replace('-', ''),
    up: !name.startsWith('-'),
    packets: 0,
    dropped: 0,
  }))
}

describe('interfaces that should be captured', () => {
  const cases: [what: string, named: string[], batches: string[][], missing: boolean[]][] = [
    [
      'that are up are not missed',
      [],
      [
        ['eth0', 'eth1'],
        ['eth0', 'eth1'],
      ],
      [false, false],
    ],
    [
      'and go are missed until the interval after they come back',
      [],
      [['eth0'], ['-eth0'], ['-eth0'], ['eth0'], ['eth0']],
      [false, true, true, true, false],
    ],
    [
      'by a person’s word are missed from the start',
      ['eth0'],
      [['-eth0'], ['eth0'], ['eth0']],
      [true, true, false],
    ],
    [
      'by the mode’s choice alone are not missed before they were there',
      ['br0'],
      [
        ['br0', '-port1'],
        ['br0', 'port1'],
        ['br0', '-port1'],
      ],
      [false, false, true],
    ],
    [
      'no longer, as the plan changed, are not missed, nor when they are back in it',
      [],
      [['br0', 'port1'], ['br0'], ['br0', '-port1']],
      [false, false, false],
    ],
    ['are none in a file', [], [[], []], [false, false]],
  ]
  for (const [what, named, batches, missing] of cases) {
    it(what, () => {
      const captured = new CapturedInterfaces(named)
      assert.deepEqual(
        batches.map((names) => captured.isMissing(interfaces(...names))),
        missing,
      )
    })
  }
})
