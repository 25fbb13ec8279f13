// A process for the test of power cuts: adds ten bytes an interval as fast as it can, and tells how many in all.
import { setTimeout as sleep } from 'node:timers/promises'
import { History } from '../../../agent/history/history.ts'
import { createLog } from '../../../agent/log.ts'
import { second, traffic } from './store.ts'

const clock = { at: 0, now: () => clock.at }
const history = new History({
  dir: process.argv[2] as string,
  clock,
  log: createLog('info'),
  flushMs: 3_600_000,
})
await history.start()
for (let n = 0; ; n++) {
  clock.at = n * 1000
  history.add(
    second(
      clock.at,
      Array.from({ length: 10 }, (_, row) => traffic(row % 3, `host-${(n + row) % 50}`, 1)),
    ),
  )
  if (n % 40 === 39) await history.flush()
  process.stdout.write(`${(n + 1) * 10}\n`)
  await sleep(1)
}
