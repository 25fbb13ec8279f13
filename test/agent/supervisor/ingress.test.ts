// The page behind Home Assistant, with the real agent: served to the Supervisor alone. A neighbour on the LAN has a route to
// the bridge's address and forges everything that the Supervisor says (CVE-2026-34205); so does another app on its bridge.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment, homespin } from '../../lab/agent-process.ts'
import { makeFolder, removeFolder } from '../../lab/folders.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { Program, requires, succeed, until } from '../../lab/process.ts'
import type { Answered, Asked } from './asker.ts'
import type { FakeState } from './fake-supervisor.ts'
import { TOKEN, user } from './fake-supervisor.ts'

/** The Supervisor's network is the same in every house (see agent/supervisor/ingress.ts); here it is one of a namespace. */
const BRIDGE = '172.30.32.1'
const SUPERVISOR = '172.30.32.2'
const OTHER_APP = '172.30.33.7'
const PORT = 62345
const ADMIN = 'a'.repeat(32)
const PLAIN = 'c'.repeat(32)

const STATE: FakeState = {
  self: { ip_address: BRIDGE, ingress: true, ingress_port: PORT, ingress_url: '/api/x/' },
  users: [user(ADMIN, ['system-admin']), user(PLAIN, ['system-users'])],
}
const FORGED = {
  'X-Remote-User-Id': ADMIN,
  'X-Ingress-Path': '/api/hassio_ingress/x',
  'X-Hass-Source': 'core.ingress',
  'X-Forwarded-For': `192.0.2.50, ${BRIDGE}`,
}
const HERE = import.meta.dirname

