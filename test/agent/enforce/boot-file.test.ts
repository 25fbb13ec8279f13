// The file for the next boot: what it holds, that a kernel without any interface takes it, and that it is whole at any time.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ElementNow } from '../../../agent/enforce/kernel/kernel.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { BootFile } from '../../../agent/enforce/reconcile/boot-file.ts'
import { bootText } from '../../../agent/enforce/reconcile/boot-text.ts'
import { homespinTables } from '../../../agent/enforce/reconcile/reconciler-tables.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'
import type { Log } from '../../../agent/log.ts'
import { createLog } from '../../../agent/log.ts'
import type { Desired, DesiredDevice } from '../../../agent/policy/desired.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { requires, sleep, until } from '../../lab/process.ts'

const MAC = '02:0d:e0:00:00:01'
const NOW = 1_000_000

const PLACE: Place = {
  position: 'two_armed',
  interfaces: ['br-lan'],
  ports: ['lan0'],
  uplinks: ['wan0'],
  lan: ['192.0.2.0/24', '2001:db8:1::/64'],
  own: ['192.0.2.1', '2001:db8:1::1'],
  infrastructure: ['02:0d:e0:ff:00:01'],
  controllers: [],
  features: { egress: true, bridge: true, bridgeConntrack: false, queue: 'nft' },
  queues: { dns: 1, first: 2 },
  masquerade: false,
}

function held(rest: Partial<DesiredDevice> = {}): Desired {
  const device: DesiredDevice = {
    deviceId: '020de0000001',
    mac: MAC,
    ips: ['192.0.2.11', '2001:db8:1::11'],
    level: { level: 'full', ruleId: 'r1' },
    restrictions: {},
    matches: [],
    ...rest,
  }
  return { devices: [device], everyone: [], unknown: undefined }
}

describe('the rules for the next boot', function () {
  this.timeout(20_000)
  const spaces = new Namespaces()
  let folder = ''
  let path = ''
  let files: BootFile[] = []

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await spaces.make(['early'])
  })
  after(() => spaces.remove())
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-boot-'))
    path = join(folder, 'boot.nft')
  })
  afterEach(async () => {
    await Promise.all(files.map((each) => each.stop(false)))
    files = []
    rmSync(folder, { recursive: true })
  })

  const quiet: Log = createLog('error')

  function bootFile(rest: Partial<ConstructorParameters<typeof BootFile>[0]> = {}): BootFile {
    const none = async (): Promise<Map<string, ElementNow>> => new Map()
    const common = { path, ruleset: homespinTables, elements: none, bootMs: () => NOW, log: quiet }
    const file = new BootFile({ ...common, ...rest })
    files.push(file)
    return file
  }

  function early(...args: string[]): string {
    return execFileSync('ip', spaces.exec('early', 'nft', ...args), { encoding: 'utf8' })
  }

  it('are taken before there is any interface, and hold both directions', async () => {
    const file = bootFile()
    file.keep(held(), PLACE)
    await file.stop(false)
    early('-f', path)
    assert.match(early('list', 'set', 'inet', 'homespin', 'from_mac_full'), new RegExp(MAC))
    assert.match(early('list', 'set', 'inet', 'homespin', 'to_ip4_full'), /192\.0\.2\.11/)
    assert.match(early('list', 'set', 'inet', 'homespin', 'to_ip6_full'), /2001:db8:1::11/)
    assert.match(early('list', 'set', 'bridge', 'homespin', 'from_mac_full'), new RegExp(MAC))
    assert.doesNotMatch(early('list', 'tables'), /netdev/)
  })

  it('count a timed block from the boot on, and a timed exception not at all', () => {
    const untilBootMs = NOW + 60_000
    const desired = held({
      level: { level: 'local_only', ruleId: 'r1', untilBootMs },
      matches: [
        { ruleId: 'r2', action: 'allow', prefix: '203.0.113.9/32', untilBootMs },
        { ruleId: 'r3', action: 'allow', prefix: '203.0.113.10/32' },
      ],
    })
    const text = bootText(desired, PLACE, new Map(), NOW, homespinTables)
    assert.match(text, new RegExp(`${MAC} timeout 0d0h1m0s0ms`))
    assert.doesNotMatch(text, /203\.0\.113\.9\b/)
    assert.match(text, new RegExp(`${MAC} \\. 203\\.0\\.113\\.10\\b`))
  })

  it('have the addresses of blocked names, which may not be asked for again', async () => {
    const key = `${MAC} . 203.0.113.77`
    const elements = async (set: SetSpec): Promise<Map<string, ElementNow>> =>
      new Map(
        set.family === 'inet' && set.name === 'dns_block4'
          ? [[key, { packets: 0, bytes: 0, remainingMs: 5000 }]]
          : [],
      )
    const file = bootFile({ elements })
    file.keep(held(), PLACE)
    await file.stop(false)
    early('-f', path)
    assert.match(early('list', 'set', 'inet', 'homespin', 'dns_block4'), /203\.0\.113\.77/)
  })

  it('are on the disk at once, then coalesced, and the last of them always', async () => {
    const file = bootFile()
    const levels = ['full', 'local_only'] as const
    let writes = 0
    const seen = new Set<string>()
    file.keep(held(), PLACE)
    const began = performance.now()
    await until('the file', () => (existsSync(path) ? true : undefined), 5000, 2)
    const firstMs = performance.now() - began
    for (let i = 0; i < 200; i++) {
      const level = levels[i % 2] ?? 'full'
      file.keep(held({ level: { level, ruleId: `r${i}` } }), PLACE)
      const text = readFileSync(path, 'utf8')
      assert.ok(text.endsWith('}\n'), 'a file is whole at any time')
      if (!seen.has(text)) writes++
      seen.add(text)
      await sleep(2)
    }
    await file.stop(false)
    assert.match(readFileSync(path, 'utf8'), /set from_mac_local_only \{[^}]*elements = \{ 02:0d/)
    assert.ok(writes < 10, `${writes} writes for 200 changes`)
    console.log(
      `      first on the disk after ${firstMs.toFixed(0)} ms; 200 changes, ${writes} seen`,
    )
    assert.deepEqual(readdirSync(folder), ['boot.nft'])
  })

  it('stay what they were where nft would not take the new ones', async () => {
    writeFileSync(path, 'before')
    const warnings: string[] = []
    const log = { ...quiet, warn: (text: string) => warnings.push(text) } as unknown as Log
    const file = bootFile({ log, program: 'false' })
    file.keep(held(), PLACE)
    await file.stop(false)
    assert.equal(readFileSync(path, 'utf8'), 'before')
    assert.match(warnings.join(), /could not be kept for the next boot/)
    assert.deepEqual(readdirSync(folder), ['boot.nft'])
  })

  it('are gone where nothing shall hold', async () => {
    const file = bootFile()
    file.keep(held(), PLACE)
    await until('the file', () => (existsSync(path) ? true : undefined))
    await file.stop(true)
    assert.deepEqual(readdirSync(folder), [])
  })
})
