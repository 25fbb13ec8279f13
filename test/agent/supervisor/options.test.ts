import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { NetworkInterfaceInfo } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadConfig } from '../../../agent/config-read.ts'
import {
  APP_OPTIONS,
  appOptions,
  portsOf,
  ROUTER_HOST_KEY,
} from '../../../agent/supervisor/options.ts'
import { knownHost } from '../../../agent/supervisor/router-key.ts'
import { makeFolder, removeFolder } from '../../lab/folders.ts'

const MANIFEST = join(import.meta.dirname, '../../../ha-addon/config.yaml')
const ACCESS = { url: 'http://supervisor', token: 'a-token-of-the-supervisor' }
const ENV = { SUPERVISOR_TOKEN: ACCESS.token }

describe('options of the app', () => {
  let data = ''
  beforeEach(() => {
    data = makeFolder()
  })
  afterEach(() => removeFolder(data))

  function load(options: object | string, flags = {}): ReturnType<typeof loadConfig> {
    mkdirSync(data, { recursive: true })
    const text = typeof options === 'string' ? options : JSON.stringify(options)
    writeFileSync(join(data, 'options.json'), text)
    return loadConfig(undefined, ENV, flags, appOptions(data, ACCESS))
  }

  it('are those of the manifest, each of which says something', () => {
    const { schema, options } = parse(readFileSync(MANIFEST, 'utf8')) as {
      schema: Record<string, unknown>
      options: Record<string, unknown>
    }
    const known = [...Object.keys(APP_OPTIONS), ROUTER_HOST_KEY].toSorted()
    assert.deepEqual(Object.keys(schema).toSorted(), known)
    const config = load(options)
    assert.equal(config.mode, 'host')
    assert.equal(config.broker, 'supervisor')
    assert.equal(config.http, 'off')
    assert.equal(config.mqtt.publish_names, false)
    assert.equal(config.home_assistant.announce, 'known')
  })

  it('become the configuration, and what was left empty does not', () => {
    const config = load({
      mode: 'gateway',
      interfaces: ['eth0'],
      announce: 'all',
      publish_names: true,
      admin_addresses: ['192.0.2.10'],
      broker: '',
      broker_password: null,
      log: 'debug',
      of_another_version: 1,
    })
    assert.deepEqual(config.interfaces, ['eth0'])
    assert.equal(config.mode, 'gateway')
    assert.equal(config.log, 'debug')
    assert.equal(config.mqtt.publish_names, true)
    assert.equal(config.broker, 'supervisor')
    assert.equal(config.mqtt.password, undefined)
    assert.equal(config.home_assistant.url, 'http://supervisor/core')
    assert.equal(config.data, data)
    const own = load({ broker: 'mqtts://broker.example.net', broker_username: 'u' })
    assert.equal(own.broker, 'mqtts://broker.example.net')
    assert.equal(own.mqtt.username, 'u')
  })

  it('lead to a router by keys of the app alone', () => {
    const { remote } = load({ mode: 'remote', router: 'root@192.0.2.1' })
    assert.equal(remote.identity_file, join(data, 'ssh/id_ed25519'))
    assert.equal(remote.known_hosts_file, join(data, 'ssh/known_hosts'))
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs root@router'
    assert.equal(
      knownHost('root@192.0.2.1', key),
      '192.0.2.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs\n',
    )
    for (const wrong of [
      '',
      'nonsense',
      '@cert-authority * ssh-rsa AAAAAAAAAAAAAAAAAAAA',
      `${key}\nx y`,
    ]) {
      assert.equal(knownHost('root@192.0.2.1', wrong), undefined, wrong)
    }
  })

  it('need not name the one port of a box that is to be a gateway', () => {
    const port = (address: string, internal = false): NetworkInterfaceInfo[] => [
      { address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null },
    ]
    const box = { lo: port('127.0.0.1', true), end0: port('192.0.2.9'), none: undefined }
    const docker = { docker0: port('198.51.100.1'), hassio: port('172.30.32.1'), veth1a2b: [] }
    assert.deepEqual(portsOf({ ...box, ...docker }), ['end0'])
    assert.deepEqual(portsOf({ ...box, wlan0: port('192.0.2.10') }), ['end0', 'wlan0'])
    assert.deepEqual(load({ mode: 'gateway', interfaces: ['eth7'] }).interfaces, ['eth7'])
  })

  it('leave a box where it is, unless they say more', () => {
    assert.equal(load({}).mode, 'host')
    assert.equal(load({ mode: 'auto', interfaces: [] }).mode, 'host')
    assert.equal(load({ mode: 'auto', interfaces: ['eth1'] }).mode, 'auto')
    assert.equal(load({ mode: 'mirror', interfaces: ['eth1'] }).mode, 'mirror')
  })

  it('are named in what is said of a wrong one', () => {
    assert.throws(() => load({ mode: 'sideways' }), /the option mode: mode: .*"gateway"/)
    assert.throws(() => load({ broker: 'http://x' }), /the option broker: broker: expected/)
    assert.throws(() => load({ mode: 'remote' }), /needs the option Router \(SSH\) \(router\)/)
    assert.throws(() => load('not json'), /options\.json holds no options/)
    assert.throws(() => load('[]'), /options\.json holds no options/)
  })

  it('need not be there, and are no matter of an agent elsewhere', () => {
    assert.equal(loadConfig(undefined, ENV, {}, appOptions(data, ACCESS)).broker, 'supervisor')
    assert.equal(loadConfig(undefined, {}, {}).broker, 'embedded')
    assert.throws(() => loadConfig(undefined, {}, { broker: 'supervisor' }), /is for the app/)
  })
})
