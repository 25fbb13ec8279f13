// How long packets go on after a switch was turned in Home Assistant, by the clock of those who send and get them: no test's
// pace is part of it.
import assert from 'node:assert/strict'
import type { Probe } from '../lab/probing.ts'
import { percentile } from '../lab/probing.ts'
import { sleep, until } from '../lab/process.ts'
import type { HaHome } from './ha-home.ts'

/** What is allowed from the click to the last packet, in ms. */
const LIMIT_MS = 1000

/**
 * Turns a device's internet off and on again so many times, while it sends a thousand datagrams a second to `sink`. Half of
 * the times, at least, it has to be within the limit: a machine that does other work is late now and then.
 */
export async function stopTimes(
  ha: HaHome,
  sink: Probe,
  device: string,
  times: number,
): Promise<void> {
  const internet = await ha.entity('internet', device)
  await ha.untilShown('internet', 'on', device)
  const stops: number[] = []
  const shows: number[] = []
  for (let i = 0; i < times; i++) {
    await sink.read()
    const asked = Date.now()
    await ha.core.act('switch', 'turn_off', internet)
    const { last_changed } = await ha.untilShown('internet', 'off', device)
    shows.push(Date.parse(last_changed) - asked)
    await sleep(100)
    // When the last one that came was sent.
    const last = (await sink.read()).times.reduce((a, b) => Math.max(a, b), asked)
    stops.push(last - asked)
    await sleep(300)
    assert.equal((await sink.read()).times.length, 0, 'packets after the switch')
    await ha.core.act('switch', 'turn_on', internet)
    await ha.untilShown('internet', 'on', device)
    const isBack = async (): Promise<true | undefined> =>
      (await sink.read()).times.length > 0 ? true : undefined
    await until('packets again', isBack)
  }
  const text = (all: readonly number[]): string => all.map(Math.round).join(', ')
  console.log(
    `      packets stopped after ${text(stops)} ms, the state showed after ${text(shows)} ms`,
  )
  for (const all of [stops, shows]) {
    const median = percentile(all, 0.5)
    assert.ok(median < LIMIT_MS, `${median} ms, at most ${LIMIT_MS}`)
  }
}
