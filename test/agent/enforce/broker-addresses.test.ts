import assert from 'node:assert/strict'
import { BrokerAddresses, brokerHost } from '../../../agent/enforce/place/broker-addresses.ts'
import { PlaceWatch } from '../../../agent/enforce/place/place-watch.ts'
import { ProtectedList } from '../../../agent/enforce/place/protected.ts'
import { createLog } from '../../../agent/log.ts'
import { gatewayPlan, probesOf, routerBox } from './boxes.ts'

describe('addresses of the broker', () => {
  it('of a URL: its host, none of the embedded one', async () => {
    assert.equal(brokerHost('mqtt://broker.example.net:1884'), 'broker.example.net')
    assert.equal(brokerHost('mqtts://[2001:db8::7]'), '2001:db8::7')
    assert.equal(brokerHost('embedded'), undefined)
    const never = (): Promise<never> => assert.fail('looked up')
    assert.deepEqual(await new BrokerAddresses('embedded', never).current(), [])
    const six = new BrokerAddresses('mqtts://[2001:db8::7]', never)
    assert.deepEqual(await six.current(), ['2001:db8::7'])
  })

  it('follow the name, stay while it has none, and are bounded', async () => {
    let now: string[] | undefined = ['192.0.2.8', 'fe80::1%eth0']
    const broker = new BrokerAddresses('mqtt://broker.example.net', async () => {
      if (now === undefined) throw new Error('no such name')
      return now
    })
    assert.deepEqual(await broker.current(), ['192.0.2.8', 'fe80::1'])
    now = undefined
    assert.deepEqual(await broker.current(), ['192.0.2.8', 'fe80::1'])
    now = ['192.0.2.9']
    assert.deepEqual(await broker.current(), ['192.0.2.8', '192.0.2.9', 'fe80::1'])
    now = Array.from({ length: 100 }, (_, i) => `203.0.113.${i}`)
    assert.equal((await broker.current()).length, 32)
  })

  it('are protected from the start', async () => {
    const list = new ProtectedList()
    const box = routerBox()
    const nothing = { brokers: [], homeAssistant: [], admin: [] }
    const options = { ...nothing, masquerade: true, queues: { dns: 1, first: 2 } }
    const watch = new PlaceWatch(options, {
      box,
      plan: () => gatewayPlan(box),
      probe: async (interfaces) => probesOf(interfaces),
      resolvConf: async () => undefined,
      brokers: async () => ['203.0.113.20'],
      log: createLog('error'),
      onPlace: () => {},
      onSurroundings: (surroundings) => list.follow(surroundings),
    })
    await watch.start()
    await watch.stop()
    const fault = list.targetFault({ prefix: '203.0.113.0/24', forDevice: true })
    assert.match(fault?.message ?? '', /the MQTT broker/)
    assert.equal(list.targetFault({ prefix: '203.0.112.0/24', forDevice: true }), undefined)
  })
})
