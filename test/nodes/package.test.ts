import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { INCIDENT_KINDS } from '../../protocol/act.ts'
import { LEVELS } from '../../protocol/policy.ts'
import { buildNodes } from '../../scripts/build-nodes.ts'

const ROOT = join(import.meta.dirname, '../..')
const LANGUAGES = ['en-US', 'nl']

type Tree = { [key: string]: string | Tree }

interface Definition {
  category: string
  color?: string
  icon?: string
  defaults: Record<string, { value?: unknown; type?: string }>
}

interface StoredNode {
  id: string
  type: string
  [key: string]: unknown
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const json = <Value>(file: string): Value => JSON.parse(read(file)) as Value
const manifest = json<{ files: string[]; 'node-red': { nodes: Record<string, string> } }>(
  'package.json',
)
const TYPES = Object.keys(manifest['node-red'].nodes)
/** Those that have an agent; `homespin-rate` is a function of what comes in. */
const AGENT_USERS = TYPES.filter((type) => 'agent' in definitionOf(type).defaults).filter(
  (type) => type !== 'homespin-agent',
)

/** What dialogs list, by node and by where its texts are. */
const LISTS: Record<string, Record<string, readonly string[]>> = {
  'homespin-incident': { kind: INCIDENT_KINDS },
  'homespin-quarantine': { level: LEVELS },
  'homespin-blocked': {
    cause: [
      ...LEVELS.filter((level) => level !== 'observe'),
      ...['block', 'allow_list', 'no_dns_no_connect', 'no_encrypted_dns', 'verdict', 'dns'],
    ],
  },
  'homespin-verdict': { verdict: ['accept', 'drop'] },
}

/** Paths of every text in a catalogue. */
function keysOf(tree: Tree, path = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [path + key] : keysOf(value, `${path}${key}.`),
  )
}

function textOf(tree: Tree, key: string): unknown {
  return key.split('.').reduce<unknown>((node, part) => (node as Tree | undefined)?.[part], tree)
}

/** What the page of a node registers, found by running its scripts. */
function definitionOf(type: string): Definition {
  const scripts = read(`nodes/${type}.html`).matchAll(
    /<script type="text\/javascript">([\s\S]*?)<\/script>/g,
  )
  const found: [string, Definition][] = []
  const RED = {
    nodes: { registerType: (...registered: [string, Definition]) => found.push(registered) },
    validators: { typedInput: () => () => true },
  }
  const context = createContext({ RED, window: {} })
  for (const [, script = ''] of scripts) runInContext(script, context)
  assert.deepEqual(
    found.map(([name]) => name),
    [type],
  )
  return (found[0] as [string, Definition])[1]
}

