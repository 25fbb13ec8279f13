// What the Supervisor asks of an app, as far as it can be said without it; with-supervisor.py holds it against its own code.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { LEVELS } from '../../protocol/policy.ts'

const ROOT = join(import.meta.dirname, '../..')
const APP = join(ROOT, 'ha-addon')

interface Manifest {
  [key: string]: unknown
  version: string
  slug: string
  options: Record<string, unknown>
  schema: Record<string, string | string[]>
  privileged: string[]
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const manifest = parse(text('ha-addon/config.yaml')) as Manifest

/** Types that an option may have (supervisor/apps/options.py). */
const OPTION =
  /^(?:bool|email|url|port|(?:str|password|int|float)(?:\(\S*,\S*\))?|match\(.*\)|list\(.+\))\??$/

/** Keys that this app has a use for, and what each may be. */
const KEYS: Readonly<Record<string, (value: unknown) => boolean>> = {
  name: (v) => v === 'Homespin',
  version: (v) => typeof v === 'string' && /^\d+\.\d+\.\d+$/.test(v),
  slug: (v) => v === 'homespin',
  description: (v) => typeof v === 'string' && v.length < 100,
  url: (v) => URL.canParse(String(v)),
  image: (v) => typeof v === 'string' && /^ghcr\.io\/[a-z0-9-]+\/[a-z0-9-]+$/.test(v),
  arch: (v) => JSON.stringify(v) === '["aarch64","amd64"]',
  startup: (v) => v === 'services',
  boot: (v) => v === 'auto',
  stage: (v) => v === 'stable' || v === 'experimental',
  homeassistant: (v) => typeof v === 'string' && /^\d{4}\.\d+\.\d+$/.test(v),
  timeout: (v) => typeof v === 'number' && v >= 10 && v <= 300,
  host_network: (v) => v === true,
  privileged: (v) => JSON.stringify(v) === '["NET_ADMIN","NET_RAW"]',
  apparmor: (v) => v === true,
  homeassistant_api: (v) => v === true,
  services: (v) => JSON.stringify(v) === '["mqtt:want"]',
  ingress: (v) => v === true,
  // The only one that a host's network leaves free.
  ingress_port: (v) => v === 0,
  panel_icon: (v) => typeof v === 'string' && v.startsWith('mdi:'),
  panel_title: (v) => v === 'Homespin',
  panel_admin: (v) => v === false,
  backup: (v) => v === 'hot',
  backup_pre: (v) => typeof v === 'string' && v.startsWith('/usr/local/bin/node /opt/homespin/'),
  backup_exclude: (v) => Array.isArray(v) && ['*.pcap', '*.pcapng'].every((p) => v.includes(p)),
  options: (v) => typeof v === 'object',
  schema: (v) => typeof v === 'object',
}

describe('the app of Home Assistant', () => {
  it('has a manifest of known keys, and the rights that it needs alone', () => {
    for (const [key, value] of Object.entries(manifest)) {
      assert.ok(KEYS[key]?.(value), `${key}: ${JSON.stringify(value)}`)
    }
    for (const key of ['name', 'version', 'slug', 'description', 'arch']) assert.ok(key in manifest)
  })

  it('has a security rating of 6, reckoned as the Supervisor does', () => {
    // supervisor/apps/utils.py: 5; own profile +1; ingress +2; one of these rights −1; the host's network −1.
    const profile = existsSync(join(APP, 'apparmor.txt')) && manifest.apparmor !== false ? 1 : 0
    const ingress = manifest.ingress === true ? 2 : 0
    const rights = manifest.privileged.length > 0 ? -1 : 0
    const network = manifest.host_network === true ? -1 : 0
    const costly = ['full_access', 'docker_api', 'host_pid', 'kernel_modules', 'hassio_role']
    assert.deepEqual(
      costly.filter((key) => key in manifest),
      [],
    )
    assert.equal(5 + profile + ingress + rights + network, 6)
  })

  it('has few options, of known types, each with words in both languages', () => {
    const { options, schema } = manifest
    for (const [key, type] of Object.entries(schema)) {
      const one = Array.isArray(type) ? (type[0] ?? '') : type
      assert.match(one, OPTION, key)
      assert.equal(key in options, !one.endsWith('?'), `${key}: a default, or optional, not both`)
    }
    assert.ok(Object.keys(options).length <= 3)
    for (const language of ['en', 'nl']) {
      const words = parse(text(`ha-addon/translations/${language}.yaml`)) as {
        configuration: Record<string, { name: string; description: string }>
      }
      assert.deepEqual(
        Object.keys(words.configuration).toSorted(),
        Object.keys(schema).toSorted(),
        language,
      )
      for (const [key, { name, description, ...rest }] of Object.entries(words.configuration)) {
        assert.ok(name.length > 0 && description.length > 0, `${language}: ${key}`)
        assert.deepEqual(rest, {})
      }
    }
  })

  it('has pictures of the sizes that the store shows', () => {
    const sizeOf = (name: string): string => {
      const png = readFileSync(join(APP, name))
      assert.equal(png.toString('latin1', 1, 4), 'PNG')
      return `${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`
    }
    assert.equal(sizeOf('icon.png'), '128x128')
    assert.equal(sizeOf('logo.png'), '250x100')
    for (const page of ['README.md', 'DOCS.md', 'CHANGELOG.md', 'Dockerfile']) {
      assert.ok(existsSync(join(APP, page)), page)
    }
  })

  it('is the only thing in this repository that the store takes for an app', () => {
    const files = execFileSync('git', ['-C', ROOT, 'ls-files', '-z']).toString().split('\0')
    const apps = files.filter((file) => /(?:^|\/)config\.(?:ya?ml|json)$/.test(file))
    assert.deepEqual(apps, ['ha-addon/config.yaml'])
    assert.equal((parse(text('repository.yaml')) as { name: string }).name, 'Homespin')
  })

  it('has one version everywhere', () => {
    const versionOf = (path: string): string =>
      (JSON.parse(text(path)) as { version: string }).version
    const packages = ['', ...['agent', 'native', 'panel', 'toolchain'].map((each) => `${each}/`)]
    for (const folder of packages) {
      assert.equal(versionOf(`${folder}package.json`), manifest.version, `${folder}package.json`)
    }
    const { dependencies } = JSON.parse(text('agent/package.json')) as {
      dependencies: Record<string, string>
    }
    assert.equal(dependencies['@homespin/native'], manifest.version)
    assert.equal(/^## \[(\d\S*)\]/m.exec(text('CHANGELOG.md'))?.[1], manifest.version)
    assert.equal(/^## (\d\S*)/m.exec(text('ha-addon/CHANGELOG.md'))?.[1], manifest.version)
  })

  it('asks no newer Home Assistant for its blueprints and its card than for itself', () => {
    const folder = 'blueprints/automation/homespin'
    for (const name of readdirSync(join(ROOT, folder))) {
      const [, least] = /min_version: (\S+)/.exec(text(`${folder}/${name}`)) ?? []
      assert.equal(least, manifest.homeassistant, name)
    }
    const { homeassistant } = JSON.parse(text('hacs.json')) as { homeassistant: string }
    assert.equal(homeassistant, manifest.homeassistant)
  })

  it('says how it gets into the store, and out of the home again', () => {
    const link = `https://my.home-assistant.io/redirect/supervisor_add_addon_repository/?repository_url=${encodeURIComponent(String(manifest.url))}`
    const docs = text('ha-addon/DOCS.md')
    for (const page of [docs, text('README.md')]) {
      assert.ok(page.includes(link))
      assert.match(page, /App store → ⋮ → Repositories/)
    }
    for (const level of ['open', ...LEVELS]) assert.ok(docs.includes(`| \`${level}\` |`), level)
    assert.match(docs, /Release everything\* on the page first/)
    // Nobody has a shell in the app.
    assert.doesNotMatch(docs, /ssh-keyscan|--[a-z]+-[a-z]+/)
  })

  it('has an image of which nothing builds is left, that says whether it is well', () => {
    const [, , last = ''] = text('ha-addon/Dockerfile').split(/^FROM /m)
    assert.match(last, /^node:24-trixie-slim\n/)
    assert.doesNotMatch(last, /g\+\+|gcc|make|python|npm/)
    assert.match(last, /^HEALTHCHECK .*\n\s+CMD \["\/usr\/local\/bin\/node"/m)
    assert.match(last, /^ENTRYPOINT \["\/usr\/local\/bin\/node"/m)
  })

  it('has a profile of one name that compiles, under the name that the Supervisor gives it too', function () {
    const profile = text('ha-addon/apparmor.txt')
    assert.deepEqual(profile.match(/^profile \S+/gm), ['profile homespin'])
    for (const folder of readdirSync(APP)) assert.ok(!folder.endsWith('.rej'))
    const parser = spawnSync('apparmor_parser', ['--version'], { env: withSystem() })
    if (parser.error !== undefined) {
      if (process.env.CI === 'true') throw new Error('apparmor_parser is missing: install apparmor')
      this.skip()
    }
    for (const name of ['homespin', 'a0b1c2d3_homespin']) {
      const input = profile.replace(/^profile homespin/m, `profile ${name}`)
      const { status, stderr } = spawnSync('apparmor_parser', ['-Q', '-K', '--warn=all'], {
        input,
        env: withSystem(),
      })
      assert.equal(status, 0, stderr.toString())
    }
  })
})

function withSystem(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
}
