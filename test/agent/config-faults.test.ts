import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../../agent/config.ts'
import type { Flags } from '../../agent/config-read.ts'
import { loadConfig } from '../../agent/config-read.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'homespin-config-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function fileOf(text: string | Buffer, name = 'homespin.yaml'): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function faultOf(file: string | undefined, env: NodeJS.ProcessEnv = {}, flags: Flags = {}): string {
  let message = ''
  assert.throws(
    () => loadConfig(file, env, flags),
    (error: Error) => {
      message = error.message
      return error instanceof ConfigError
    },
  )
  return message
}

interface Fault {
  what: string
  text: string
  /** Each must be in the message. */
  says: (string | RegExp)[]
}

const faults: Fault[] = [
  {
    what: 'an unknown key',
    text: 'agent: home\nmdoe: host\n',
    says: ['line 2: mdoe: no such key', 'did you mean mode?', 'interfaces'],
  },
  {
    what: 'two unknown keys',
    text: 'mdoe: host\n\nagnet: x\n',
    says: ['line 1: mdoe', 'mean mode?', 'line 3: agnet', 'mean agent?'],
  },
  {
    what: 'an unknown group',
    text: 'mqt:\n  username: x\n',
    says: ['line 1: mqt: no such key', 'did you mean mqtt?'],
  },
  {
    what: 'an unknown key of a group',
    text: 'mqtt:\n  prefix: a\n  usrname: x\n',
    says: ['line 3: mqtt.usrname: no such key', 'mean mqtt.username?', 'ca_file'],
  },
  { what: 'a dotted key', text: 'flows.max: 500\n', says: ['line 1: flows.max: no such key'] },
  {
    what: 'a key of another language',
    text: '__proto__:\n  mode: mirror\n',
    says: ['line 1: __proto__: no such key'],
  },
  {
    what: 'a key constructor',
    text: 'constructor: x\n',
    says: ['line 1: constructor: no such key'],
  },
  { what: 'a merge key', text: '<<: { mode: host }\n', says: ['line 1: <<: no such key'] },
  {
    what: 'a word for a number',
    text: 'flows:\n  max: many\n',
    says: ['line 2: flows.max', 'expected number', 'Example: flows: { max: 131072 }'],
  },
  {
    what: 'a number for a word',
    text: 'agent: 5\n',
    says: ['line 1: agent', 'expected string', 'Example: agent: home'],
  },
  {
    what: 'yes for true',
    text: 'promiscuous: yes\n',
    says: ['line 1: promiscuous', 'expected boolean', 'Example: promiscuous: true'],
  },
  {
    what: 'a word for a list',
    text: 'interfaces: eth0\n',
    says: ['line 1: interfaces', 'expected array', 'Example: interfaces: [br-lan]'],
  },
  {
    what: 'nothing for a word',
    text: 'agent: a\ndata:\n',
    says: ['line 2: data', 'expected string', 'Example: data: /var/lib/homespin'],
  },
  {
    what: 'nothing for a group',
    text: 'mqtt:\n',
    says: ['line 1: mqtt', 'expected object', 'Example: mqtt: { username: homespin }'],
  },
  {
    what: 'a list for a group',
    text: 'history: [a]\n',
    says: ['line 1: history', 'expected object', 'Example: history: {'],
  },
  {
    what: 'too little',
    text: 'flows:\n  max: 15\n',
    says: ['line 2: flows.max', '>=16', 'Example'],
  },
  {
    what: 'too much',
    text: 'devices:\n  gone_after_s: 86401\n',
    says: ['line 2: devices.gone_after_s', '<=86400', 'Example: devices: { gone_after_s: 60 }'],
  },
  {
    what: 'a broken number',
    text: 'flows:\n  max: 100.5\n',
    says: ['line 2: flows.max', 'expected int'],
  },
  {
    what: 'no number',
    text: 'history:\n  max_mb: .nan\n',
    says: ['line 2: history.max_mb', 'expected number', 'NaN'],
  },
  {
    what: 'an endless number',
    text: 'history:\n  days_days: .inf\n',
    says: ['line 2: history.days_days', 'expected number'],
  },
  {
    what: 'a port that is none',
    text: 'mqtt:\n  embedded_port: 65536\n',
    says: ['line 2: mqtt.embedded_port', '<=65535', 'Example: mqtt: { embedded_port: 1883 }'],
  },
  {
    what: 'a mode that is none',
    text: 'mode: gatway\n',
    says: ['line 1: mode', '"gateway"', 'Example: mode: gateway'],
  },
  {
    what: 'a log level that is none',
    text: 'log: loud\n',
    says: ['line 1: log', '"debug"', 'Example: log: info'],
  },
  {
    what: 'a prefix that is none',
    text: 'lan:\n  - 192.0.2.0/24\n  - 192.0.2.0/33\n',
    says: ['line 3: lan.1', 'CIDR', 'Example: lan: [192.0.2.0/24]'],
  },
  { what: 'a name for a prefix', text: 'lan: [home]\n', says: ['line 1: lan.0', 'CIDR'] },
  {
    what: 'an interface that cannot be',
    text: 'interfaces: [eth0, "../x"]\n',
    says: ['line 1: interfaces.1', 'name of an interface', 'Example'],
  },
  {
    what: 'an agent that is no part of a topic',
    text: 'agent: Attic/+\n',
    says: ['line 1: agent', '1 to 32', 'Example: agent: home'],
  },
  {
    what: 'a topic prefix with a wildcard',
    text: 'mqtt: { prefix: "a/#" }\n',
    says: ['line 1: mqtt.prefix', 'topic levels', 'Example: mqtt: { prefix: homespin }'],
  },
  {
    what: 'another kind of broker',
    text: 'broker: http://broker.example\n',
    says: ['line 1: broker', 'mqtt://HOST[:PORT]', 'Example: broker: mqtt'],
  },
  {
    what: 'a broker without a scheme',
    text: 'broker: broker.example\n',
    says: ['line 1: broker', 'mqtt://HOST[:PORT]'],
  },
  {
    what: 'a broker without a host',
    text: 'broker: "mqtt://"\n',
    says: ['line 1: broker', 'mqtt://HOST[:PORT]'],
  },
  {
    what: 'a broker with a user',
    text: 'broker: mqtt://me@broker.example\n',
    says: ['line 1: broker'],
  },
  {
    what: 'a broker with a password',
    text: 'broker: mqtt://:secret@broker.example\n',
    says: ['line 1: broker'],
  },
  {
    what: 'a broker with a path',
    text: 'broker: mqtt://broker.example/x\n',
    says: ['line 1: broker'],
  },
  {
    what: 'a broker with a query',
    text: 'broker: mqtt://broker.example?x=1\n',
    says: ['line 1: broker'],
  },
  {
    what: 'a broker with a port that is none',
    text: 'broker: mqtt://broker.example:99999\n',
    says: ['line 1: broker'],
  },
  {
    what: 'a page without a port',
    text: 'http: localhost\n',
    says: ['line 1: http', 'HOST:PORT', 'Example: http: 127.0.0.1:8080'],
  },
  {
    what: 'a page on a port that is none',
    text: 'http: "127.0.0.1:65536"\n',
    says: ['line 1: http', 'HOST:PORT'],
  },
  {
    what: 'a page at an address without brackets',
    text: 'http: "::1:8080"\n',
    says: ['line 1: http', 'HOST:PORT'],
  },
  { what: 'a short token', text: 'token: secret\n', says: ['line 1: token', 'at least 16'] },
  {
    what: 'mode file without files',
    text: 'mode: file\n',
    says: ['mode file needs files', 'Example'],
  },
  {
    what: 'a key twice',
    text: 'agent: a\nmode: host\nagent: b\n',
    says: ['line 3', 'each key once'],
  },
  {
    what: 'a key of a group twice',
    text: 'mqtt:\n  prefix: a\n  prefix: b\n',
    says: ['line 3', 'each key once'],
  },
  {
    what: 'an anchor and its alias',
    text: 'interfaces: &all [eth0]\nfiles: *all\n',
    says: ['aliases', 'not taken'],
  },
  {
    what: 'an anchors bomb',
    text: `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join()}]\n`).join('')}`,
    says: ['aliases', 'not taken'],
  },
  {
    what: 'a list as document',
    text: '- agent: home\n',
    says: ['expected keys with values', 'Example: agent: home'],
  },
  {
    what: 'a sentence as document',
    text: 'watch everything\n',
    says: ['expected keys with values'],
  },
  { what: 'two documents', text: 'agent: a\n---\nagent: b\n', says: ['line 2', 'one document'] },
  { what: 'a tab before a key', text: 'mqtt:\n\tprefix: a\n', says: ['line 2', 'tab'] },
  {
    what: 'a list that does not end',
    text: 'agent: home\nlan: [192.0.2.0/24\nmode: host\n',
    says: [/line \d/, 'Example'],
  },
  {
    what: 'something else than text',
    text: '\u0000\u0001\ufffd\ufffd',
    says: ['expected keys with values'],
  },
  {
    what: 'two megabytes',
    text: `# ${'x'.repeat(2_000_000)}\nagent: home\n`,
    says: ['larger than 1 MB'],
  },
]

