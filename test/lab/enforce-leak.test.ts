// Nothing of a quarantined device passes while rules are written anew, while the enforcement dies, stands still or starts,
// and hardly anything when somebody else flushes everything.
import assert from 'node:assert/strict'
import type { Enforcer, LeakProbe } from '../agent/enforce/small-home.ts'
import { DEVICE, quarantined, SmallHome } from '../agent/enforce/small-home.ts'
import { atLeast, below } from '../figure.ts'
import { count } from '../full.ts'
import { requires, run, sleep, until } from './process.ts'

const ROUNDS = count('ENFORCE_ROUNDS', 3, 100)
const STOP_S = count('ENFORCE_STOP_S', 1, 60)
const FLUSH_S = count('ENFORCE_FLUSH_S', 3, 30)
/** Thousands of packets a second. */
const FLOOD = 300
const FULL = quarantined({ level: 'full', ruleId: 'r1' })
const LOCAL = quarantined({ level: 'local_only', ruleId: 'r1' })

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

describe('a quarantined device at 1 000 packets a second', function () {
  this.timeout(60_000 + ROUNDS * 5000 + (STOP_S + FLUSH_S) * 2000)
  const home = new SmallHome()
  let enforcer: Enforcer
  let probe: LeakProbe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'cc')
    await home.start()
    enforcer = await home.enforcer()
    assert.deepEqual((await enforcer.apply(FULL)).failed, new Map())
    probe = await home.probe()
    await sleep(100)
    await probe.count()
  })
  after(async () => {
    await home.stop()
  })

  /** How many came while `work` was done; at least some have to be sent, else it proves nothing. */
  async function leaked(work: () => Promise<void>): Promise<{ sent: number; came: number }> {
    const before = await probe.count()
    await work()
    await sleep(50)
    const now = await probe.count()
    const sent = now.sent - before.sent
    assert.ok(sent > 50, `the probe sent ${sent} packets`)
    return { sent, came: now.came - before.came }
  }

  it('leaks nothing while the rules are written anew', async () => {
    const others = {
      deviceId: '020de0000099',
      mac: '02:0d:e0:00:00:99',
      ips: [],
      restrictions: {},
      matches: [],
    }
    const found = await leaked(async () => {
      for (let i = 0; i < ROUNDS * 4; i++) {
        // From one level to another, and with the whole ruleset replaced as the box's addresses change.
        const some = i % 2 === 0 ? LOCAL : FULL
        await enforcer.apply({
          ...some,
          devices: [...some.devices, ...(i % 3 === 0 ? [others] : [])],
        })
        const verb = i % 2 === 0 ? 'add' : 'del'
        await home.in('box', 'ip', 'addr', verb, '192.0.2.200/32', 'dev', 'up0')
        await sleep(120)
      }
      await enforcer.apply(FULL)
    })
    console.error(`      ${found.came} of ${found.sent} packets over ${ROUNDS * 4} reloads`)
    assert.equal(found.came, 0)
  })

  it('leaks nothing while the rules are written anew under a flood', async () => {
    const flood = await home.flood()
    await until('the flood', async () => ((await home.received()) > 100_000 ? true : undefined))
    const [before, packets, began] = [await probe.count(), await home.received(), Date.now()]
    for (let i = 0; i < ROUNDS; i++) {
      const verb = i % 2 === 0 ? 'add' : 'del'
      await home.in('box', 'ip', 'addr', verb, '192.0.2.201/32', 'dev', 'up0')
      await enforcer.apply(i % 2 === 0 ? LOCAL : FULL)
      await sleep(150)
    }
    await enforcer.apply(FULL)
    const rate = ((await home.received()) - packets) / (Date.now() - began)
    await flood.stop('SIGKILL')
    await sleep(200)
    const came = (await probe.count()).came - before.came
    console.error(`      ${came} packets over ${ROUNDS} reloads`)
    assert.equal(came, 0)
    atLeast('the flood meanwhile', rate, FLOOD, 'k packets/s')
  })

  it('leaks nothing over kill -9 and restart', async () => {
    const found = await leaked(async () => {
      for (let i = 0; i < ROUNDS; i++) {
        await sleep(Math.random() * 200)
        // Killed in the midst of its work, too.
        enforcer.apply(i % 2 === 0 ? LOCAL : FULL).catch(() => {})
        await sleep(Math.random() * 30)
        await enforcer.program.stop('SIGKILL')
        enforcer = await home.enforcer()
        await enforcer.apply(FULL)
      }
    })
    console.error(`      ${found.came} of ${found.sent} packets over ${ROUNDS} kills`)
    assert.equal(found.came, 0)
  })

  it('leaks nothing while the enforcement stands still', async () => {
    const found = await leaked(async () => {
      enforcer.program.signal('SIGSTOP')
      await sleep(STOP_S * 1000)
      enforcer.program.signal('SIGCONT')
      await enforcer.apply(FULL)
    })
    console.error(`      ${found.came} of ${found.sent} packets while it was stopped`)
    assert.equal(found.came, 0)
  })

  it('is shut again in under 300 ms (p95) after somebody flushed everything, and at most 1 s', async () => {
    const windows: number[] = []
    for (let i = 0; i < Math.max(ROUNDS, 5); i++) {
      await probe.count()
      const changes = enforcer.changes.length
      const began = Date.now()
      await home.in('box', 'nft', 'flush', 'ruleset')
      await sleep(1100)
      const { times } = await probe.count()
      assert.ok(!times.some((time) => time - began > 1000), 'packets after a second')
      windows.push(Math.max(0, (times.at(-1) ?? began) - began))
      if (i === 0) {
        const told = enforcer.changes.slice(changes).map(({ kind }) => kind)
        assert.ok(told.includes('tampering'), told.join())
      }
    }
    const [p95, max] = [quantile(windows, 0.95), Math.max(...windows)]
    console.error(
      `      shut after ${quantile(windows, 0.5)} ms (p50), ${p95} ms (p95), ${max} ms (max), ${windows.length} flushes, each with the start of nft in it`,
    )
    assert.ok(max < 1000)
    below('shut p95', p95, 300)
  })

  it('stays sane while somebody flushes every 50 ms, and ends right', async () => {
    const cpu = await enforcer.cpuMs()
    const end = Date.now() + FLUSH_S * 1000
    let flushes = 0
    while (Date.now() < end) {
      await home.in('box', 'nft', 'flush', 'ruleset')
      flushes++
      await sleep(50)
    }
    const share = (await enforcer.cpuMs()) - cpu
    await until('shut again', async () => ((await home.reaches()) ? undefined : true), 3000)
    await sleep(1000)
    const found = await leaked(() => sleep(200))
    assert.equal(found.came, 0)
    const { level } = (await enforcer.actual())[DEVICE.id] ?? {}
    assert.equal(level, 'full')
    const percent = share / (FLUSH_S * 10)
    console.error(
      `      ${flushes} flushes in ${FLUSH_S} s cost ${percent.toFixed(1)} % of a processor`,
    )
    // Of its own time, though a processor that others use too is slower.
    below('of a processor', percent, 40, '%')
    assert.ok(percent < 100, `${percent} % of a processor`)
  })

  it('is held on after a stop that keeps, and free after one that removes', async () => {
    await enforcer.stop('keep')
    assert.equal((await leaked(() => sleep(200))).came, 0)
    enforcer = await home.enforcer()
    await enforcer.apply(FULL)
    await home.nft(
      'table inet other { chain c { type filter hook input priority 10; policy accept; }\n}',
    )
    await enforcer.stop('remove')
    const left = (await run('ip', home.spaces.exec('box', 'nft', 'list', 'tables'))).stdout
    assert.equal(left.trim(), 'table inet other')
    assert.ok((await leaked(() => sleep(200))).came > 0)
  })
})
