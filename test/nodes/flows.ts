// The nodes that the tests deploy.
import { device, LAMP } from './agent-double.ts'

export const lamp = device({
  id: LAMP,
  mac: '02:0d:e0:00:00:02',
  ips: ['192.0.2.12'],
  name: 'lamp',
})
export const EAR = { id: 'ear-1', type: 'helper' }
export const CATCH = { id: 'catch-1', type: 'catch', scope: null, wires: [['caught-1']] }
export const CAUGHT = { id: 'caught-1', type: 'helper' }

export const traffic = (over: object = {}): object => ({
  id: 'traffic-1',
  type: 'homespin-traffic',
  agent: 'agent-1',
  mode: 'flows',
  when: 'every',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const queries = (over: object = {}): object => ({
  id: 'dns-1',
  type: 'homespin-dns',
  agent: 'agent-1',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const devices = (over: object = {}): object => ({
  id: 'device-1',
  type: 'homespin-device',
  agent: 'agent-1',
  tellNew: true,
  tellChanged: true,
  tellGone: true,
  target: 'payload',
  targetType: 'msg',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
