import assert from 'node:assert/strict'
import { AgentDouble, CAMERA, device, dns, flow, LAMP } from './agent-double.ts'
import { CATCH, CAUGHT, devices, EAR, lamp, queries, traffic } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import type { Heard } from './runtime.ts'
import {
  badgesOf,
  deploy,
  Ear,
  nodeOf,
  startRuntime,
  stopRuntime,
  undeploy,
  until,
  untilBadge,
} from './runtime.ts'

const messageOf = (msg: Heard | undefined): string =>
  String((msg?.error as Error | undefined)?.message)

describe('nodes that tell', function () {
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

  describe('homespin-traffic', () => {
    it('sends a message per flow, with the id and the name of its device', async () => {
      await deploy(broker.port, [traffic(), EAR])
      const ear = new Ear(nodeOf('ear-1'))
      const badges = badgesOf(nodeOf('traffic-1'))
      await untilBadge(badges, 'homespin.status.waiting')
      await agent.arrive([device({ name: '<b>camera</b>' })])
      await untilBadge(badges, 'homespin.status.online')
      await agent.flows([flow(), flow({ id: 'r1-2', state: 'active' })])
      const [first, second] = await ear.take(2)
      assert.deepEqual(first?.payload, flow())
      assert.equal(first?.topic, CAMERA)
      assert.deepEqual(first?.device, { id: CAMERA, name: '<b>camera</b>' })
      assert.equal(second?.payload.id, 'r1-2')
      await untilBadge(badges, 'homespin.status.flows')
      await agent.raw(agent.topics.status, 'offline', true)
      await untilBadge(badges, 'homespin.status.offline')
    })

    it('tells of a flow when it begins, or when it has ended', async () => {
      const ends = traffic({ id: 'ends', when: 'closed', wires: [['caught-1']] })
      await deploy(broker.port, [traffic({ when: 'new' }), ends, EAR, CAUGHT])
      const [begins, ended] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      const badges = badgesOf(nodeOf('ends'))
      await agent.arrive()
      await untilBadge(badges, 'homespin.status.online')
      await agent.flows([flow({ id: 'a' })])
      await agent.flows([flow({ id: 'a', state: 'active' })])
      await agent.flows([flow({ id: 'a', state: 'closed' }), flow({ id: 'b', state: 'closed' })])
      assert.deepEqual(
        (await ended.take(2)).map((msg) => msg.payload.id),
        ['a', 'b'],
      )
      assert.deepEqual(
        (await begins.take(2)).map((msg) => msg.payload.id),
        ['a', 'b'],
      )
      assert.deepEqual([begins.messages, ended.messages], [[], []])
    })

    it('filters by what the editor, a context or a message says', async () => {
      const filter = { devices: [CAMERA], remote: 'watched', remoteType: 'flow', port: '443' }
      await deploy(broker.port, [traffic(filter), EAR, CATCH, CAUGHT])
      const node = nodeOf('traffic-1')
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      const badges = badgesOf(node)
      node.context().flow.set('watched', ['example.net', '2001:db8::/32'])
      await agent.arrive()
      await untilBadge(badges, 'homespin.status.online')
      const all = [
        flow({ id: 'com' }),
        flow({ id: 'net', remote_name: 'x.example.net' }),
        flow({ id: 'v6', remote_name: undefined, responder: { ip: '2001:db8::1', port: 443 } }),
        flow({ id: 'lamp', device_id: LAMP, remote_name: 'example.net' }),
        flow({ id: 'udp', remote_name: 'example.net', responder: { ip: '192.0.2.9', port: 53 } }),
      ]
      const idsOf = async (count: number): Promise<unknown[]> => {
        await agent.flows(all)
        return (await ear.take(count)).map((msg) => msg.payload.id)
      }
      assert.deepEqual(await idsOf(2), ['net', 'v6'])

      node.context().flow.set('watched', 'example.com')
      assert.deepEqual(await idsOf(1), ['com'])

      node.receive({ filter: { devices: ['02:0d:e0:00:00:02'], remote: '' } })
      assert.deepEqual(await idsOf(1), ['lamp'])

      node.receive({ filter: { port: 'none' } })
      const [failed] = await caught.take(1)
      assert.match(messageOf(failed), /“none” is not a port/)
      node.receive({})
      assert.match(messageOf((await caught.take(1))[0]), /msg.filter must be/)
      assert.deepEqual(await idsOf(1), ['lamp'], 'a wrong filter leaves the last one in place')

      node.receive({ filter: null })
      node.context().flow.set('watched', 'not a..name')
      await agent.flows(all)
      await untilBadge(badges, 'homespin.status.filter')
      assert.match(messageOf((await caught.take(1))[0]), /is not a name/)
      node.context().flow.set('watched', 'example.net')
      assert.deepEqual(await idsOf(1), ['net'])
      assert.deepEqual(ear.messages, [])
    })

    it('sums up per device and interval', async () => {
      const summary = { mode: 'summary', interval: 1, output: 'sum.of', devices: [CAMERA, LAMP] }
      await agent.arrive([device(), lamp])
      await deploy(broker.port, [traffic(summary), EAR])
      const ear = new Ear(nodeOf('ear-1'))
      const sumOf = (msg: object): Record<string, unknown> =>
        (msg as { sum: { of: Record<string, unknown> } }).sum.of
      // The first interval began before the agent was there; the first whole one says so.
      await until(
        () => ear.messages.some((msg) => sumOf(msg).complete === true),
        'a whole interval',
      )
      ear.messages.length = 0
      await agent.flows([flow({ sent_bytes: 300 }), flow({ id: 'b', sent_bytes: 50 })])
      await agent.flows([flow({ sent_bytes: 340, state: 'active' })])
      await until(() => ear.messages.some((msg) => sumOf(msg).sent_bytes !== 0), 'the sum')
      const all = ear.messages.map(sumOf).filter((sum) => sum.device_id === CAMERA)
      const total = all.reduce((sum, each) => sum + Number(each.sent_bytes), 0)
      assert.equal(total, 390)
      const silent = ear.messages.find((msg) => msg.topic === LAMP)
      assert.equal(sumOf(silent ?? {}).sent_bytes, 0)
      assert.deepEqual(silent?.device, { id: LAMP, name: 'lamp' })
      assert.ok(silent)
      assert.equal((silent.parts as { count: number }).count, 2)
    })

    it('does not let one flow write into what another gets', async () => {
      const other = traffic({ id: 'other', wires: [['caught-1']] })
      await deploy(broker.port, [traffic(), other, EAR, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      nodeOf('ear-1').on('input', (msg: { payload: { responder: { ip: string } } }) => {
        msg.payload.responder.ip = 'changed'
      })
      const badges = badgesOf(nodeOf('other'))
      await agent.arrive()
      await untilBadge(badges, 'homespin.status.online')
      await agent.flows([flow()])
      await ear.take(1)
      assert.deepEqual((await caught.take(1))[0]?.payload, flow())
    })
  })

  describe('homespin-dns', () => {
    it('sends the queries that its filter lets through', async () => {
      await agent.arrive([device()])
      await deploy(broker.port, [
        queries({ domain: 'example.com', only: 'failed', output: 'dns' }),
        EAR,
      ])
      const ear = new Ear(nodeOf('ear-1'))
      const badges = badgesOf(nodeOf('dns-1'))
      await untilBadge(badges, 'homespin.status.online')
      const missing = dns({ query: 'no.example.com', rcode: 'NXDOMAIN', answers: [] })
      await agent.dns([dns(), missing, dns({ query: 'no.example.net', rcode: 'NXDOMAIN' })])
      const [msg] = await ear.take(1)
      assert.deepEqual(msg?.dns, missing)
      assert.deepEqual([msg?.topic, msg?.device], [CAMERA, { id: CAMERA, name: 'camera' }])
      nodeOf('dns-1').receive({ filter: { only: 'all', qtype: 'AAAA' } })
      await agent.dns([dns(), dns({ qtype: 'AAAA' })])
      assert.deepEqual((await ear.take(1))[0]?.dns, dns({ qtype: 'AAAA' }))
      assert.deepEqual(ear.messages, [])
    })
  })

  describe('homespin-device', () => {
    it('tells of devices that are there, new, changed, gone and back', async () => {
      await agent.arrive([device(), { ...lamp, present: false }])
      await deploy(broker.port, [devices({ tellPresent: true }), EAR])
      const ear = new Ear(nodeOf('ear-1'))
      const next = async (): Promise<unknown[]> => {
        const [msg] = await ear.take(1)
        return [msg?.event, msg?.topic, msg?.changed]
      }
      assert.deepEqual(await next(), ['present', CAMERA, undefined])
      const badges = badgesOf(nodeOf('device-1'))
      await untilBadge(badges, 'homespin.status.present')
      const plug = device({ id: '020de0000003', name: 'plug' })
      await agent.event({ kind: 'device_new', device: plug, device_id: plug.id })
      await agent.device(plug)
      assert.deepEqual(await next(), ['new', plug.id, undefined])
      await agent.device(device({ name: 'porch' }))
      assert.deepEqual(await next(), ['changed', CAMERA, ['name']])
      await agent.device(device({ name: 'porch', sent_bytes: 5 }))
      await agent.event({ kind: 'device_gone', device: { ...plug, present: false } })
      await agent.device({ ...plug, present: false })
      assert.deepEqual(await next(), ['gone', plug.id, undefined])
      await agent.device(lamp)
      assert.deepEqual(await next(), ['back', LAMP, undefined])
      await agent.forget(CAMERA)
      assert.deepEqual(await next(), ['gone', CAMERA, undefined])
      assert.deepEqual(ear.messages, [])
      await untilBadge(badges, 'homespin.status.gone')
    })

    it('finds the device that a message asks for, and fails on one that there is not', async () => {
      await agent.arrive([device(), lamp])
      const asked = devices({ target: 'who.is', output: 'found', tellPresent: true })
      await deploy(broker.port, [asked, EAR, CATCH, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      await ear.take(2)
      for (const is of [CAMERA, '02-0D-E0-00-00-01', '2001:db8:1:0::11', 'Camera']) {
        nodeOf('device-1').receive({ who: { is }, payload: 'kept' })
        const [msg] = await ear.take(1)
        assert.deepEqual(msg?.found, device(), is)
        assert.deepEqual([msg?.event, msg?.topic, msg?.payload], ['asked', CAMERA, 'kept'])
      }
      const wrong = { unknown: 'nobody', target: 7 }
      for (const [error, is] of Object.entries(wrong)) {
        nodeOf('device-1').receive({ who: { is } })
        const [msg] = await caught.take(1)
        assert.ok(messageOf(msg).endsWith(`homespin-device.error.${error}`))
      }
      await agent.device(device({ id: '020de0000003', name: 'lamp' }))
      await ear.take(1)
      nodeOf('device-1').receive({ who: { is: 'lamp' } })
      const [msg] = await caught.take(1)
      assert.ok(messageOf(msg).endsWith('homespin-device.error.ambiguous'))
    })
  })
})
