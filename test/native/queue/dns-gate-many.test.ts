// What is much: names that are blocked for everybody, addresses that change, and names that share one.
import assert from 'node:assert/strict'
import type { HeardAddresses } from '../../../native/dns-gate.ts'
import { below } from '../../figure.ts'
import { until } from '../../lab/process.ts'
import { free, GateHome, policy, SERVER } from './gate-home.ts'
import { canQueue, MAC } from './home.ts'

const ADS = { block: [['ads.example']] }
/** So many other devices have rules on names. */
const GATED = [0, 10, 50]

/** `198.18.b.c`, the i-th of them. */
function address(i: number): string {
  return `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
}

function others(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    ...free,
    mac: `02:0d:e0:00:0f:${(i + 16).toString(16)}`,
    ips: [],
    block: [['other.example']],
  }))
}

describe('DNS gate: much at once', function () {
  this.timeout(60_000)
  const home = new GateHome()
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
  })
  beforeEach(() => home.reset())
  after(() => home.stop())

  it('shuts what is blocked for everybody once, and stalls nothing', async () => {
    await home.gate(policy({}))
    await home.router.tell('lag', {})
    for (const [round, count] of GATED.entries()) {
      const devices = others(count) as never
      await home.policy(policy({}, { ...ADS, devices }))
      const heard = [1, 2, 3].map((n): HeardAddresses => {
        const ips = [1, 2, 3, 4].map((k) => address(round * 256 + n * 10 + k))
        return { names: [`n${n}.ads.example`], ips, ttlS: 300 }
      })
      await home.router.tell('lag', {})
      const began = performance.now()
      await home.router.tell('hear', { heard })
      await home.router.tell('gateCounters', {})
      const took = performance.now() - began
      await home.holdsSome('blockAll4', (round + 1) * 12)
      const { worstMs } = await home.router.tell<'lag', { worstMs: number }>('lag', {})
      below(`${count} gated devices, 3 names with 4 addresses`, took, 50)
      below('the event loop waited at most', worstMs, 20)
    }
    // Each once in a transaction, none that failed.
    const { learned, failed } = await home.counters()
    assert.deepEqual([learned, failed], [GATED.length * 12, 0])
  })

  it('answers others while it hears a day of names', async () => {
    const devices = [{ ...free, noDnsNoConnect: true }, ...others(5)] as never
    await home.gate(policy({}, { ...ADS, devices }))
    const heard = Array.from({ length: 2000 }, (_, n): HeardAddresses => {
      const ips = [1, 2, 3, 4].map((k) => address(n * 4 + k))
      return { names: [`n${n}.ads.example`], ips, ttlS: 900 }
    })
    const order = { server: SERVER, names: ['good.example'], port: 7, connect: false }
    interface Times {
      p50Ms: number
    }
    await home.device.tell('resolve', order)
    await home.router.tell('lag', {})
    const began = performance.now()
    // As the agent hands it over.
    for (let at = 0; at < heard.length; at += 250) {
      await home.router.tell('hear', { heard: heard.slice(at, at + 250) })
    }
    const { p50Ms } = await home.device.tell<'resolve', Times>('resolve', order)
    await home.holdsSome('blockAll4', 8000)
    const took = performance.now() - began
    const { worstMs } = await home.router.tell<'lag', { worstMs: number }>('lag', {})
    below('an answer meanwhile', p50Ms, 50)
    below('2000 names with 4 addresses each', took, 2000)
    below('the event loop waited at most', worstMs, 50)
  })

  it('takes what is there already, and leaves out what the kernel refuses', async () => {
    await home.gw(
      'nft',
      'add',
      'element',
      'inet',
      'gate',
      'block4',
      `{ ${MAC} . 198.18.0.1 timeout 5s }`,
    )
    await home.gw(
      'nft',
      'add',
      'element',
      'inet',
      'gate',
      'block4',
      `{ ${MAC} . 198.18.0.2 timeout 5s }`,
    )
    await home.gw('nft', 'delete', 'set', 'inet', 'gate', 'blockAll4')
    await home.gate(policy(ADS, { block: [['evil.example']] }))
    const hear = (name: string, from: number, to: number): Promise<object> =>
      home.router.tell('hear', {
        heard: [
          {
            names: [name],
            ips: Array.from({ length: to - from + 1 }, (_, i) => address(from + i)),
            ttlS: 300,
          },
        ],
      })
    await hear('evil.example', 1, 40)
    await hear('ads.example', 1, 40)
    await home.holdsSome('block4', 40)
    const left = await home.gw('nft', 'list', 'set', 'inet', 'gate', 'block4')
    assert.doesNotMatch(left, /timeout 5s/)
    // The set for everybody is gone: that fails, and is tried again less and less often.
    const failed = async (): Promise<number> => (await home.counters()).failed
    await until('what failed', async () => ((await failed()) >= 80 ? true : undefined))
    await home.gw(
      'nft',
      'add',
      'set',
      'inet',
      'gate',
      'blockAll4',
      '{ type ipv4_addr; flags timeout; }',
    )
    await home.holdsSome('blockAll4', 40)
  })

  it('keeps 64 addresses of a name, the latest, however many answers come', async () => {
    await home.gate(
      policy({ ...ADS, allow: [['good.example']], allowList: true }, { block: [['evil.example']] }),
    )
    const names = ['ads.example', 'evil.example', 'good.example']
    for (const round of [0, 1, 2]) {
      const zone = names.flatMap((name, n) =>
        Array.from({ length: 40 }, (_, i) => ({
          name,
          type: 'A' as const,
          data: `198.18.${n}.${round * 40 + i + 1}`,
        })),
      )
      await home.zone(zone)
      for (const name of names) await home.dig('+tcp', name)
    }
    await home.holdsSome('block4', 64)
    await home.holdsSome('blockAll4', 64)
    const open = await home.set('allow4')
    assert.equal(open.length, 64)
    const latest = Array.from({ length: 40 }, (_, i) => `${MAC} 198.18.2.${80 + i + 1}`)
    assert.deepEqual(
      latest.filter((each) => !open.includes(each)),
      [],
    )
    assert.equal((await home.counters()).failed, 0)
  })

  it('leaves room for what is open, whatever is shut for everybody', async () => {
    await home.gate(policy({ noDnsNoConnect: true }, ADS))
    const names = 300
    for (let from = 0; from < names; from += 50) {
      const heard = Array.from({ length: 50 }, (_, i): HeardAddresses => {
        const ips = Array.from({ length: 64 }, (__, k) => address((from + i) * 64 + k))
        return { names: [`n${from + i}.ads.example`], ips, ttlS: 3600 }
      })
      await home.router.tell('hear', { heard })
    }
    await until('all of it', async () => {
      const { elements, overCap } = await home.counters()
      return elements + overCap === names * 64 || undefined
    })
    const { elements, overCap } = await home.counters()
    assert.deepEqual([elements, overCap], [16384, names * 64 - 16384])
    assert.deepEqual((await home.dig('good.example')).data, ['203.0.113.20'])
    assert.deepEqual(await home.set('resolved4'), [`${MAC} 203.0.113.20`])
  })

  it('keeps an address shut until none of its names is blocked, however many there are', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `n${i}.x${i}.example`)
    await home.gate(policy({ block: [names] }))
    await home.router.tell('hear', {
      heard: names.map((name) => ({ names: [name], ips: ['203.0.113.9'], ttlS: 600 })),
    })
    const element = [`${MAC} 203.0.113.9`]
    await home.holds('block4', element)
    for (const left of [[names[4]], [names[20]], [names[59]]]) {
      await home.policy(policy({ block: [left as string[]] }))
      await home.policy(policy({ block: [names] }))
      await home.policy(policy({ block: [left as string[]] }))
      await home.router.tell('gateCounters', {})
      await home.holds('block4', element)
    }
    await home.policy(policy({}))
    await home.holds('block4', [])
  })

  it('knows the rule of many names below one, so that to take it back opens the address', async () => {
    await home.gate(policy(ADS))
    await home.router.tell('hear', {
      heard: Array.from({ length: 60 }, (_, i) => ({
        names: [`n${i}.ads.example`],
        ips: ['203.0.113.9'],
        ttlS: 600,
      })),
    })
    await home.holds('block4', [`${MAC} 203.0.113.9`])
    await home.policy(policy({ block: [['other.example']] }))
    await home.holds('block4', [])
  })
})
