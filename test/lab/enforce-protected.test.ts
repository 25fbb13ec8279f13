// What becomes protected while something is ordered about it: the kernel lets go of that by itself, and soon.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Desired } from '../../agent/policy/desired.ts'
import type { Enforcer } from '../agent/enforce/small-home.ts'
import { DEVICE, SmallHome, WAN } from '../agent/enforce/small-home.ts'
import { below } from '../figure.ts'
import { requires, until } from './process.ts'

/** F38 of the fault tests. */
const LIMIT_MS = 5000
const NEXT_GATEWAY = '203.0.113.77'
const NEXT_RESOLVER = '203.0.113.53'

describe('lab: what becomes protected', function () {
  this.timeout(60_000)
  const home = new SmallHome()
  let enforcer: Enforcer
  let resolvers = ''

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await home.start()
    resolvers = join(home.folder, 'resolv.conf')
    writeFileSync(resolvers, '')
  })
  afterEach(() => enforcer.stop('remove'))
  after(() => home.stop())

  async function blocked(): Promise<string> {
    return await home.in('box', 'nft', 'list', 'set', 'inet', 'homespin', 'from_all_block_host4')
  }

  it('is a new gateway or resolver: a block of it leaves the kernel, and is told as failed', async () => {
    enforcer = await home.enforcer({ resolvers })
    const block = (ruleId: string, ip: string) =>
      ({ ruleId, action: 'block', prefix: `${ip}/32` }) as const
    const everyone = [
      block('g', NEXT_GATEWAY),
      block('r', NEXT_RESOLVER),
      block('x', '203.0.113.9'),
    ]
    const desired = { devices: [], everyone, unknown: undefined }
    assert.equal((await enforcer.apply(desired)).failed.size, 0)
    const whole = await blocked()
    for (const ip of [NEXT_GATEWAY, NEXT_RESOLVER, '203.0.113.9']) assert.ok(whole.includes(ip))
    const gone = async (ip: string): Promise<number> => {
      const began = performance.now()
      await until(`${ip} to be let go`, async () => !(await blocked()).includes(ip) || undefined)
      return performance.now() - began
    }
    await home.in('box', 'ip', 'route', 'replace', 'default', 'via', NEXT_GATEWAY)
    below('a new default gateway is out of the blocks after', await gone(NEXT_GATEWAY), LIMIT_MS)
    writeFileSync(resolvers, `nameserver ${NEXT_RESOLVER}\n`)
    below('a new resolver is out of the blocks after', await gone(NEXT_RESOLVER), LIMIT_MS)
    assert.match(await blocked(), /203\.0\.113\.9\b/)
    await until('it to be told', () =>
      enforcer.changes.some(({ kind }) => kind === 'capability') ? true : undefined,
    )
    assert.deepEqual([...(await enforcer.apply(desired)).failed.keys()].toSorted(), ['g', 'r'])
    await home.in('box', 'ip', 'route', 'replace', 'default', 'via', WAN)
  })

  it('is Home Assistant where new devices are shut off, from its first packet on', async () => {
    const level = { level: 'full', ruleId: 'new' } as const
    const desired: Desired = { devices: [], everyone: [], unknown: { level, free: [] } }
    enforcer = await home.enforcer()
    assert.equal((await enforcer.apply(desired)).failed.size, 0)
    assert.equal(await home.reaches(), false)
    await enforcer.stop('remove')
    // Nobody has said which MAC it has.
    await home.in('box', 'ip', 'neigh', 'flush', 'dev', 'lan0')
    enforcer = await home.enforcer({ homeAssistant: [DEVICE.ip] })
    const listed = {
      ...{ deviceId: DEVICE.id, mac: DEVICE.mac, ips: [DEVICE.ip] },
      ...{ level, restrictions: {}, matches: [] },
    }
    for (const devices of [[], [listed]]) {
      assert.deepEqual([...(await enforcer.apply({ ...desired, devices })).failed], [])
      assert.equal(await home.reaches(), true)
    }
    // Once the kernel knows it, another that takes the address gains nothing.
    await until('its MAC', async () => {
      const known = await home.in('box', 'nft', 'list', 'set', 'inet', 'homespin', 'known')
      const told = await home.in('box', 'nft', 'list', 'set', 'inet', 'homespin', 'machines4')
      return (known.includes(DEVICE.mac) && !told.includes(DEVICE.ip)) || undefined
    })
    await enforcer.apply(desired)
    assert.equal(await home.reaches(), true)
    await home.in('dev', 'ip', 'link', 'set', 'eth0', 'address', '02:0d:e0:00:00:66')
    await home.in('box', 'ip', 'neigh', 'replace', DEVICE.ip, 'lladdr', DEVICE.mac, 'dev', 'lan0')
    assert.equal(await home.reaches(), false)
  })
})
