import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { exampleOf, flagOf, keysOf, splitHostPort } from '../../agent/config.ts'
import type { Flags } from '../../agent/config-read.ts'
import { defaultData, loadConfig } from '../../agent/config-read.ts'

/** A value of each key that is not its default, as it stands in a file. */
const VALUES: Record<string, unknown> = {
  agent: 'attic',
  mode: 'bridge',
  interfaces: ['br-lan', 'eth1'],
  lan: ['192.0.2.0/24', '2001:db8::/64'],
  files: ['a.pcap', 'b.pcap'],
  promiscuous: true,
  data: '/srv/homespin',
  broker: 'mqtts://broker.example.net',
  http: '[::1]:8080',
  token: 'sixteen-characters-long',
  trust_clock: true,
  log: 'debug',
  'mqtt.username': 'someone',
  'mqtt.password': '123, 4',
  'mqtt.ca_file': 'ca.pem',
  'mqtt.cert_file': 'cert.pem',
  'mqtt.key_file': 'key.pem',
  'mqtt.prefix': 'home/spin',
  'mqtt.publish_names': false,
  'mqtt.embedded_port': 1884,
  'mqtt.commands': 'all',
  'mqtt.command_key': 'a key that is long enough',
  'mqtt.ha_controls': 'unsigned',
  'home_assistant.discovery': 'on',
  'home_assistant.prefix': 'ha/discovery',
  'home_assistant.announce': 'all',
  'home_assistant.url': 'https://ha.example:8123',
  'home_assistant.token': 'a token of Home Assistant',
  view_token: 'seventeen-characters',
  admin_addresses: ['192.0.2.10', '2001:db8::10'],
  'enforce.on_stop': 'remove',
  'enforce.controllers': ['192.0.2.20', '192.0.2.21'],
  'enforce.masquerade': false,
  'enforce.resolvers': ['192.0.2.53'],
  'enforce.local_names': ['house.example.net'],
  'enforce.verdict_default': 'drop',
  'enforce.verdict_deadline_ms': 250,
  'policy.time_zone': 'Asia/Kathmandu',
  'remote.host': 'root@192.0.2.1',
  'remote.port': 2222,
  'remote.identity_file': '/etc/homespin/router.key',
  'remote.known_hosts_file': '/etc/homespin/known_hosts',
  'remote.sudo': true,
  'remote.interfaces': ['br-lan', 'br-guest'],
  'reverse_firewall.connections': 201,
  'reverse_firewall.remotes': 51,
  'reverse_firewall.window_s': 11,
  'reverse_firewall.policy': 'quarantine',
  'reverse_firewall.level': 'local_only',
  'reverse_firewall.for_s': 3601,
  'flows.max': 4096,
  'flows.tcp_idle_s': 700,
  'flows.udp_idle_s': 70,
  'flows.other_idle_s': 71,
  'devices.max': 100,
  'devices.gone_after_s': 61,
  'history.minutes_days': 0.5,
  'history.hours_days': 15,
  'history.days_days': 91,
  'history.top_remotes': 7,
  'history.max_mb': 10.5,
}

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

/** The value at a dotted path. */
function at(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((of, key) => (of as Record<string, unknown>)[key], config)
}

/** A document in which the value stands at a dotted path. */
function nested(path: string, value: unknown): string {
  return JSON.stringify(
    path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
  )
}

function inEnvironment(path: string, value: unknown): NodeJS.ProcessEnv {
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  return { [`HOMESPIN_${path.replace('.', '_').toUpperCase()}`]: text }
}

function asFlag(path: string, value: unknown): Flags {
  return { [path]: Array.isArray(value) || typeof value === 'boolean' ? value : String(value) }
}

