import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ElementChange, KernelError } from '../../../agent/enforce/kernel/kernel.ts'
import { SshLink } from '../../../agent/enforce/kernel/ssh-link.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { createLog } from '../../../agent/log.ts'
import { canMakeNamespaces } from '../../native/namespace.ts'
import { hasSshd, KernelSpace } from './kernel-space.ts'

const SET: SetSpec = {
  family: 'inet',
  table: 't',
  name: 's',
  key: 'ipv4_addr',
  interval: false,
  timeout: false,
  counter: false,
  dynamic: false,
}
const TABLE = 'table inet t {\n set s { type ipv4_addr; size 100000; }\n}\n'

const many = (count: number): ElementChange[] =>
  Array.from({ length: count }, (_, i) => ({
    do: 'add',
    set: SET,
    key: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
  }))

const away = ({ name, code, message }: KernelError): boolean => {
  assert.equal(`${name} ${code}`, 'KernelError AWAY', message)
  assert.match(message, /can't be reached by SSH/)
  return true
}

describe('enforce: a router by SSH', function () {
  this.timeout(120_000)
  let home = new KernelSpace()

  before(function () {
    if (!canMakeNamespaces() || !hasSshd()) this.skip()
  })
  beforeEach(() => {
    home = new KernelSpace()
    home.start()
  })
  afterEach(() => home.stop())

  it('says that it is away, and comes back by itself', async () => {
    const remote = home.prepareSsh()
    await home.ask({ do: 'make', remote })
    await assert.rejects(home.ask({ do: 'start' }), away)
    await home.startSshd()
    await home.until(({ away }) => away === null)
    await home.ask({ do: 'replace', text: TABLE })
    await home.stopSshd()
    const gone = await home.until(({ away }) => away !== null)
    assert.match(gone.away ?? '', /can't be reached by SSH/)
    await assert.rejects(home.ask({ do: 'change', changes: many(1) }), away)
    await assert.rejects(home.ask({ do: 'elements', set: SET }), away)
    await home.startSshd()
    const { aways } = await home.until(({ away }) => away === null)
    assert.deepEqual(
      aways.map((each) => each === null),
      [true, false, true],
    )
    await home.ask({ do: 'change', changes: many(1) })
    assert.match(home.list(home.router), /10\.0\.0\.0/)
    // What others did meanwhile may have been missed: that is said.
    await home.until(({ foreign }) => foreign.some(({ missed }) => missed))
  })

  it('changes 50 000 elements at once, and small ones in milliseconds', async () => {
    const remote = home.prepareSsh()
    await home.startSshd()
    await home.ask({ do: 'make', remote })
    await home.ask({ do: 'start' })
    await home.ask({ do: 'replace', text: TABLE })
    await home.ask({ do: 'change', changes: many(50_000) })
    const changeMs = home.ms
    const elements = await home.ask<object>({ do: 'elements', set: SET })
    const readMs = home.ms
    assert.equal(Object.keys(elements).length, 50_000)
    await home.ask({ do: 'replace', text: `flush ruleset\n${TABLE}` })
    const times: number[] = []
    for (const change of many(40)) {
      await home.ask({ do: 'change', changes: [change] })
      times.push(home.ms)
    }
    times.sort((a, b) => a - b)
    console.log(
      `      50 000 elements: add ${changeMs.toFixed(0)} ms, read ${readMs.toFixed(0)} ms; one: p50 ${times[20]?.toFixed(1)} ms, p95 ${times[38]?.toFixed(1)} ms`,
    )
    assert.ok((times[20] ?? 1000) < 100)
  })

  it('never does half of a change, and leaves nothing on the router when it is killed', async () => {
    const remote = home.prepareSsh()
    await home.startSshd()
    const found = new Set<number>()
    for (const ms of [40, 90, 160, 250]) {
      const other = new KernelSpace()
      home.nft(home.router, `flush ruleset\n${TABLE}`)
      other.startIn(home.agent)
      try {
        await other.ask({ do: 'make', remote })
        await other.ask({ do: 'start' })
        void other.ask({ do: 'change', changes: many(30_000) }).catch(() => {})
        await sleep(ms)
      } finally {
        await other.killAgent()
      }
      // sshd itself, and nothing that was started by it.
      const end = performance.now() + 20_000
      while (home.pids(home.router).length > 1 && performance.now() < end) await sleep(20)
      assert.equal(home.pids(home.router).length, 1)
      const count = (home.list(home.router).match(/\b10\.\d+\.\d+\.\d+/g) ?? []).length
      assert.ok(count === 0 || count === 30_000, `${count} elements`)
      found.add(count)
    }
    assert.ok(found.has(0), 'one of them was killed early enough')
  })

  it('refuses a router whose key is not known, and targets that are none', async () => {
    const remote = home.prepareSsh()
    await home.startSshd()
    await home.ask({ do: 'make', remote: { ...remote, knownHostsFile: '/dev/null' } })
    await assert.rejects(home.ask({ do: 'start' }), away)
    const log = createLog('error')
    for (const host of ['-oProxyCommand=true', 'a b', 'root@-x', '', 'a@b@c', 'host;id', '$(id)']) {
      assert.throws(() => new SshLink({ host }, log), TypeError, host)
    }
    assert.throws(() => new SshLink({ host: 'a', port: 0 }, log), RangeError)
    assert.throws(() => new SshLink({ host: 'a', identityFile: 'a b' }, log), TypeError)
    for (const host of ['router', 'root@192.0.2.1', 'root@2001:db8::1', 'a_b.example']) {
      assert.ok(new SshLink({ host }, log))
    }
  })
})
