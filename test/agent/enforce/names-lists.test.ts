// Devices that reach only what their names say: what goes on, what ends, and what passes port 53.
import assert from 'node:assert/strict'
import type { DesiredMatch } from '../../../agent/policy/desired.ts'
import { until } from '../../lab/process.ts'
import type { Orders } from '../../native/queue/child.ts'
import { canQueue, MAC, QueueHome, SERVER_IPS } from '../../native/queue/home.ts'
import { NamesAgent, ROUTER_PLACE, ZONE } from './names-agent.ts'

const [SERVER] = SERVER_IPS
const GOOD = '203.0.113.20'
/** Nobody believes it. */
const STRANGER = '203.0.113.200'
const LIST = { allow_list: { ruleId: 'l' } }
const NO_DNS = { no_dns_no_connect: { ruleId: 'n' } }

function allow(domain: string): DesiredMatch {
  return { ruleId: `a-${domain}`, action: 'allow', domain }
}

/** A question as a client sends it: A records of `good.example`. */
const QUESTION = '12340100000100000000000004676f6f64076578616d706c650000010001'

function overTcp(hex: string): string {
  return (hex.length / 2).toString(16).padStart(4, '0') + hex
}

describe('devices on a list, on a router', function () {
  this.timeout(60_000)
  const home = new QueueHome()
  let agent: NamesAgent
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
    await home.server.tell('echo', { port: 7 })
  })
  beforeEach(async () => {
    agent = new NamesAgent(home, ROUTER_PLACE)
    await home.renew()
    agent.start()
    await home.server.tell('zone', { zone: ZONE })
  })
  afterEach(() => agent.stop())
  after(() => home.stop())

  const dig = (name: string, ...more: string[]): Promise<string> => agent.dig(SERVER, name, ...more)

  /** The time of all names is over. */
  async function expire(): Promise<void> {
    const sets = ['inet homespin resolved', 'inet homespin dns_allow', 'netdev homespin dns_allow']
    for (const set of sets.flatMap((name) => [`${name}4`, `${name}_ip4`])) {
      await home.gw('nft', 'flush', 'set', ...set.split(' '))
    }
  }

  async function ends(): Promise<void> {
    await until('the end', async () => !(await agent.goesOn(700)) || undefined)
  }

  for (const [what, restrictions] of [
    ['a list', LIST],
    ['what it resolves', NO_DNS],
    ['both', { ...LIST, ...NO_DNS }],
  ] as const) {
    it(`lets connections go on when their names have expired: ${what}`, async () => {
      await agent.apply({ restrictions, matches: [allow('good.example')] })
      assert.equal(await dig('good.example'), 'NOERROR')
      assert.equal(await agent.hold(GOOD), true)
      await expire()
      assert.equal(await agent.reaches(GOOD), false)
      assert.equal(await agent.goesOn(), true)
      assert.equal(await agent.goesOn(), true)
    })
  }

  it('ends connections that a narrower list does not name', async () => {
    await agent.apply({ restrictions: NO_DNS })
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await agent.hold(GOOD), true)
    await expire()
    assert.equal(await agent.goesOn(), true)
    await agent.apply({ restrictions: LIST, matches: [allow('other.example')] })
    await ends()
    // A list that gets longer ends nothing; one that gets shorter does.
    const [good, other] = [allow('good.example'), allow('other.example')]
    await agent.apply({ restrictions: LIST, matches: [good] })
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await agent.hold(GOOD), true)
    await expire()
    await agent.apply({ restrictions: LIST, matches: [good, other] })
    assert.equal(await agent.goesOn(), true)
    await agent.apply({ restrictions: LIST, matches: [other] })
    await ends()
  })

  it('lets go on what a narrower list names too', async () => {
    await agent.apply({ restrictions: NO_DNS })
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await agent.hold(GOOD), true)
    await agent.apply({ restrictions: LIST, matches: [allow('good.example')] })
    await until('the same', async () => (await agent.goesOn(1000)) || undefined)
  })

  it('asks only resolvers that are believed', async () => {
    await agent.apply({ restrictions: { ...LIST, ...NO_DNS } })
    for (const way of [[], ['+tcp']]) {
      assert.equal(await dig('good.example', ...way), 'NOERROR')
      await assert.rejects(agent.dig(STRANGER, 'good.example', ...way), /exit code 9/)
    }
    // Others may.
    await agent.apply({ matches: [{ ruleId: 'b', action: 'block', domain: 'ads.example' }] })
    assert.equal(await agent.dig(STRANGER, 'good.example', '+tcp'), 'NOERROR')
  })

  it('sends resolvers nothing but questions', async () => {
    const wan = (...command: string[]): Promise<string> => home.in('wan', ...command)
    await wan(
      'nft',
      `flush ruleset; table inet junk { chain in { type filter hook input priority 0;
      udp dport 53 ip length > 90 counter
      tcp dport 53 ip length > 140 counter
    }; }`,
    )
    const junk = async (): Promise<string[]> =>
      [...(await wan('nft', 'list', 'table', 'inet', 'junk')).matchAll(/packets (\d+)/g)].map(
        ([, count]) => count ?? '',
      )
    const tail = 'ff'.repeat(100)
    const padding = `${QUESTION.slice(0, 20)}0001${QUESTION.slice(24)}0000290400000000000068000c0064${'00'.repeat(100)}`
    const send = async (hex: string, tcp: boolean, pieces?: number): Promise<string> => {
      const order = { ip: SERVER, port: 53, hex, tcp, ms: 1500, ...(pieces ? { pieces } : {}) }
      return (await home.device.tell<'raw', { bytes: string }>('raw', order)).bytes
    }
    await agent.apply({ restrictions: NO_DNS })
    assert.match(await send(QUESTION, false), /^12348180/)
    assert.match(await send(overTcp(QUESTION), true), /^00..12348180/)
    assert.match(await send(overTcp(QUESTION), true, 3), /^00..12348180/)
    // A response, a tail that belongs to nothing, an answer in a question, and no DNS at all.
    const wrong = [
      `${QUESTION.slice(0, 4)}8180${QUESTION.slice(8)}`,
      `${QUESTION}${tail}`,
      `${QUESTION.slice(0, 12)}0001${QUESTION.slice(16)}c00c000100010000003c0064${tail}`,
      Buffer.from('GET /what-leaves HTTP/1.0 '.repeat(40)).toString('hex'),
    ]
    const all = [
      ...wrong.flatMap((hex) => [
        { hex, tcp: false },
        { hex: overTcp(hex), tcp: true },
      ]),
      { hex: wrong[3], tcp: true },
      { hex: wrong[3], tcp: true, pieces: 20 },
    ].map((each) => ({ ip: SERVER, port: 53, ms: 1500, ...each }) as Orders['raw'])
    const { bytes } = await home.device.tell<'raws', { bytes: string[] }>('raws', { all })
    assert.deepEqual(bytes, Array(all.length).fill(''))
    assert.deepEqual(await junk(), ['0', '0'])
    // What belongs to EDNS is not junk, and may be as long.
    assert.match(await send(padding, false), /^12348180/)
    assert.match(await send(overTcp(padding), true), /^00..12348180/)
    assert.deepEqual(await junk(), ['1', '1'])
  })

  it('holds a device that is known by its addresses alone', async () => {
    const byAddress = { mac: undefined as never }
    await agent.apply({ ...byAddress, restrictions: NO_DNS })
    assert.equal(await agent.reaches(GOOD), false)
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await agent.reaches(GOOD), true)
    assert.equal(await agent.reaches('203.0.113.9'), false)
    await agent.apply({
      ...byAddress,
      matches: [{ ruleId: 'b', action: 'block', domain: 'ads.example' }],
    })
    assert.equal(await agent.reaches('203.0.113.9'), true)
    for (const way of [[], ['+tcp']]) assert.equal(await dig('ads.example', ...way), 'NXDOMAIN')
    await until('shut', async () => !(await agent.reaches('203.0.113.9')) || undefined)
    assert.equal(await agent.reaches(GOOD), true)
    const { blocked } = await agent.tell({})
    assert.deepEqual([...new Set(blocked.map(({ device_id }) => device_id))], ['020de0000001'])
    await agent.apply({ ...byAddress, restrictions: LIST, matches: [allow('good.example')] })
    assert.equal(await agent.reaches(GOOD), false)
    assert.equal(await dig('good.example', '+tcp'), 'NOERROR')
    assert.equal(await agent.hold(GOOD), true)
    await expire()
    assert.equal(await agent.goesOn(), true)
  })

  it('does not open the home for a name of the internet', async () => {
    const zone = [{ name: 'evil.example', type: 'A', data: '192.0.2.1' }] as const
    await home.server.tell('zone', { zone: [...zone] })
    await home.router.tell('echo', { port: 7 })
    const level = { level: 'internet_only', ruleId: 'v' } as const
    await agent.apply({ level, matches: [allow('evil.example')] })
    assert.equal(await dig('evil.example'), 'NOERROR')
    assert.equal(await agent.reaches('192.0.2.1'), false)
    const learned = await home.gw('nft', 'list', 'set', 'inet', 'homespin', 'dns_allow4')
    assert.equal(learned.includes(MAC), false)
  })
})
