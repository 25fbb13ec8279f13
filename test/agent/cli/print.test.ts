// What the real program prints of a feed on the real socket.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HttpServer } from '../../../agent/http/http-server.ts'
import { cleanEnvironment } from '../../lab/agent-process.ts'
import type { Ended } from '../../lab/process.ts'
import { Program } from '../../lab/process.ts'
import { testHome } from '../methods/home.ts'
import { dns, event, flow, info, interval, recordingLog, until } from '../mqtt/listener.ts'
import { PROGRAM } from './program.ts'

describe('homespin print', function () {
  this.timeout(60_000)
  let data: string
  let server: HttpServer

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'homespin-print-'))
    mkdirSync(join(data, 'panel'))
    server = new HttpServer({
      socketPath: join(data, 'run', 'agent.sock'),
      panelDir: join(data, 'panel'),
      methods: testHome().methods,
      live: { snapshot: () => ({ info: info('one', 1), devices: { devices: [], rates: [] } }) },
      log: recordingLog(),
    })
    await server.start()
  })
  afterEach(async () => {
    await server.stop()
    rmSync(data, { recursive: true, force: true })
  })

  /** What is printed of a busy second, until the agent stops. */
  async function printed(...flags: string[]): Promise<Ended> {
    const argv = [PROGRAM, 'print', '--data', data, ...flags]
    const program = new Program(process.execPath, argv, cleanEnvironment()).start()
    await until(() => server.live.clients === 1, 20_000)
    const flows = Array.from({ length: 1200 }, (_, n) => flow(n))
    const query = { ...dns('shop.example.com\u001b[2J'), rcode: 'NXDOMAIN' }
    const answer = { name: 'x', rtype: 'A', data: '203.0.113.9', ttl_s: 1 }
    const answered = { ...dns('api.example.com'), answers: Array.from({ length: 6 }, () => answer) }
    const many = Array.from({ length: 300 }, () => dns('many.example.com'))
    server.live.interval(interval(0, flows, { dns: [query, answered, ...many] }), [])
    server.live.event(event(1))
    await program.until(/event 1/, 20_000)
    await server.stop()
    return await program.ended
  }

  it('shows flows, DNS queries and events, says what it leaves out, and that the agent has stopped', async () => {
    const { code, stdout: out, stderr: err } = await printed()
    const lines = out.trimEnd().split('\n')
    assert.equal(lines.filter((line) => line.includes('→')).length, 1000)
    assert.equal(lines.filter((line) => / dns {4}192\.0\.2\.11 \? /.test(line)).length, 250)
    assert.match(out, / \? shop\.example\.com\[2J A {2}NXDOMAIN\n/)
    assert.match(
      out,
      / \? api\.example\.com A {2}(203\.0\.113\.9, ){3}203\.0\.113\.9, and 2 more\n/,
    )
    assert.match(out, / \? many\.example\.com A {2}no answer seen\n/)
    assert.equal(lines.at(-1), 'event 1')
    assert.match(err, /homespin: 200 flows and 52 DNS queries more than this shows/)
    assert.match(err, /homespin: the agent with its data in .* has stopped/)
    assert.doesNotMatch(err, /aborted/)
    assert.equal(code, 1)
  })

  it('prints the same as JSON, one message a line', async () => {
    const { stdout: out, stderr: err } = await printed('--json')
    const types = out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type)
    const count = (type: string): number => types.filter((each) => each === type).length
    assert.deepEqual([count('flow'), count('dns'), count('event')], [1000, 250, 1])
    assert.match(err, /200 flows and 52 DNS queries more/)
  })
})
