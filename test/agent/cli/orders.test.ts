// Orders of the real program over the real socket; policy itself is a double.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseWindow, windowText } from '../../../agent/cli/window.ts'
import { HttpServer } from '../../../agent/http/http-server.ts'
import { PolicyError } from '../../../agent/policy/contract.ts'
import type { Home } from '../methods/home.ts'
import { CAMERA, testHome } from '../methods/home.ts'
import { info, recordingLog } from '../mqtt/listener.ts'
import type { Result } from './program.ts'
import { homespin, PROGRAM } from './program.ts'

describe('orders on the command line', function () {
  this.timeout(60_000)
  let data: string
  let home: Home
  let server: HttpServer

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'homespin-cli-'))
    mkdirSync(join(data, 'panel'))
    home = testHome()
    server = new HttpServer({
      socketPath: join(data, 'run', 'agent.sock'),
      panelDir: join(data, 'panel'),
      methods: home.methods,
      live: { snapshot: () => ({ info: info('one', 1), devices: { devices: [], rates: [] } }) },
      log: recordingLog(),
    })
    await server.start()
  })
  afterEach(async () => {
    await server.stop()
    rmSync(data, { recursive: true, force: true })
  })

  const run = (...argv: string[]): Promise<Result> =>
    homespin([...argv, '--data', data], { env: { SUDO_USER: 'somebody' } })

  it('quarantines as the manual says, and releases', async () => {
    const reason = 'it scans \u001b[2J'
    const argv = ['quarantine', '02:0d:e0:00:00:01', '--level', 'full', '--for', '30m']
    const { code, out, err } = await run(...argv, '--reason', reason)
    assert.equal(err, '')
    assert.equal(code, 0)
    assert.match(
      out,
      /^RULE +ABOUT +WHAT +ENDS +KERNEL +REASON\nr1 +device 020de0000001 +quarantine full/,
    )
    assert.match(out, /active +it scans \[2J\ndone; take it back with: homespin undo 1\n$/)
    const [call] = home.desk.calls
    assert.deepEqual(call?.order, {
      action: 'quarantine',
      subject: { device_id: CAMERA },
      level: 'full',
      term: { forS: 1800 },
    })
    assert.deepEqual(call?.by, {
      actor: { kind: 'person', name: 'somebody', via: 'socket' },
      reason,
    })
    const released = await run('release', 'camera', '--json')
    assert.deepEqual(JSON.parse(released.out), { rules: [], policies: {}, journal_seq: 2 })
    const again = await run('release', 'camera')
    assert.deepEqual([again.code, again.out], [0, 'nothing had to be changed\n'])
  })

  it('ends with 1 where what was released is still held, and says by what', async () => {
    home.desk.stillHeld =
      'camera is still held: group Kids is quarantined (full). Release group kids, too.'
    for (const argv of [
      ['release', 'camera'],
      ['unblock', 'camera'],
    ]) {
      const { code, err } = await run(...argv)
      assert.equal(code, 1)
      assert.equal(err, `homespin: ${home.desk.stillHeld}\n`)
    }
  })

  it('says everything that the methods take', async () => {
    const last = (): unknown => home.desk.calls.at(-1)?.order
    await run(
      'block',
      '192.0.2.12',
      '--endpoint',
      '203.0.113.0/24',
      '--protocol',
      'tcp',
      '--port',
      '80-90',
    )
    assert.deepEqual(last(), {
      action: 'block',
      subject: { device_id: '020de0000002' },
      match: { endpoint: '203.0.113.0/24', protocol: 'tcp', port: 80, port_to: 90 },
      term: {},
    })
    const nights = ['--window', 'sun-thu 21:00-07:00', '--window', 'fri,sat 23:00-08:00']
    await run('block', '--group', 'kids', '--domain', 'video.example', ...nights)
    assert.deepEqual(last(), {
      action: 'block',
      subject: { group_id: 'kids' },
      match: { domain: 'video.example' },
      term: {
        schedule: {
          time_zone: 'Europe/Amsterdam',
          windows: [
            { days: [1, 2, 3, 4, 7], from: '21:00', to: '07:00' },
            { days: [5, 6], from: '23:00', to: '08:00' },
          ],
        },
      },
    })
    assert.equal(
      (await run('group-set', 'kids', '--member', '192.0.2.13', '--name', 'Kids')).code,
      0,
    )
    assert.deepEqual(home.desk.groups(), [
      { id: 'kids', name: 'Kids', device_ids: ['020de0000003'] },
    ])
    assert.equal((await run('confirm', '--group', 'kids')).code, 0)
    assert.equal((await run('confirm')).code, 2)
    assert.equal((await run('device-rename', CAMERA, 'front door')).out, 'done\n')
    assert.equal(home.inventory.get(CAMERA)?.name, 'front door')
    assert.equal((await run('verdict', 'c-1', 'drop', '--remember', '1h')).code, 0)
    assert.deepEqual(home.verdicts, [['c-1', 'drop', 3600]])
  })

  it('is stopped by nothing in the configuration but what it needs', async () => {
    const file = join(data, 'broken.yaml')
    writeFileSync(file, 'mode: [\n')
    const env = { HOMESPIN_HA: '/x', HOMESPIN_MODE: 'sideways', HOMESPIN_CONFIG: file }
    for (const argv of [['devices', '--json'], ['rules']]) {
      const { code, err } = await homespin([...argv, '--data', data], { env })
      assert.deepEqual([code, err], [0, ''], argv.join())
    }
    // It says that it could not read where rules may be held beside this box, and goes on.
    const panicked = await homespin(['panic', '--data', data], { env })
    assert.equal(panicked.code, 0, panicked.err)
    assert.match(panicked.err, /^homespin: [^\n]*broken\.yaml, line 2[^\n]*\n$/)
    const named = await homespin(['devices', '--config', file])
    assert.equal(named.code, 2)
    assert.match(named.err, /broken\.yaml, line 2/)
  })

  it('lists rules, groups, the journal and incidents', async () => {
    await run('block', CAMERA, '--domain', 'ads.example')
    assert.match(
      (await run('rules')).out,
      /\nr1 +device 020de0000001 +block ads\.example +active\n$/,
    )
    assert.equal(JSON.parse((await run('rules', '--json')).out).id, 'r1')
    assert.match((await run('journal', '--limit', '1')).out, /\n +1 +\d{4}-.* somebody +block\n$/)
    assert.match((await run('incidents')).out, /\ni-1 .* open +The camera opened 200 connections/)
    assert.deepEqual(await run('groups'), { code: 0, out: 'no groups\n', err: '' })
    const undone = await run('undo', '1')
    assert.equal(undone.code, 0, undone.err)
    assert.equal((await run('rules')).out, 'no rules\n')
  })

  it('fails with the sentence, and with 1, where it is not done', async () => {
    const tablet = await run('block', 'tablet')
    assert.deepEqual([tablet.code, tablet.out], [1, ''])
    assert.match(tablet.err, /^homespin: 2 devices are called "tablet": .*020de0000003/)
    home.desk.fault = new PolicyError('refused', 'this is the gateway \u001b[31mof the home')
    const refused = await run('quarantine', CAMERA)
    assert.deepEqual(refused, {
      code: 1,
      out: '',
      err: 'homespin: this is the gateway [31mof the home\n',
    })
    home.desk.fault = undefined
    const { order } = home.desk
    home.desk.order = async (...args) => {
      const { rules, ...rest } = await order(...args)
      return {
        ...rest,
        rules: rules.map((rule) => ({
          ...rule,
          state: 'failed',
          state_reason: 'no nftables here',
        })),
      }
    }
    const failed = await run('quarantine', CAMERA)
    assert.deepEqual([failed.code, failed.err], [1, 'homespin: no nftables here\n'])
    assert.match(failed.out, /failed: no nftables here/)
  })

  const usage: [argv: string[], says: RegExp][] = [
    [['block'], /give exactly one of device, group/],
    [['block', CAMERA, 'x'], /takes no operand "x"/],
    [['block', CAMERA, '--everyone'], /give exactly one/],
    [['block', CAMERA, '--for', 'ever'], /--for: expected a duration/],
    [['block', CAMERA, '--window', 'someday'], /--window: expected days and times/],
    [['block', CAMERA, '--time-zone', 'UTC'], /--time-zone is about a --window/],
    [['block', CAMERA, '--port', '80'], /a port needs protocol/],
    [['quarantine', CAMERA, '--level', 'total'], /--level: /],
    [['confirm'], /give exactly one of rule, group/],
    [['undo', 'x'], /SEQ: /],
    [['undo', '--to', 'yesterday'], /--to: expected a time/],
    [['verdict', 'c-1'], /needs CONNECTION VERDICT/],
    [['rules', '--nonsense'], /--nonsense/],
  ]
  for (const [argv, says] of usage) {
    it(`ends with 2: homespin ${argv.join(' ')}`, async () => {
      const { code, out, err } = await run(...argv)
      assert.deepEqual([code, out], [2, ''], err)
      assert.match(err, says)
      assert.match(err, new RegExp(`See: homespin ${argv[0]} --help\\n$`))
      assert.deepEqual(home.desk.calls, [])
    })
  }

  it('reads and writes windows', () => {
    assert.deepEqual(parseWindow('sat-mon 08:00-09:00').days, [1, 6, 7])
    assert.equal(windowText(parseWindow('daily 23:00-06:30')), 'daily 23:00-06:30')
    assert.equal(windowText(parseWindow('MON,wed  01:00-02:00')), 'mon,wed 01:00-02:00')
    for (const text of ['', 'mon', 'mon 8:00-9:00', 'mon-tue-wed 01:00-02:00', 'x 01:00-02:00'])
      assert.throws(() => parseWindow(text), /--window/)
  })

  describe('panic', () => {
    it('asks the agent that runs', async () => {
      await run('quarantine', CAMERA)
      const { code, out } = await run('panic')
      assert.deepEqual([code, out], [0, 'done; take it back with: homespin undo 2\n'])
      assert.deepEqual(home.desk.rules(), [])
      assert.ok(!existsSync(join(data, 'DISABLE')))
    })

    it('is not stopped by a configuration that can not be read', async function () {
      if (!canMakeNamespaces()) this.skip()
      const file = join(data, 'broken.yaml')
      writeFileSync(file, 'mode: [\n')
      const script = [
        'mount -t tmpfs none /var/lib && mkdir /var/lib/homespin && nft add table inet homespin',
        'HOMESPIN_CONFIG="$2" HOMESPIN_NONSENSE=x "$0" "$1" panic 2>&1; echo "code $?"',
        'nft list tables; ls /var/lib/homespin',
      ].join('\n')
      const { stdout } = await inNamespace(script, [process.execPath, PROGRAM, file])
      assert.match(stdout, /broken\.yaml, line 2/)
      assert.match(stdout, /\ncode 0\nDISABLE\n$/)
    })

    for (const how of ['away', 'silent'] as const) {
      it(`removes our tables and no other where the agent is ${how}`, async function () {
        if (!canMakeNamespaces()) this.skip()
        await server.stop()
        const silent = createServer(() => {})
        const socket = join(data, 'run', 'agent.sock')
        rmSync(socket, { force: true })
        if (how === 'silent') await new Promise<void>((resolve) => silent.listen(socket, resolve))
        const tables = ['inet homespin', 'netdev homespin', 'bridge homespin', 'inet other']
        const script = [
          ...tables.map((table) => `nft add table ${table}`),
          `"$0" "$1" panic --data "$2" 2>&1; echo "code $?"`,
          'nft list tables',
        ].join('\n')
        const { stdout } = await inNamespace(script, [process.execPath, PROGRAM, data])
        silent.close()
        assert.match(
          stdout,
          /nothing is held until that file is removed\ncode 0\ntable inet other\n$/,
        )
        assert.ok(existsSync(join(data, 'DISABLE')))
      })
    }
  })
})

function canMakeNamespaces(): boolean {
  const { status } = spawnSync('unshare', ['-n', 'nft', 'list', 'tables'])
  if (status !== 0 && process.env.CI === 'true') throw new Error('needs root, unshare and nft')
  return status === 0
}

/** Runs a script of a shell in a network and a mount namespace of its own, which are gone with it. */
async function inNamespace(script: string, args: string[]): Promise<{ stdout: string }> {
  const { spawn } = await import('node:child_process')
  const child = spawn('unshare', ['-n', '-m', 'sh', '-c', script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 50_000,
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout += part
  })
  await new Promise((resolve) => child.once('close', resolve))
  return { stdout }
}
