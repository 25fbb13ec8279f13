// Which levels of quarantine can be held where a box stands: a level that closes the way between devices needs that way to come
// by here.
import type { Level } from '../../../protocol/policy.ts'
import { hasBridge } from '../tables/ruleset-sets.ts'
import type { Place } from './place.ts'
import { shortcutSentences } from './port-facts.ts'

interface Levels {
  values: readonly Level[]
  /** In a sentence or two why these, and what of them is not so. */
  reason: string
}

const EVERY: readonly Level[] = ['observe', 'internet_only', 'local_only', 'full']

function bridged({ position, ports, shortcuts }: Place): Levels {
  const said = shortcuts === undefined ? [] : shortcutSentences(shortcuts)
  if (shortcuts?.areAll !== true) {
    const devices =
      'Devices reach each other through ports of this box; those behind one port do so without it.'
    return { values: EVERY, reason: [devices, ...said].join(' ') }
  }
  if (position === 'bridge') {
    const nothing = `Nothing comes by here: ${ports.join(', ')} are ports of one switch chip, which passes frames by itself.`
    return { values: ['observe'], reason: `${nothing} Bridge interfaces of their own instead.` }
  }
  const needs = 'internet_only needs devices to reach each other through this box.'
  const full = 'With full they still reach each other.'
  return { values: ['observe', 'local_only', 'full'], reason: [needs, ...said, full].join(' ') }
}

/** Pure. */
export function levelsAt(place: Place): Levels {
  if (hasBridge(place)) return bridged(place)
  if (place.interfaces.length > 1) {
    return {
      values: EVERY,
      reason: `Between ${place.interfaces.join(', ')} everything passes this box; devices of one network reach each other without it.`,
    }
  }
  return {
    values: ['observe', 'local_only', 'full'],
    reason:
      'internet_only needs devices to reach each other through this box: they do so without it on this network. With full they still reach each other.',
  }
}
