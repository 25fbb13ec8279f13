import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { NftChange, NftElement, NftFailure, NftSet } from '../../native/nft.ts'
import { canMakeNamespaces } from './namespace.ts'
import { NftSpace, setOf } from './nft-space.ts'

type Elements = Record<string, NftElement>

const PLAIN = setOf('plain', 'ether_addr')
const PAIR = setOf('pair', 'ether_addr . ipv4_addr', { timeout: true })
const RANGES = setOf('ranges', 'ipv4_addr', { interval: true })
const RANGES6 = setOf('ranges6', 'ipv6_addr', { interval: true, timeout: true })
const CROSS = setOf('cross', 'ether_addr . ipv6_addr . inet_proto . inet_service', {
  interval: true,
  timeout: true,
})
const SETS = [PLAIN, PAIR, RANGES, RANGES6, CROSS]
const TABLE = `table inet t {
  set plain { type ether_addr; size 70000; counter; }
  set pair { type ether_addr . ipv4_addr; size 70000; flags timeout; }
  set ranges { type ipv4_addr; flags interval; }
  set ranges6 { type ipv6_addr; flags interval,timeout; }
  set cross { type ether_addr . ipv6_addr . inet_proto . inet_service; flags interval,timeout; }
}`
/** To a socket of its own. */
const THREE_PACKETS = `
  const socket = require('node:dgram').createSocket('udp4')
  let came = 0
  socket.on('message', () => { if (++came === 3) socket.close() })
  socket.bind(0, '127.0.0.1', () => {
    for (let i = 0; i < 3; i++) socket.send(Buffer.alloc(100), socket.address().port, '127.0.0.1')
  })`
const MAC = '02:0d:e0:00:00:01'