describe('the configuration', () => {
  it('has a default for everything that the agent needs', () => {
    const config = loadConfig(undefined, {}, {})
    assert.deepEqual(config, {
      agent: 'home',
      mode: 'auto',
      trust_clock: false,
      interfaces: [],
      lan: [],
      files: [],
      promiscuous: false,
      remote: { sudo: false, interfaces: [] },
      data: defaultData(),
      broker: 'embedded',
      mqtt: { prefix: 'homespin', commands: 'safe', ha_controls: 'signed' },
      home_assistant: { discovery: 'auto', prefix: 'homeassistant', announce: 'known' },
      admin_addresses: [],
      enforce: {
        on_stop: 'keep',
        resolvers: [],
        local_names: [],
        controllers: [],
        masquerade: true,
        verdict_default: 'accept',
        verdict_deadline_ms: 200,
      },
      policy: {},
      reverse_firewall: {
        connections: 150,
        remotes: 100,
        window_s: 10,
        policy: 'notify',
        level: 'full',
        for_s: 3600,
      },
      flows: { max: 131072, tcp_idle_s: 600, udp_idle_s: 60, other_idle_s: 60 },
      devices: { max: 16384, gone_after_s: 600 },
      history: {
        minutes_days: 2,
        hours_days: 14,
        days_days: 90,
        top_remotes: 200,
        max_mb: 200,
      },
      log: 'info',
    })
    assert.ok(isAbsolute(config.data))
  })

  it('is tested with a value for every key there is', () => {
    assert.deepEqual(
      keysOf()
        .map(({ path }) => path)
        .sort(),
      Object.keys(VALUES).sort(),
    )
  })

  for (const { path, schema } of keysOf()) {
    const value = VALUES[path]
    const files: Flags = {
      ...(path === 'files' ? {} : { files: ['a.pcap'] }),
      ...(path === 'view_token' ? { token: 'sixteen-characters-long' } : {}),
      ...(path === 'home_assistant.url'
        ? { 'home_assistant.token': 'a long token of Home Assistant' }
        : {}),
    }
    it(`${path} can be given in file, environment and flags, the later over the earlier`, () => {
      const wanted = path === 'data' ? resolve(String(value)) : value
      const file = fileOf(nested(path, value))
      assert.deepEqual(at(loadConfig(file, {}, files), path), wanted, 'file')
      assert.deepEqual(
        at(loadConfig(undefined, inEnvironment(path, value), files), path),
        wanted,
        'environment',
      )
      assert.deepEqual(
        at(loadConfig(undefined, {}, { ...files, ...asFlag(path, value) }), path),
        wanted,
        'flag',
      )
      // What is overridden is not looked at any more, even if it is wrong.
      const wrong = inEnvironment(path, ' ')
      assert.deepEqual(
        at(loadConfig(undefined, wrong, { ...files, ...asFlag(path, value) }), path),
        wanted,
        'flag over environment',
      )
      assert.deepEqual(
        at(
          loadConfig(fileOf(nested(path, { wrong: true })), inEnvironment(path, value), files),
          path,
        ),
        wanted,
        'environment over file',
      )
    })

    it(`${path} has an example, and a flag of its own`, () => {
      const example = exampleOf(schema) ?? ''
      const more = path === 'view_token' ? { ...files, token: 'sixteen-characters-long' } : files
      const bare = example.replace(/^\[|\]$/g, '')
      assert.doesNotThrow(() => loadConfig(undefined, inEnvironment(path, bare), more), example)
      assert.match(flagOf(path, schema), /^--[a-z][a-z-]+$/)
      const same = keysOf().filter(
        (other) => flagOf(other.path, other.schema) === flagOf(path, schema),
      )
      assert.equal(same.length, 1)
    })
  }

  it('keys of one group come together from everywhere', () => {
    const file = fileOf('mqtt:\n  username: file\n  password: file\n  prefix: file\n')
    const { mqtt } = loadConfig(
      file,
      { HOMESPIN_MQTT_PASSWORD: 'env', HOMESPIN_MQTT_PREFIX: 'env' },
      { 'mqtt.prefix': 'flag' },
    )
    assert.deepEqual(mqtt, {
      username: 'file',
      password: 'env',
      prefix: 'flag',
      commands: 'safe',
      ha_controls: 'signed',
    })
  })

  it('lets nobody look with a token where everyone may change things', () => {
    const token = 'sixteen-characters-long'
    assert.throws(() => loadConfig(undefined, {}, { view_token: token }), /view_token needs token/)
    assert.throws(() => loadConfig(undefined, {}, { view_token: token, token }), /must differ/)
  })

  it('takes no heed of variables of others, nor of flags that were not given', () => {
    const env = { PATH: '/bin', HOMESPIN_CONFIG: 'x.yaml', HOMESPINNER: 'x', HOME_SPIN: 'y' }
    assert.deepEqual(
      loadConfig(undefined, env, { agent: undefined }),
      loadConfig(undefined, {}, {}),
    )
  })

  it('gives a command the keys that it needs, whatever is wrong with the rest', () => {
    const file = fileOf('mode: nonsense\nmdoe: x\ndata: /srv/there\nflows: { max: 99, tcp: x }\n')
    const env = { HOMESPIN_MODE: 'x', HOMESPIN_LNA: 'y', HOMESPIN_FLOWS_UDP_IDLE_S: '61' }
    const { data, mode, flows } = loadConfig(
      file,
      env,
      {},
      [],
      ['data', 'flows.max', 'flows.udp_idle_s'],
    )
    assert.deepEqual(
      [data, mode, flows.max, flows.udp_idle_s, flows.tcp_idle_s],
      ['/srv/there', 'auto', 99, 61, 600],
    )
    // A file is read only where something is still to be known.
    const flag = { data: '/srv/flag' }
    assert.equal(loadConfig('/no/such/file', {}, flag, [], ['data']).data, '/srv/flag')
    assert.throws(() => loadConfig('/no/such/file', {}, {}, [], ['data']), /can't be read/)
    assert.throws(() => loadConfig(fileOf('data: 5'), {}, {}, [], ['data']), /line 1: data/)
    assert.throws(() => loadConfig(fileOf('flows: 5'), {}, {}, [], ['flows.max']), /line 1: flows/)
  })

  it('takes no heed of what tests and scripts of this project read', () => {
    const root = join(import.meta.dirname, '../..')
    const sources = globSync('{agent,scripts,test,nodes}/**/*.{ts,sh}', { cwd: root })
    const keys = keysOf().map(({ path }) => `HOMESPIN_${path.replace('.', '_').toUpperCase()}`)
    const read = sources.flatMap((name) => [
      ...readFileSync(join(root, name), 'utf8').matchAll(
        /(?:env\.|\$\{|env: \{ )(HOMESPIN_[A-Z_]+)/g,
      ),
    ])
    const names = new Set(read.map(([, name = '']) => name).filter((name) => !keys.includes(name)))
    assert.ok(names.size > 10, `${[...names]}`)
    const env = Object.fromEntries([...names].map((name) => [name, 'x']))
    assert.deepEqual(loadConfig(undefined, env, {}), loadConfig(undefined, {}, {}))
  })

  const documents: [what: string, text: string | Buffer][] = [
    ['nothing', ''],
    ['comments alone', '# agent: attic\n\n---\n'],
    ['a byte order mark', '\ufeffagent: attic\n'],
    ['lines that end as on Windows', '# the attic\r\nagent: attic\r\nlan:\r\n  - 192.0.2.0/24\r\n'],
    ['no end of its last line', 'agent: attic'],
  ]
  for (const [what, text] of documents) {
    it(`is read from a file with ${what}`, () => {
      const { agent } = loadConfig(fileOf(text), {}, {})
      assert.equal(agent, String(text).match(/^[^#]?agent/m) ? 'attic' : 'home')
    })
  }
})

describe('HOST:PORT', () => {
  const cases: [text: string, host: string | undefined, port?: number][] = [
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['localhost:0', 'localhost', 0],
    ['[::1]:65535', '::1', 65535],
    ['[2001:DB8::1]:80', '2001:DB8::1', 80],
    ['my-pi.lan:80', 'my-pi.lan', 80],
    ['127.0.0.1', undefined],
    ['127.0.0.1:', undefined],
    [':8080', undefined],
    ['::1:8080', undefined],
    ['[::1]', undefined],
    ['[]:80', undefined],
    ['a b:80', undefined],
    ['a:b:80', undefined],
    ['host:65536', undefined],
    ['host:-1', undefined],
    ['host:80\n', undefined],
    ['http://host:80', undefined],
  ]
  for (const [text, host, port] of cases) {
    it(JSON.stringify(text), () =>
      assert.deepEqual(splitHostPort(text), host === undefined ? undefined : { host, port }),
    )
  }
})
