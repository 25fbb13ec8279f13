// The nodes that the tests deploy.
import { CAMERA, device, LAMP } from './agent-double.ts'

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

/** A node of orders about the camera. */
export const order = (type: 'block' | 'quarantine', over: object = {}): object => ({
  id: 'order-1',
  type: `homespin-${type}`,
  agent: 'agent-1',
  action: type,
  who: 'device',
  device: CAMERA,
  deviceType: 'str',
  group: '',
  groupType: 'str',
  level: 'local_only',
  levelType: 'level',
  remote: '',
  remoteType: 'str',
  protocol: 'any',
  protocolType: 'protocol',
  port: '',
  portType: 'str',
  for: '',
  forType: 'str',
  reason: '',
  reasonType: 'str',
  wait: 10,
  confirm: true,
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const dropped = (over: object = {}): object => ({
  id: 'blocked-1',
  type: 'homespin-blocked',
  agent: 'agent-1',
  mode: 'each',
  devices: [],
  rule: '',
  ruleType: 'str',
  cause: '',
  causeType: 'cause',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const incidents = (over: object = {}): object => ({
  id: 'incident-1',
  type: 'homespin-incident',
  agent: 'agent-1',
  tellOpened: true,
  tellChanged: true,
  tellClosed: true,
  tellPresent: true,
  devices: [],
  kinds: '',
  severity: 'info',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const waiting = (over: object = {}): object => ({
  id: 'connection-1',
  type: 'homespin-connection',
  agent: 'agent-1',
  devices: [],
  direction: 'any',
  remote: '',
  remoteType: 'str',
  port: '',
  portType: 'str',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const verdict = (over: object = {}): object => ({
  id: 'verdict-1',
  type: 'homespin-verdict',
  agent: 'agent-1',
  verdict: 'accept',
  verdictType: 'verdict',
  remember: '',
  rememberType: 'str',
  output: 'payload',
  wires: [['ear-1']],
  ...over,
})
export const rate = (over: object = {}): object => ({
  id: 'rate-1',
  type: 'homespin-rate',
  key: 'topic',
  keyType: 'msg',
  count: 'messages',
  value: 'payload.responder.ip',
  valueType: 'msg',
  threshold: '5',
  thresholdType: 'num',
  window: '1',
  windowType: 'num',
  again: '0',
  againType: 'num',
  output: 'payload',
  wires: [['ear-1'], ['ear-2']],
  ...over,
})