describe('native nftables', function () {
  this.timeout(60_000)
  let space = new NftSpace()

  before(function () {
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    space = new NftSpace()
    space.start()
    space.nft(TABLE)
  })
  afterEach(() => space.stop())

  const elements = async (set: NftSet): Promise<Elements> => {
    const answer = await space.ask<{ elements?: Elements; failure?: NftFailure }>({
      do: 'elements',
      set,
    })
    assert.equal(answer.failure, undefined)
    return answer.elements ?? {}
  }
  const keys = async (set: NftSet): Promise<string[]> => Object.keys(await elements(set)).sort()
  const apply = (changes: NftChange[], old = false): Promise<NftFailure | null> =>
    space.ask({ do: 'apply', changes, old })
  const add = (set: NftSet, ...all: string[]): NftChange[] =>
    all.map((key) => ({ do: 'add', set, key }))
  const take = (set: NftSet, ...all: string[]): NftChange[] =>
    all.map((key) => ({ do: 'delete', set, key }))

  /** What `nft list set` prints of each, white space and end of line apart. */
  const listed = (set: NftSet): string =>
    space.run('nft', ['list', 'set', set.family, set.table, set.name]).replaceAll(/\s+/g, ' ')

  for (const old of [false, true]) {
    const how = old ? ', as on a kernel before 6.3' : ''

    it(`adds and takes out elements of every kind of set in one transaction${how}`, async () => {
      const wanted: [NftSet, string[]][] = [
        [PLAIN, [MAC, '02:0d:e0:00:00:02']],
        [PAIR, [`${MAC} . 192.0.2.1`, `${MAC} . 192.0.2.2`]],
        [RANGES, ['192.0.2.0/25', '192.0.2.128-192.0.2.130', '198.51.100.7', '255.255.255.0/24']],
        [RANGES6, ['2001:db8::/32', 'fe80::1', 'ffff::/16']],
        [CROSS, [`${MAC} . 2001:db8::/64 . tcp . 0-1023`, `${MAC} . 2001:db8:1::7 . udp . 53`]],
      ]
      const generation = await space.ask<number>({ do: 'generation' })
      assert.equal(
        await apply(
          wanted.flatMap(([set, all]) => add(set, ...all)),
          old,
        ),
        null,
      )
      assert.equal(await space.ask({ do: 'generation' }), generation + 1)
      for (const [set, all] of wanted) {
        assert.deepEqual(await keys(set), [...all].sort(), set.name)
        for (const key of all) assert.ok(listed(set).includes(key), `${key} in ${listed(set)}`)
      }
      // The same again changes nothing, and is no error.
      assert.equal(
        await apply(
          wanted.flatMap(([set, all]) => add(set, ...all)),
          old,
        ),
        null,
      )
      for (const [set, all] of wanted) assert.deepEqual(await keys(set), [...all].sort())
      assert.equal(
        await apply(
          wanted.flatMap(([set, all]) => take(set, all[0] ?? '')),
          old,
        ),
        null,
      )
      for (const [set, all] of wanted) assert.deepEqual(await keys(set), all.slice(1).sort())
      // What is not there, some of it for the second time.
      assert.equal(
        await apply(
          wanted.flatMap(([set, all]) => take(set, ...all, ...all)),
          old,
        ),
        null,
      )
      for (const set of SETS) assert.deepEqual(await keys(set), [])
    })

    it(`replaces an element's time, and lets it end${how}`, async () => {
      for (const [set, key] of [
        [PAIR, `${MAC} . 192.0.2.1`],
        [RANGES6, '2001:db8::/48'],
        [CROSS, `${MAC} . 2001:db8::1 . tcp . 443`],
      ] as [NftSet, string][]) {
        const left = async (): Promise<number | undefined> =>
          (await elements(set))[key]?.remainingMs
        assert.equal(await apply([{ do: 'add', set, key, timeoutMs: 60_000 }], old), null)
        const first = await left()
        assert.ok(first && first > 55_000 && first <= 60_000, `${set.name}: ${first}`)
        assert.equal(await apply([{ do: 'add', set, key, timeoutMs: 3_600_000 }], old), null)
        const second = await left()
        assert.ok(second && second > 3_590_000, `${set.name}: ${second}`)
        assert.equal(await apply([{ do: 'add', set, key }], old), null)
        assert.deepEqual((await elements(set))[key], { packets: 0, bytes: 0 }, set.name)
        assert.equal(await apply([{ do: 'add', set, key, timeoutMs: 100 }], old), null)
        await new Promise((resolve) => setTimeout(resolve, 200))
        assert.deepEqual(await keys(set), [], set.name)
        // Gone by itself, but perhaps not swept up yet.
        assert.equal(await apply([...take(set, key), ...add(set, key)], old), null)
        assert.deepEqual(await keys(set), [key])
      }
    })

    it(`takes out a range only where it is the same range${how}`, async () => {
      assert.equal(await apply(add(RANGES, '192.0.2.0/24', '198.51.100.0/25'), old), null)
      assert.equal(
        await apply(take(RANGES, '192.0.2.0/25', '192.0.2.7', '198.51.100.0/24'), old),
        null,
      )
      assert.deepEqual(await keys(RANGES), ['192.0.2.0/24', '198.51.100.0/25'])
      const wide = `${MAC} . 2001:db8::/64 . tcp . 0-1023`
      assert.equal(await apply(add(CROSS, wide), old), null)
      const parts = [
        `${MAC} . 2001:db8::/65 . tcp . 0-1023`,
        `${MAC} . 2001:db8::/64 . tcp . 0-9`,
        `${MAC} . 2001:db8::1 . tcp . 7`,
      ]
      assert.equal(await apply(take(CROSS, ...parts), old), null)
      assert.deepEqual(await keys(CROSS), [wide])
      const many = Array.from({ length: 300 }, (_, i) => `${MAC} . 2001:db8:${i}::/49 . udp . 7`)
      assert.equal(await apply(add(CROSS, ...many), old), null)
      assert.equal(await apply(take(CROSS, ...parts, ...many), old), null)
      assert.deepEqual(await keys(CROSS), [wide])
      const failure = await apply(add(RANGES, '203.0.113.1', '192.0.2.0/28'), old)
      assert.ok(failure?.code === 'ENOTEMPTY' || failure?.code === 'EEXIST', failure?.code)
      assert.equal(failure?.index, 1)
      assert.deepEqual(await keys(RANGES), ['192.0.2.0/24', '198.51.100.0/25'])
    })
  }

  it('says which change the kernel refused and why, and has done none of them', async () => {
    space.nft('table inet t {\n set small { type ipv4_addr; size 2; }\n}')
    const small = setOf('small', 'ipv4_addr')
    const full = await apply(add(small, '192.0.2.1', '192.0.2.2', '192.0.2.3'))
    assert.deepEqual(full, {
      code: 'ENFILE',
      index: 2,
      message: 'the set is full; make it larger or take elements out',
    })
    assert.deepEqual(await keys(small), [])
    const gone = await apply([
      ...add(small, '192.0.2.1'),
      ...add(setOf('none', 'ipv4_addr'), '192.0.2.1'),
    ])
    assert.equal(gone?.code, 'ENOENT')
    assert.equal(gone?.index, 1)
    for (const old of [false, true]) {
      for (const [set, key] of [
        [PLAIN, MAC],
        [RANGES, '192.0.2.0/24'],
        [CROSS, `${MAC} . 2001:db8::/64 . tcp . 443`],
      ] as const) {
        const noTable = await apply(take({ ...set, table: 'no' }, key), old)
        assert.equal(noTable?.code, 'ENOENT', set.name)
      }
    }
    const failure = await space.ask<{ failure: NftFailure }>({
      do: 'elements',
      set: setOf('none', 'ipv4_addr'),
    })
    assert.equal(failure.failure.code, 'ENOENT')
    await assert.rejects(
      apply([...add(PLAIN, MAC), ...add(PLAIN, 'x')]),
      /change 1: 'x' is not of type ether_addr/,
    )
    await assert.rejects(apply(add({ ...PLAIN, name: 'a;b' }, MAC)), /must be 1 to 31 of/)
    await assert.rejects(
      apply([{ do: 'add', set: PLAIN, key: MAC, timeoutMs: 1 }]),
      /have no time-out/,
    )
    await assert.rejects(
      apply([{ do: 'add', set: PAIR, key: `${MAC} . 192.0.2.1`, timeoutMs: 0 }]),
      /must be from 1 ms to/,
    )
    assert.deepEqual(await keys(PLAIN), [])
  })

  it('says so where it has not the right to', () => {
    const code = `
      import { Nft } from '${new URL('../../native/nft.ts', import.meta.url).href}'
      const set = { family: 'inet', table: 't', name: 's', key: 'ipv4_addr', interval: false, timeout: false }
      const failure = await new Nft().apply([{ do: 'add', set, key: '192.0.2.1' }])
      process.stdout.write(JSON.stringify(failure))`
    const answer = space.run('setpriv', [
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      process.execPath,
      '--input-type=module',
      '--eval',
      code,
    ])
    assert.equal((JSON.parse(answer) as NftFailure).code, 'EPERM')
  })

  it('counts the packets that matched each element', async () => {
    space.ip('link set lo up')
    space.nft(`table inet t {
      set hits { type ipv4_addr; counter; }
      set spans { type ipv4_addr; flags interval; counter; }
      chain out { type filter hook output priority 0; ip daddr @hits; ip daddr @spans; }
    }`)
    const hits = setOf('hits', 'ipv4_addr')
    const spans = setOf('spans', 'ipv4_addr', { interval: true })
    assert.equal(await apply([...add(hits, '127.0.0.1'), ...add(spans, '127.0.0.0/8')]), null)
    space.run(process.execPath, ['--eval', THREE_PACKETS])
    assert.deepEqual(await elements(hits), { '127.0.0.1': { packets: 3, bytes: 3 * 128 } })
    assert.deepEqual(await elements(spans), { '127.0.0.0/8': { packets: 3, bytes: 3 * 128 } })
  })

  it('changes 50 000 elements in one transaction, and reads them', async () => {
    const changed = async (what: 'add' | 'delete', set: NftSet, key: string): Promise<number> => {
      const generation = await space.ask<number>({ do: 'generation' })
      const { failure, ms } = await space.ask<{ failure?: NftFailure; ms: number }>({
        do: 'many',
        set,
        what,
        key,
        count: 50_000,
      })
      assert.equal(failure, undefined)
      assert.equal(await space.ask({ do: 'generation' }), generation + 1)
      return ms
    }
    const addMs = await changed('add', PAIR, `${MAC} . #`)
    const read = await space.ask<{ size: number; ms: number }>({
      do: 'elements',
      set: PAIR,
      countOnly: true,
    })
    assert.equal(read.size, 50_000)
    const deleteMs = await changed('delete', PAIR, `${MAC} . #`)
    assert.deepEqual(await keys(PAIR), [])
    console.log(
      `      50 000 elements: add ${addMs.toFixed(0)} ms, read ${read.ms.toFixed(0)} ms, delete ${deleteMs.toFixed(0)} ms`,
    )
  })

  it('has a small change in the kernel within a millisecond', async () => {
    for (const set of [RANGES, setOf('pair', 'ether_addr . ipv4_addr')]) {
      const key = set === RANGES ? '#' : `${MAC} . #`
      const times = await space.ask<number[]>({ do: 'time', set, key, rounds: 500 })
      times.sort((a, b) => a - b)
      const p50 = times[250] ?? Infinity
      console.log(
        `      ${set.name}: p50 ${p50.toFixed(3)} ms, p95 ${(times[475] ?? 0).toFixed(3)} ms`,
      )
      assert.ok(p50 < 1, `p50 is ${p50} ms`)
    }
  })

  it('reads whole sets while another changes the ruleset all the time', async () => {
    await space.ask({ do: 'many', set: PAIR, what: 'add', key: `${MAC} . #`, count: 3000 })
    const flood = spawn(
      'ip',
      [
        'netns',
        'exec',
        space.name,
        'sh',
        '-c',
        'while :; do nft add table inet x; nft delete table inet x; done',
      ],
      { stdio: 'ignore' },
    )
    try {
      for (let i = 0; i < 20; i++) {
        const { size } = await space.ask<{ size: number }>({
          do: 'elements',
          set: PAIR,
          countOnly: true,
        })
        assert.equal(size, 3000)
        const all = await apply([...take(RANGES, '192.0.2.0/24'), ...add(RANGES, '192.0.2.0/24')])
        assert.equal(all, null)
      }
    } finally {
      const exit = once(flood, 'exit')
      flood.kill('SIGKILL')
      await exit
    }
  })

  it('shapes tell tables that changed from tables whose elements did', async () => {
    const tables = [
      { family: 'inet', table: 't' },
      { family: 'bridge', table: 't' },
    ] as const
    const shape = async (): Promise<string | null | undefined> => {
      const [here, absent] = await space.ask<(string | null)[]>({
        do: 'shapes',
        tables: [...tables],
      })
      assert.equal(absent, null)
      return here
    }
    space.nft('table inet t {\n chain c { type filter hook input priority 0; counter accept; }\n}')
    const before = await shape()
    assert.match(before ?? '', /^1 chains, 1 rules, 5 sets, [0-9a-f]{16}$/)
    await apply(add(PLAIN, MAC))
    space.nft('add table inet other; add chain inet other t; add rule inet other t accept')
    assert.equal(await shape(), before)
    let last = before
    for (const text of [
      'add rule inet t c drop',
      'add chain inet t d',
      'add set inet t more { type mark; }',
      'flush chain inet t c',
      'chain inet t c { policy drop; }',
      'add table inet t { flags dormant; }',
      `delete table inet t; ${TABLE}`,
    ]) {
      space.nft(text)
      const next = await shape()
      assert.notEqual(next, last, text)
      last = next
    }
    space.nft('delete table inet t')
    assert.equal(await shape(), null)
  })
})