describe('ingress', function () {
  this.timeout(120_000)
  const spaces = new Namespaces()
  let supervisor: Program
  let agent: Program
  let data = ''

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await spaces.make(['box', 'sup', 'app', 'lan'])
    await layWires()
    supervisor = new Program('ip', [
      ...spaces.exec('sup', process.execPath, join(HERE, 'fake-supervisor.ts'), SUPERVISOR),
    ]).start()
    await supervisor.until(/listening/)
    supervisor.send(JSON.stringify(STATE))
    data = makeFolder()
    writeFileSync(
      join(data, 'options.json'),
      JSON.stringify({ mode: 'host', interfaces: ['lan0'], broker: 'mqtt://127.0.0.1:1' }),
    )
    agent = new Program(
      'ip',
      spaces.exec('box', ...homespin('start', '--data', data)),
      cleanEnvironment({ SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: `http://${SUPERVISOR}` }),
    ).start()
    await until('the page', async () => (await ask('sup', {}, 2000)).status, 30_000)
  })

  after(async () => {
    await agent?.stop('SIGTERM')
    await supervisor?.stop('SIGKILL')
    await spaces.remove()
    if (data !== '') removeFolder(data)
  })

  async function layWires(): Promise<void> {
    await spaces.ip('box', [
      'link set lo up',
      'link add hassio type bridge',
      'link set hassio up',
      `address add ${BRIDGE}/23 dev hassio`,
      ...['sup', 'app'].flatMap((name) => [
        `link add v-${name} type veth peer name eth0 netns ${spaces.name(name)}`,
        `link set v-${name} master hassio up`,
      ]),
      `link add lan0 type veth peer name eth0 netns ${spaces.name('lan')}`,
      'link set lan0 up',
      'address add 192.0.2.1/24 dev lan0',
    ])
    await spaces.ip('sup', ['link set eth0 up', `address add ${SUPERVISOR}/23 dev eth0`])
    await spaces.ip('app', [
      'link set eth0 up',
      `address add ${OTHER_APP}/23 dev eth0`,
      `address add ${SUPERVISOR}/32 dev lo`,
      'link set lo up',
    ])
    await spaces.ip('lan', [
      'link set lo up',
      'link set eth0 up',
      'address add 192.0.2.50/24 dev eth0',
      // What a neighbour can make up: the Supervisor's address is its own, and the bridge is behind the box.
      `address add ${SUPERVISOR}/32 dev lo`,
      `route add ${BRIDGE}/32 via 192.0.2.1 dev eth0`,
    ])
    // As Docker leaves a host, and as forgiving as one can be.
    await spaces.set('box', ['net/ipv4/ip_forward'], '1')
    const filters = ['all', 'default', 'lan0', 'hassio'].map((d) => `net/ipv4/conf/${d}/rp_filter`)
    await spaces.set('box', filters, '0')
  }

  async function ask(from: string, asked: Partial<Asked>, ms = 10_000): Promise<Answered> {
    const whole: Asked = { host: BRIDGE, port: PORT, path: '/', ...asked }
    const env = { ...process.env, ASK_MS: String(ms) }
    const command = spaces.exec(
      from,
      process.execPath,
      join(HERE, 'asker.ts'),
      JSON.stringify(whole),
    )
    return JSON.parse(await succeed('ip', command, { env })) as Answered
  }

  const pause = (headers: Record<string, string>): Partial<Asked> => ({
    path: '/api/pause',
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{}',
  })

  it('gives the Supervisor the page, and an administrator what it offers', async () => {
    const page = await ask('sup', { path: '/' })
    assert.match(page.body ?? '', /<homespin-panel>/)
    assert.doesNotMatch(page.body ?? '', /(?:src|href)="\//, 'a URL that is not relative')
    const info = await ask('sup', { path: '/api/info', headers: FORGED })
    assert.equal(info.status, 200)
    assert.equal(info.headers?.['homespin-role'], 'admin')
    assert.equal((JSON.parse(info.body ?? '') as { type: string }).type, 'info')
    assert.notEqual((await ask('sup', pause(FORGED))).status, 403)
  })

  it('lets who is no administrator look, and refuses what they order', async () => {
    const nobody: [string, Record<string, string>][] = [
      ['a user', { 'X-Remote-User-Id': PLAIN }],
      ['a stranger', { 'X-Remote-User-Id': 'e'.repeat(32) }],
      ['no user', {}],
      ['two users', { 'X-Remote-User-Id': `${ADMIN}, ${PLAIN}` }],
      ['a name', { 'X-Remote-User-Name': 'admin', 'X-Remote-User-Id': 'admin' }],
    ]
    for (const [who, headers] of nobody) {
      const seen = await ask('sup', { path: '/api/devices', headers })
      assert.equal(seen.status, 200, who)
      assert.equal(seen.headers?.['homespin-role'], 'view', who)
      assert.equal(seen.headers?.['homespin-role-why'], 'user', who)
      const ordered = await ask('sup', pause(headers))
      assert.equal(ordered.status, 403, `${who}: ${ordered.body}`)
      const rpc = { jsonrpc: '2.0', id: 1, method: 'panic', params: {} }
      const called = await ask('sup', {
        ...pause(headers),
        path: '/api/rpc',
        body: JSON.stringify(rpc),
      })
      assert.match(called.body ?? '', /needs the role admin/, who)
    }
  })

  it('does not take another site’s page for the user', async () => {
    const headers = { ...FORGED, 'Sec-Fetch-Site': 'cross-site' }
    assert.equal((await ask('sup', { path: '/api/info', headers })).status, 403)
    assert.equal((await ask('sup', pause(headers))).status, 403)
  })

  it('gives a neighbour on the LAN nothing, whatever it forges', async () => {
    // First that it gets there at all: a listener of that address that does not mind the interface answers it.
    const plain = new Program('ip', [
      ...spaces.exec(
        'box',
        process.execPath,
        '-e',
        `require('node:http').createServer((q, s) => s.end('reached')).listen(${PORT + 1}, '${BRIDGE}', () => console.log('up'))`,
      ),
    ]).start()
    try {
      await plain.until(/up/)
      const reached = await ask('lan', { port: PORT + 1, headers: FORGED })
      assert.equal(
        reached.body,
        'reached',
        'the lab is wrong: the neighbour has no way to the bridge',
      )
    } finally {
      await plain.stop('SIGKILL')
    }
    await succeed('ip', spaces.exec('box', 'nft', '-f', '-'), {
      input: [
        'add table inet watch',
        'add counter inet watch accepted',
        'add counter inet watch asked',
        'add chain inet watch out { type filter hook output priority 0 ; }',
        'add chain inet watch in { type filter hook input priority 0 ; }',
        `add rule inet watch out tcp sport ${PORT} tcp flags & (syn | ack | rst) == syn | ack counter name accepted`,
        `add rule inet watch in iifname lan0 tcp dport ${PORT} tcp flags & (syn | ack) == syn counter name asked`,
        '',
      ].join('\n'),
    })
    const own = await ask('lan', { path: '/api/info', headers: FORGED }, 3000)
    assert.ok(own.error !== undefined, `its own address: ${JSON.stringify(own)}`)
    const spoofed = await ask('lan', { path: '/api/info', headers: FORGED, from: SUPERVISOR }, 3000)
    assert.ok(spoofed.error !== undefined, `the Supervisor's address: ${JSON.stringify(spoofed)}`)
    const counters = await succeed('ip', spaces.exec('box', 'nft', 'list', 'counters'))
    const packets = [...counters.matchAll(/counter (\w+) \{\s+packets (\d+)/g)]
    const count = new Map(packets.map(([, name, n]) => [name, Number(n)]))
    assert.ok((count.get('asked') ?? 0) >= 2, 'what it sent did not arrive')
    assert.equal(
      count.get('accepted'),
      0,
      'a connection was accepted, even if its answer went elsewhere',
    )
  })

  it('gives other apps on the same bridge, and programs of this box, nothing', async () => {
    const other = await ask('app', { path: '/api/info', headers: FORGED, from: OTHER_APP })
    assert.equal(other.status, undefined, JSON.stringify(other))
    const local = await ask('box', { path: '/api/info', headers: FORGED })
    assert.equal(local.status, undefined, JSON.stringify(local))
    const loopback = await ask('box', { host: '127.0.0.1', path: '/api/info', headers: FORGED })
    assert.equal(loopback.error, 'ECONNREFUSED')
    const lan = await ask('lan', { host: '192.0.2.1', path: '/api/info', headers: FORGED })
    assert.equal(lan.error, 'ECONNREFUSED')
  })

  it('follows a network that is made anew', async () => {
    await succeed('ip', ['-n', spaces.name('box'), 'link', 'del', 'hassio'])
    await spaces.ip('box', [
      'link add hassio type bridge',
      'link set hassio up',
      `address add ${BRIDGE}/23 dev hassio`,
      'link set v-sup master hassio',
    ])
    await until('the page', async () => (await ask('sup', {}, 2000)).status, 60_000)
  })
})
