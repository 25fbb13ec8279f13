// Runs `isolate` on a real set with room for five, into which seven shall go, and on ranges of which two overlap: prints what
// was refused. For inside a namespace that has the table.

import type { ElementChange } from '../../../agent/enforce/kernel/kernel.ts'
import { isolate } from '../../../agent/enforce/reconcile/reconciler-isolate.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { makeKernel } from './kernels.ts'

const which = process.argv[2] as 'program' | 'local'
const kernel = makeKernel(which, (_, key) => key)
const common = {
  family: 'inet',
  table: 't',
  interval: false,
  timeout: false,
  counter: false,
  dynamic: false,
} as const
const small: SetSpec = { ...common, name: 'small', key: 'ether_addr' }
const ranges: SetSpec = {
  ...common,
  name: 'ranges',
  key: 'ipv4_addr . inet_service',
  interval: true,
}
const changes: ElementChange[] = [
  ...Array.from(
    { length: 7 },
    (_, i): ElementChange => ({ do: 'add', set: small, key: `02:00:00:00:00:0${i}` }),
  ),
  { do: 'add', set: ranges, key: '192.0.2.0/24 . 80' },
  { do: 'add', set: ranges, key: '192.0.2.128/25 . 80' },
  { do: 'add', set: ranges, key: '198.51.100.0/24 . 80' },
]
await kernel.start()
const refused = await isolate(kernel, changes)
await kernel.stop()
const text = [...refused].flatMap(([set, keys]) =>
  [...keys].map(([key, why]) => ({ set, key, why })),
)
process.stdout.write(JSON.stringify(text))
