import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentDouble, device, flow, LAMP } from './agent-double.ts'
import { CATCH, CAUGHT, devices, EAR, order, queries, traffic } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { freePort, hasMosquitto, startMosquitto } from './mosquitto.ts'
import {
  adminGet,
  badgesOf,
  deploy,
  Ear,
  errorsOf,
  nodeOf,
  startRuntime,
  stopRuntime,
  undeploy,
  until,
  untilBadge,
} from './runtime.ts'

describe('homespin-agent', function () {
  this.timeout(20000)
  let broker: Mosquitto
  let agent: AgentDouble

  before(async function () {
    if (!hasMosquitto()) this.skip()
    await startRuntime()
  })
  after(() => stopRuntime())
  beforeEach(async () => {
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await broker?.stop()
  })

  it('shares one connection among its nodes, and closes it with the last', async () => {
    await agent.arrive()
    await deploy(broker.port, [traffic(), queries(), devices(), EAR])
    await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.online')
    const ours = (): number => broker.log().match(/as homespin-nr-/g)?.length ?? 0
    assert.equal(ours(), 1)
    await undeploy()
    await until(() => /homespin-nr-[0-9a-f]+ disconnected/.test(broker.log()), 'the goodbye')
    assert.equal(ours(), 1)
  })

  it('refuses an agent that speaks another protocol, and takes it back', async () => {
    await agent.arrive([], { protocol: 2, version: '9.0.0' })
    await deploy(broker.port, [traffic(), EAR])
    const ear = new Ear(nodeOf('ear-1'))
    const badges = badgesOf(nodeOf('traffic-1'))
    await untilBadge(badges, 'homespin.status.protocol')
    assert.match(
      errorsOf(nodeOf('agent-1'))[0] ?? '',
      /version 9\.0\.0\) speaks protocol 2, and these nodes 1/,
    )
    await agent.flows([flow({ id: 'refused' })])
    await agent.info()
    await untilBadge(badges, 'homespin.status.online')
    await agent.flows([flow({ id: 'taken' })])
    assert.equal((await ear.take(1))[0]?.payload.id, 'taken')
  })

  it('shrugs at hostile messages', async () => {
    await agent.arrive([device()])
    await deploy(broker.port, [traffic(), queries(), devices(), EAR])
    const ear = new Ear(nodeOf('ear-1'))
    await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.online')
    const { topics } = agent
    const hostile = [
      '',
      '{',
      'null',
      '[]',
      '{"__proto__":{"polluted":1}}',
      '['.repeat(30000),
      JSON.stringify({ type: 'flow_batch', flows: [null] }),
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.alloc(70000, 0x20),
    ]
    for (const payload of hostile) {
      for (const topic of [topics.flow, topics.dns, topics.event, topics.device(LAMP)]) {
        await agent.raw(topic, payload)
      }
    }
    await agent.raw('homespin/home/device/__proto__', JSON.stringify(device()))
    await agent.raw(topics.device(LAMP), JSON.stringify(device()))
    const inner = { ...flow(), remote_name: '<img src=x onerror=alert(1)>' }
    await agent.flows([inner, { ...flow(), sent_bytes: null } as never])
    const [msg] = await ear.take(1)
    assert.equal(msg?.payload.remote_name, '<img src=x onerror=alert(1)>')
    assert.deepEqual(ear.messages, [])
    assert.equal((Object.prototype as Record<string, unknown>).polluted, undefined)
  })

  it('gives the editor its list of devices', async () => {
    const listed = device({ name: '<script>alert(1)</script>' })
    await agent.arrive([listed])
    await deploy(broker.port, [devices({ tellPresent: true }), EAR])
    await new Ear(nodeOf('ear-1')).take(1)
    const { status, body } = await adminGet('/homespin/agents/agent-1/devices')
    const { id, name, mac, vendor } = listed
    assert.equal(status, 200)
    assert.deepEqual(body, {
      state: 'online',
      devices: [{ id, name, vendor, ip: listed.ips[0], mac }],
    })
    assert.equal((await adminGet('/homespin/agents/device-1/devices')).status, 404)
    assert.equal((await adminGet('/homespin/agents/nothing/devices')).status, 404)
  })

  it('comes in with user, password and the CA of a tls-config node', async () => {
    const secured = await startMosquitto({ user: 'reader', password: 'secret', tls: true })
    const ca = readFileSync(secured.caFile as string)
    const tls = {
      id: 'tls-1',
      z: '',
      type: 'tls-config',
      ca: secured.caFile,
      verifyservercert: true,
    }
    const login = { username: 'reader', password: 'secret' }
    const inside = await AgentDouble.connect(secured.port, { protocol: 'mqtts', ca, ...login })
    await inside.arrive()
    try {
      const settings = { usetls: true, tls: 'tls-1' }
      const credentials = { user: 'reader', password: 'secret' }
      await deploy(secured.port, [tls, traffic(), EAR], settings, credentials)
      await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.online')
      await undeploy()
      await deploy(secured.port, [tls, traffic(), EAR], settings, {
        ...credentials,
        password: 'x',
      })
      await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.refused')
    } finally {
      await inside.leave()
      await secured.stop()
    }
  })

  it('says what is wrong with settings that cannot work', async () => {
    await deploy(broker.port, [traffic(), order('block'), EAR, CATCH, CAUGHT], { prefix: 'a/#' })
    assert.deepEqual(errorsOf(nodeOf('agent-1')), ['homespin-agent.error.settings'])
    for (const id of ['traffic-1', 'order-1'])
      assert.equal(badgesOf(nodeOf(id)).at(-1)?.text, 'homespin.status.settings')
    const caught = new Ear(nodeOf('caught-1'))
    nodeOf('order-1').receive({})
    const [msg] = await caught.take(1)
    assert.ok(
      String((msg?.error as Error | undefined)?.message).endsWith('homespin.error.settings'),
    )
  })

  it('says of certificates that cannot be used, or not be read, that they cannot', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'homespin-tls-'))
    const file = join(directory, 'broken.pem')
    writeFileSync(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const tls = { id: 'tls-1', z: '', type: 'tls-config', verifyservercert: true }
    const settings = { usetls: true, tls: 'tls-1' }
    try {
      await deploy(broker.port, [{ ...tls, cert: file, key: file }, traffic(), EAR], settings)
      await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.tls')
      await undeploy()
      await deploy(broker.port, [{ ...tls, ca: join(directory, 'none') }, traffic(), EAR], settings)
      assert.equal(badgesOf(nodeOf('traffic-1')).at(-1)?.text, 'homespin.status.settings')
      assert.deepEqual(errorsOf(nodeOf('agent-1')), ['homespin-agent.error.settings'])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('waits for a broker that is not there yet', async () => {
    const port = await freePort()
    await deploy(port, [traffic(), EAR])
    const badges = badgesOf(nodeOf('traffic-1'))
    await untilBadge(badges, 'homespin.status.disconnected')
    const late = await startMosquitto({ port })
    try {
      await untilBadge(badges, 'homespin.status.waiting')
    } finally {
      await undeploy()
      await late.stop()
    }
  })
})
