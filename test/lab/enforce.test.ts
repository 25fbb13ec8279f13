// The enforcement on a real kernel: exact under load, one bad element among many, foreign changes of every kind, the
// protected list down to the sets, time-outs, counters, and links that come and go.
import assert from 'node:assert/strict'
import { bootMs } from '../../agent/clock.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../agent/policy/desired.ts'
import { generation } from '../agent/enforce/generation.ts'
import type { Enforcer } from '../agent/enforce/small-home.ts'
import { DEVICE, GATEWAY_MAC, quarantined, SmallHome, WAN } from '../agent/enforce/small-home.ts'
import { count } from '../full.ts'
import { requires, sleep, until } from './process.ts'

/** Of a thousand orders each. */
const SECONDS = count('ENFORCE_SECONDS', 2, 10)
const FULL = quarantined({ level: 'full', ruleId: 'r1' })

function blocking(matches: readonly Partial<DesiredMatch>[]): Desired {
  const all = matches.map(
    (match, i): DesiredMatch => ({ ruleId: `b${i}`, action: 'block', ...match }),
  )
  const device: DesiredDevice = {
    deviceId: DEVICE.id,
    mac: DEVICE.mac,
    ips: [DEVICE.ip],
    restrictions: {},
    matches: all,
  }
  return { devices: [device], everyone: [], unknown: undefined }
}

interface NftSet {
  family: string
  name: string
  elem?: unknown[]
}

