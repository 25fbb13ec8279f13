// An interface that vanishes and returns, and a disk that fills and empties, under a running agent.
import assert from 'node:assert/strict'
import { unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentAt, LabAgent } from './agent-process.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { Namespaces } from './namespaces.ts'
import { requires, sleep, succeed, until } from './process.ts'
import { Doors } from './relay.ts'

async function makeCable(spaces: Namespaces): Promise<void> {
  await spaces.ip('far', [
    `link add wire0 address 02:0d:e0:00:00:01 type veth peer name wire0 netns ${spaces.name('box')}`,
    'link set wire0 up',
    'addr add 192.0.2.11/24 dev wire0',
  ])
  await spaces.ip('box', ['link set wire0 up', 'addr add 192.0.2.1/24 dev wire0'])
}

/** One datagram from the far end; nobody has to listen. */
async function sendOne(spaces: Namespaces, port: number): Promise<void> {
  const code = `const s = require('node:dgram').createSocket('udp4')
    s.send('hello', ${port}, '192.0.2.1', () => s.close())`
  await succeed('ip', spaces.exec('far', process.execPath, '-e', code))
}

describe('lab: an interface that is gone and comes back', function () {
  this.timeout(60_000)
  const spaces = new Namespaces()
  let folder = ''
  before(function () {
    requires(this, 'root', 'ip')
    folder = makeFolder()
  })
  after(async () => {
    await spaces.remove()
    if (folder) removeFolder(folder)
  })

  it('is told as down and as up, and is captured again', async () => {
    await spaces.make(['far', 'box'])
    for (const name of ['far', 'box']) await spaces.ip(name, ['link set lo up'])
    await makeCable(spaces)
    const inside = (...command: string[]): string[] => spaces.exec('box', ...command)
    const doors = new Doors(inside, folder)
    const place = { inside, door: (port: number) => doors.open(port) }
    const { agent, tap } = await agentAt(place, ['--mode', 'host', '--interface', 'wire0'])
    const heard = (port: number): boolean =>
      [...tap.flows.values()].some((flow) => flow.responder.port === port)
    try {
      await sendOne(spaces, 7001)
      await until('a flow before', () => heard(7001) || undefined)
      await spaces.ip('box', ['link del wire0'])
      const state = (): string | undefined => tap.info?.interfaces[0]?.state
      await until('wire0 down in info', () => state() === 'down' || undefined)
      await sleep(500)
      await makeCable(spaces)
      await until('wire0 up in info', () => state() === 'up' || undefined)
      await sendOne(spaces, 7002)
      await until('a flow after', () => heard(7002) || undefined)
      const kinds = tap.events.map((event) => event.kind)
      assert.ok(kinds.includes('interface_down') && kinds.includes('interface_up'), `${kinds}`)
      assert.match(agent.stderr, /wire0/)
      const { code } = await agent.stop()
      assert.equal(code, 0, agent.stderr)
    } finally {
      await tap.stop()
      await agent.stop()
      await doors.stop()
    }
  })
})

describe('lab: a disk that is full', function () {
  this.timeout(120_000)
  let data = ''
  before(async function () {
    requires(this, 'root', 'mount', 'umount')
    data = makeFolder()
    await succeed('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', data])
  })
  after(async () => {
    if (!data) return
    removeFolder(data)
  })

  it('is told, the agent goes on, and stores again when there is room', async () => {
    const args = ['--mode', 'demo', '--http', 'off', '--mqtt-embedded-port', '0']
    const agent = new LabAgent({ args, data }).start()
    const filler = join(data, 'filler')
    try {
      await agent.program.until(/broker mqtt:/)
      for (const size of [1 << 20, 65536, 4096, 512]) fill(filler, size)
      await agent.program.until(/disk is full/, 60_000)
      assert.ok((await agent.devices()).size > 0, 'it goes on')
      unlinkSync(filler)
      await agent.program.until(/stored again/, 60_000)
      const { code } = await agent.program.stop()
      assert.equal(code, 0, agent.stderr)
    } finally {
      await agent.stop()
    }
  })
})

/** Appends pieces of `size` bytes until there is no room for one more. */
function fill(file: string, size: number): void {
  const piece = Buffer.alloc(size)
  try {
    for (;;) writeFileSync(file, piece, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