describe('the Node-RED package', function () {
  this.timeout(60000)
  before(() => {
    buildNodes()
  })

  it('holds the nodes and what they need, and nothing of the other parts', () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const output = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
    const [pack] = JSON.parse(output) as [{ files: { path: string }[] }]
    const files = pack.files.map((file) => file.path)
    const allowed =
      /^(?:dist\/(?:nodes|node-red|protocol)\/|examples\/[^/]+\.json$|resources\/[a-z-]+\.js$|(?:package\.json|LICENSE|README\.md|CHANGELOG\.md)$)/
    assert.deepEqual(
      files.filter((file) => !allowed.test(file)),
      [],
    )
    assert.deepEqual(
      files.filter((file) => /(?<!\.d)\.ts$|\.test\.|\.node$/.test(file)),
      [],
    )
    assert.deepEqual(
      manifest.files.filter((each) => !existsSync(join(ROOT, each))),
      [],
    )
    const wanted = TYPES.flatMap((type) => [
      `dist/nodes/${type}.js`,
      `dist/node-red/${type}.js`,
      `dist/node-red/${type}.html`,
      ...LANGUAGES.map((language) => `dist/node-red/locales/${language}/${type}.json`),
      ...LANGUAGES.map((language) => `dist/node-red/locales/${language}/${type}.html`),
    ])
    const sources = globSync(['nodes/*.ts', 'protocol/*.ts'], { cwd: ROOT })
    wanted.push(...sources.map((source) => `dist/${source.replace(/\.ts$/, '.js')}`))
    wanted.push(...globSync(['examples/*.json', 'resources/*.js'], { cwd: ROOT }))
    // As node-red-dev looks for them.
    const entries = Object.values(manifest['node-red'].nodes)
    wanted.push(...entries.map((entry) => entry.replace('.js', '.html')))
    assert.deepEqual(
      wanted.filter((file) => !files.includes(file)),
      [],
    )
  })

  it('is built by npm itself when it is packed from a fresh checkout', () => {
    const { scripts } = json<{ scripts: Record<string, string> }>('package.json')
    assert.equal(scripts.prepack, 'node scripts/build-nodes.ts')
  })

  it('can be loaded by require() where that takes no ES modules, as Node-RED 4.1 does on Node.js 22.9', () => {
    const script = `
      const entries = ${JSON.stringify(Object.values(manifest['node-red'].nodes))}
      const registered = []
      const RED = {
        nodes: { registerType: (type) => registered.push(type) },
        httpAdmin: { get() {} },
        auth: { needsPermission() {} },
      }
      const load = (entry) => require(${JSON.stringify(`${ROOT}/`)} + entry)(RED)
      Promise.all(entries.map(load)).then(() => console.log(JSON.stringify(registered.sort())))
    `
    const args = ['--no-experimental-require-module', '-e', script]
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
    assert.deepEqual(JSON.parse(output), [...TYPES].sort())
  })

  it('imports its own files, what Node.js has, and in one place mqtt', () => {
    for (const file of globSync('dist/{nodes,protocol}/*.js', { cwd: ROOT })) {
      for (const [, from = ''] of read(file).matchAll(/^import .* from '(.*)';?$/gm)) {
        const isOurs = /^(?:\.\/|\.\.\/protocol\/)[a-z-]+\.js$|^node:/.test(from)
        const isMqtt = from === 'mqtt' && basename(file) === 'connection.js'
        assert.ok(isOurs || isMqtt, `${file} imports ${from}`)
      }
    }
  })

  it('loads what its pages share from its own resources, once', () => {
    const { name } = json<{ name: string }>('package.json')
    const pages = TYPES.map((type) => read(`nodes/${type}.html`)).join('')
    const loaded = [...pages.matchAll(/<script src="([^"]+)"><\/script>/g)].map(([, url]) => url)
    const files = globSync('resources/*.js', { cwd: ROOT })
    assert.deepEqual(
      loaded.sort(),
      files.sort().map((file) => file.replace('resources/', `resources/${name}/`)),
    )
    for (const file of files) {
      const script = read(file)
      assert.doesNotMatch(script, /\.html\(|innerHTML|\beval\b/)
      for (const language of LANGUAGES) {
        const catalogue = json<Tree>(`nodes/locales/${language}/homespin-agent.json`)
        for (const [, key = ''] of script.matchAll(/\bt\('([a-z]+)'/g)) {
          const forms = [key, `${key}_other`].map((each) =>
            textOf(catalogue, `homespin-agent.picker.${each}`),
          )
          assert.ok(forms.includes(undefined) && forms.some(Boolean), `${language}: ${key}`)
        }
      }
    }
  })

  for (const type of TYPES) {
    it(`has a page for ${type} that says what it stores and where its texts are`, () => {
      const page = read(`nodes/${type}.html`)
      const { category, icon, defaults } = definitionOf(type)
      assert.equal(category, type === 'homespin-agent' ? 'config' : 'homespin')
      const prefix = category === 'config' ? 'node-config-input-' : 'node-input-'
      for (const key of Object.keys(defaults)) assert.ok(page.includes(`${prefix}${key}`), key)
      if (icon !== undefined) {
        assert.match(read(`nodes/icons/${icon}`), /width="40" height="60"[^>]* stroke="#fff"/)
      }
      assert.doesNotMatch(page, /\.html\(|innerHTML|\beval\b/)
      for (const language of LANGUAGES) {
        const catalogue = json<Tree>(`nodes/locales/${language}/${type}.json`)
        const used = [
          ...page.matchAll(/data-i18n="(?:\[[a-z]+\])?([^"]+)"/g),
          ...page.matchAll(/this\._\('([^']+)'\)/g),
        ]
        for (const [, key = ''] of used) {
          assert.equal(typeof textOf(catalogue, key), 'string', `${language}: ${key}`)
        }
        for (const [tree, words] of Object.entries(LISTS[type] ?? {})) {
          for (const word of words) {
            const key = `${type}.${tree}.${word}`
            assert.equal(typeof textOf(catalogue, key), 'string', `${language}: ${key}`)
            assert.ok(page.includes(word), `${key} can be chosen`)
          }
        }
        const help = read(`nodes/locales/${language}/${type}.html`)
        assert.ok(help.startsWith(`<script type="text/html" data-help-name="${type}">\n    <p>`))
      }
    })

    it(`says the same of ${type} in every language, in badges of less than 20 characters`, () => {
      const [first, ...others] = LANGUAGES.map((language) =>
        json<Tree>(`nodes/locales/${language}/${type}.json`),
      )
      for (const other of others) assert.deepEqual(keysOf(other), keysOf(first as Tree))
      for (const catalogue of [first as Tree, ...others]) {
        for (const key of keysOf(catalogue).filter((each) => each.includes('.status.'))) {
          const text = String(textOf(catalogue, key))
            .replace('__count__', '65536')
            .replace('__time__', '23:59')
          assert.ok(text.length < 20, `${key}: ${text}`)
        }
      }
    })
  }

  it('shows the same badge in the same words at every node', () => {
    for (const language of LANGUAGES) {
      const states = ['connecting', 'disconnected', 'refused', 'tls', 'waiting', 'offline']
      const faults = ['no_agent', 'settings', 'output', 'filter']
      for (const key of [...states, 'protocol', 'online', ...faults]) {
        const texts = AGENT_USERS.map((type) =>
          textOf(json<Tree>(`nodes/locales/${language}/${type}.json`), `homespin.status.${key}`),
        )
        assert.equal(new Set(texts).size, 1, `${language} ${key}: ${texts}`)
        assert.equal(typeof texts[0], 'string')
      }
    }
  })

  it('has an example flow for each node, for the broker that comes with the agent', () => {
    const files = globSync('examples/*.json', { cwd: ROOT })
    const shown = new Set<string>()
    for (const file of files) {
      assert.match(basename(file), /^\d\d - [A-Z].*[a-z]\.json$/)
      const nodes = json<StoredNode[]>(file)
      const ids = new Set(nodes.map((node) => node.id))
      assert.equal(ids.size, nodes.length)
      const types = nodes.map((node) => node.type)
      assert.ok(types.includes('comment') && types.includes('debug'), file)
      for (const node of nodes) {
        shown.add(node.type)
        for (const id of (node.wires as string[][] | undefined)?.flat() ?? []) {
          assert.ok(ids.has(id))
        }
        if (!TYPES.includes(node.type)) continue
        const { defaults } = definitionOf(node.type)
        const stored = Object.keys(node).filter((key) => !/^(?:id|type|z|x|y|wires)$/.test(key))
        assert.deepEqual(stored.sort(), Object.keys(defaults).sort(), `${file}: ${node.type}`)
        if (AGENT_USERS.includes(node.type)) assert.ok(ids.has(String(node.agent)))
        if (node.type === 'homespin-agent')
          assert.deepEqual([node.host, node.port, node.agent], ['127.0.0.1', 1883, 'home'])
      }
    }
    assert.deepEqual(
      TYPES.filter((type) => !shown.has(type)),
      [],
    )
  })
})