describe('the enforcement on a kernel', function () {
  this.timeout(60_000)
  const home = new SmallHome()
  let enforcer: Enforcer

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await home.start()
    enforcer = await home.enforcer({ brokers: ['203.0.113.20'], admin: ['192.0.2.9'] })
  })
  after(() => home.stop())

  async function sets(pattern: RegExp): Promise<NftSet[]> {
    const rows = JSON.parse(await home.in('box', 'nft', '-j', 'list', 'sets')) as {
      nftables: { set?: NftSet }[]
    }
    return rows.nftables.flatMap(({ set }) => (set && pattern.test(set.name) ? [set] : []))
  }

  it(`is exact after ${SECONDS}000 orders in ${SECONDS} s, in at most 20 transactions a second, the first at once`, async () => {
    await enforcer.apply(FULL)
    await sleep(200)
    const before = await generation(home)
    const began = performance.now()
    const waits: number[] = []
    const all: Promise<void>[] = []
    for (let i = 0; i < SECONDS * 1000; i++) {
      const prefix = `203.0.114.${i % 250}/32`
      const desired = blocking([{ prefix, ruleId: `n${i}` }, { prefix: '203.0.115.1/32' }])
      const at = performance.now()
      all.push(
        enforcer.apply(desired).then(({ failed }) => {
          waits.push(performance.now() - at)
          assert.equal(failed.size, 0)
        }),
      )
      if (i === 0) await all[0]
      while (performance.now() - began < i) await sleep(1)
    }
    await Promise.all(all)
    const seconds = (performance.now() - began) / 1000
    const transactions = (await generation(home)) - before
    const last = SECONDS * 1000 - 1
    const found = (await sets(/^from_mac_block_host4$/)).find(({ family }) => family === 'inet')
    assert.equal(found?.elem?.length, 2)
    assert.ok(JSON.stringify(found.elem).includes(`203.0.114.${last % 250}"`))
    const p95 = waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.95)] as number
    console.error(
      `      ${waits.length} orders in ${seconds.toFixed(1)} s: ${transactions} transactions, first after ${waits[0]?.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    )
    assert.ok(transactions <= seconds * 20 + 2)
    assert.ok((waits[0] as number) < 150)
  })

  it('takes 999 of 1 000 where one is impossible', async () => {
    const matches = Array.from({ length: 1000 }, (_, i) => ({
      prefix: `203.0.${116 + (i >> 8)}.${i & 255}/32`,
    }))
    matches[500] = { prefix: '203.0.300.1/32' }
    const { failed } = await enforcer.apply(blocking(matches))
    assert.deepEqual([...failed.keys()], ['b500'])
    const found = await sets(/^from_mac_block_host4$/)
    assert.equal(found.find(({ family }) => family === 'inet')?.elem?.length, 999)
    const { rules } = (await enforcer.actual())[DEVICE.id] ?? { rules: [] }
    assert.equal(rules.length, 999)
  })

  // A quarter of a minute of a processor.
  if (SECONDS >= 10) {
    it('says of each rule that has no room in a full set that it does not hold', async () => {
      // The set holds 65 536; so many blocks of hosts for one device and one more.
      const count = 65_536 + 3
      const matches = Array.from({ length: count }, (_, i) => ({
        prefix: `100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`,
      }))
      const began = performance.now()
      const { failed } = await enforcer.apply(blocking(matches))
      const ms = performance.now() - began
      assert.equal(failed.size, 3)
      assert.match([...failed.values()][0] ?? '', /full.*release/)
      const found = (await sets(/^from_mac_block_host4$/)).find(({ family }) => family === 'inet')
      assert.equal(found?.elem?.length, 65_536)
      console.error(
        `      ${count} blocks of one device: ${(ms / 1000).toFixed(1)} s, 3 told as failed`,
      )
      await enforcer.apply(FULL)
    })
  }

  const CHANGES: readonly (readonly [what: string, text: string])[] = [
    ['an element deleted', `delete element inet homespin from_mac_full { ${DEVICE.mac} }`],
    ['an element added', 'add element inet homespin from_mac_full { 02:0d:e0:00:00:77 }'],
    ['a set flushed', 'flush set inet homespin from_mac_held'],
    ['a rule inserted', 'insert rule inet homespin prerouting_from accept'],
    ['a chain flushed', 'flush chain inet homespin prerouting_from'],
    ['the rule of a queue deleted', 'flush chain inet homespin dns_queue'],
    ['a chain asleep', 'add table inet homespin { flags dormant; }'],
    [
      'a chain added',
      'add chain inet homespin other { type filter hook prerouting priority -400; policy accept; }',
    ],
    ['a table deleted', 'delete table netdev homespin'],
    ['everything flushed', 'flush ruleset'],
  ]
  it('repairs every kind of foreign change, and tells of it', async () => {
    await enforcer.apply(FULL)
    const rules = (text: string): string => text.replace(/handle \d+/g, '')
    const list = async (): Promise<string> =>
      rules(await home.in('box', 'nft', '-s', 'list', 'ruleset'))
    const before = await list()
    for (const [what, text] of CHANGES) {
      await sleep(1000)
      const told = enforcer.changes.length
      await home.nft(`${text}\n`)
      await until(
        `${what}: put right`,
        async () => ((await list()) === before ? true : undefined),
        2000,
        20,
      )
      await until(`${what}: told`, () => {
        const news = enforcer.changes.slice(told)
        return news.some(({ kind }) => kind === 'changed') || undefined
      })
      assert.equal(await home.reaches(), false, what)
    }
    assert.ok(enforcer.changes.some(({ kind }) => kind === 'tampering'))
  })

  it('leaves tables of others alone, and takes their changes for no tampering', async () => {
    await sleep(5500)
    const told = enforcer.changes.length
    await home.nft('table inet other { set s { type ipv4_addr; }\n}\n')
    for (let i = 0; i < 10; i++) await home.nft(`add element inet other s { 203.0.113.${i} }\n`)
    await sleep(500)
    const news = enforcer.changes.slice(told).filter(({ kind }) => kind === 'tampering')
    assert.deepEqual(news, [])
    await home.in('box', 'nft', 'delete', 'table', 'inet', 'other')
  })

  it('lets go at its time by the kernel alone, which is no tampering', async () => {
    const until_ = bootMs() + 5000
    await enforcer.apply(quarantined({ level: 'full', ruleId: 'r1', untilBootMs: until_ }))
    const told = enforcer.changes.length
    assert.equal(await home.reaches(), false)
    assert.equal((await enforcer.actual())[DEVICE.id]?.level, 'full')
    await sleep(Math.max(0, until_ - bootMs()) + 50)
    assert.equal(await home.reaches(), true)
    assert.equal((await enforcer.actual())[DEVICE.id]?.level, undefined)
    // Something foreign makes it look.
    await home.nft('add table inet other\n')
    await sleep(400)
    const news = enforcer.changes.slice(told).filter(({ kind }) => kind === 'tampering')
    assert.deepEqual(news, [])
    await home.nft('delete table inet other\n')
  })

  it('lets go of devices that nobody knows at the time of their level, by the kernel alone', async () => {
    const until_ = bootMs() + 3000
    const level = { level: 'full', ruleId: 'r1', untilBootMs: until_ } as const
    await enforcer.apply({ devices: [], everyone: [], unknown: { level, free: [] } })
    assert.equal(await home.reaches(), false)
    enforcer.program.signal('SIGSTOP')
    try {
      await sleep(Math.max(0, until_ - bootMs()) + 50)
      assert.equal(await home.reaches(), true)
    } finally {
      enforcer.program.signal('SIGCONT')
    }
  })

  it('counts what was dropped, by rule', async () => {
    await enforcer.apply(FULL)
    await sleep(1100)
    await enforcer.blocked()
    await home.reaches()
    await sleep(1100)
    const found = (await enforcer.blocked()).filter(({ packets }) => packets > 0)
    const one = found.find(({ rule_id }) => rule_id === 'r1')
    assert.ok(one, JSON.stringify(found))
    assert.equal(one.device_id, DEVICE.id)
    assert.equal(one.cause, 'full')
  })

  it('has nothing protected in its sets, whatever is desired', async () => {
    const prefixes = [
      '192.0.2.1/32',
      `${WAN}/32`,
      '203.0.113.20/32',
      '192.0.2.9/32',
      '172.30.32.2/32',
      '127.0.0.1/32',
      '224.0.0.251/32',
      '255.255.255.255/32',
      'fe80::1/128',
      '0.0.0.0/0',
      '::/0',
      '203.0.112.0/22',
    ]
    const desired = blocking(prefixes.map((prefix) => ({ prefix })))
    const gateway: DesiredDevice = {
      deviceId: 'gw',
      mac: GATEWAY_MAC,
      ips: [WAN],
      level: { level: 'full', ruleId: 'gw' },
      restrictions: {},
      matches: [],
    }
    const everyone = prefixes.map(
      (prefix, i): DesiredMatch => ({ ruleId: `e${i}`, action: 'block', prefix }),
    )
    const { failed } = await enforcer.apply({
      devices: [...desired.devices, gateway],
      everyone,
      unknown: undefined,
    })
    assert.equal(failed.size, 2 * prefixes.length + 1)
    for (const set of await sets(/_block_|_full$/)) assert.equal(set.elem, undefined, set.name)
    // By answers of DNS, too.
    await enforcer.dynamic([
      { set: 'dns_block4', key: `${DEVICE.mac} . ${WAN}`, timeoutMs: 60_000 },
      { set: 'dns_block4', key: `${DEVICE.mac} . 203.0.113.99`, timeoutMs: 60_000 },
    ])
    const [dns] = (await sets(/^dns_block4$/)).filter(({ family }) => family === 'inet')
    assert.equal(dns?.elem?.length, 1)
    assert.ok(JSON.stringify(dns.elem).includes('203.0.113.99'))
  })

  it('keeps what the DNS gate learned when all is written anew', async () => {
    await home.in('box', 'nft', 'flush', 'ruleset')
    await sleep(1000)
    const [dns] = (await sets(/^dns_block4$/)).filter(({ family }) => family === 'inet')
    assert.ok(JSON.stringify(dns?.elem).includes('203.0.113.99'))
  })

  it('follows another gateway in under 5 s', async () => {
    const order = {
      action: 'block' as const,
      devices: [{ id: DEVICE.id, mac: DEVICE.mac, ips: [DEVICE.ip] }],
      everyone: false,
      newDevices: false,
      match: { endpoint: '203.0.113.50' },
    }
    assert.equal(await enforcer.refusal(order), undefined)
    const began = performance.now()
    await home.in('box', 'ip', 'route', 'replace', 'default', 'via', '203.0.113.50')
    await until(
      'protected',
      async () => ((await enforcer.refusal(order))?.code === 'protected' ? true : undefined),
      5000,
      10,
    )
    console.error(`      protected after ${(performance.now() - began).toFixed(0)} ms`)
    await home.in('box', 'ip', 'route', 'replace', 'default', 'via', WAN)
  })

  it('holds again when a link went and came back', async () => {
    await enforcer.apply(FULL)
    const hooks = async (): Promise<string> =>
      await home.in('box', 'nft', 'list', 'table', 'netdev', 'homespin')
    assert.match(await hooks(), /device "lan0"/)
    await home.spaces.ip('box', ['link del lan0'])
    await sleep(300)
    await home.plugIn()
    await until(
      'the chain is there again',
      async () => ((await hooks().catch(() => '')).includes('device "lan0"') ? true : undefined),
      3000,
      50,
    )
    assert.equal(await home.reaches(), false)
    await enforcer.apply({ devices: [], everyone: [], unknown: undefined })
    assert.equal(await home.reaches(), true)
  })

  it('opens the way when Docker begins to drop, and takes that back with all else', async function () {
    requires(this, 'iptables-nft')
    const docker = [
      ['-N', 'DOCKER'],
      ['-N', 'DOCKER-USER'],
      ['-A', 'FORWARD', '-j', 'DOCKER-USER'],
    ]
    // Held back, so that it is seen to be shut.
    enforcer.program.signal('SIGSTOP')
    for (const rule of [...docker, ['-P', 'FORWARD', 'DROP']]) {
      await home.in('box', 'iptables-nft', ...rule)
    }
    assert.equal(await home.reaches(), false)
    enforcer.program.signal('SIGCONT')
    const open = async (): Promise<true | undefined> => (await home.reaches()) || undefined
    await until('what is routed passes', open, 8000, 200)
    await enforcer.apply(FULL)
    assert.equal(await home.reaches(), false)
    await enforcer.stop('remove')
    const left = await home.in('box', 'nft', 'list', 'ruleset')
    assert.equal(left.includes('homespin'), false, left)
    assert.ok(left.includes('DOCKER-USER'))
  })
})