describe('a fault in the configuration is named', () => {
  it('for as many faults as were asked for', () => assert.ok(faults.length >= 25))

  for (const { what, text, says } of faults) {
    it(`in the file: ${what}`, () => {
      const file = fileOf(text)
      const message = faultOf(file)
      for (const part of says) {
        assert.ok(
          typeof part === 'string' ? message.includes(part) : part.test(message),
          `${part} in: ${message}`,
        )
      }
      assert.ok(message.includes(file), message)
      assert.ok(message.length < 1500 && !message.includes('secret'), message)
    })
  }

  it('in the environment, with the variable', () => {
    const cases: [env: NodeJS.ProcessEnv, says: string[]][] = [
      [{ HOMESPIN_MDOE: 'host' }, ['HOMESPIN_MDOE', 'mean HOMESPIN_MODE?']],
      [{ HOMESPIN_MQTT_PASWORD: 'x' }, ['HOMESPIN_MQTT_PASWORD', 'mean HOMESPIN_MQTT_PASSWORD?']],
      [
        { HOMESPIN_MODE: 'x' },
        ['HOMESPIN_MODE in the environment', '"gateway"', 'Example: HOMESPIN_MODE=gateway'],
      ],
      [
        { HOMESPIN_FLOWS_MAX: 'x' },
        ['HOMESPIN_FLOWS_MAX', 'expected number', 'Example: HOMESPIN_FLOWS_MAX=131072'],
      ],
      [{ HOMESPIN_FLOWS_MAX: '' }, ['HOMESPIN_FLOWS_MAX', 'expected number']],
      [
        { HOMESPIN_PROMISCUOUS: '1' },
        ['HOMESPIN_PROMISCUOUS', 'expected boolean', 'Example: HOMESPIN_PROMISCUOUS=true'],
      ],
      [
        { HOMESPIN_LAN: '192.0.2.0/24,x' },
        ['HOMESPIN_LAN', 'lan.1', 'Example: HOMESPIN_LAN=192.0.2.0/24'],
      ],
    ]
    for (const [env, says] of cases) {
      const message = faultOf(undefined, env)
      for (const part of says) assert.ok(message.includes(part), `${part} in: ${message}`)
    }
  })

  it('in a flag, with the flag', () => {
    const cases: [flags: Flags, says: string[]][] = [
      [{ lan: ['x'] }, ['--lan', 'CIDR', 'Example: --lan 192.0.2.0/24']],
      [
        { interfaces: ['eth0', 'a/b'] },
        ['--interface:', 'interfaces.1', 'Example: --interface br-lan'],
      ],
      [{ 'flows.max': '15' }, ['--flows-max', '>=16', 'Example: --flows-max 131072']],
      [{ 'mqtt.embedded_port': 'x' }, ['--mqtt-embedded-port', 'expected number']],
      [{ agent: '' }, ['--agent', '1 to 32']],
    ]
    for (const [flags, says] of cases) {
      const message = faultOf(undefined, {}, flags)
      for (const part of says) assert.ok(message.includes(part), `${part} in: ${message}`)
    }
  })

  it('of several sources together, each with its own place', () => {
    const file = fileOf('mode: x\nlog: x\nagent: "?"\n')
    const message = faultOf(file, { HOMESPIN_LOG: 'y' }, { agent: '!' })
    assert.deepEqual(
      message
        .split('\n')
        .map((line) => line.slice(0, line.indexOf(': ')))
        .sort(),
      ['--agent', 'HOMESPIN_LOG in the environment', `${file}, line 1`].sort(),
    )
  })

  it('where there is no file, or no right to it, or a directory', () => {
    assert.match(faultOf(join(folder, 'none.yaml')), /none\.yaml can't be read: ENOENT.*--config/s)
    assert.match(faultOf(folder), /can't be read: EISDIR.*--config/s)
    if (process.getuid?.() === 0) return
    const secret = fileOf('agent: x\n', 'secret.yaml')
    chmodSync(secret, 0)
    assert.match(faultOf(secret), /can't be read: EACCES/)
  })
})
