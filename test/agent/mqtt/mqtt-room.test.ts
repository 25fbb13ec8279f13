import assert from 'node:assert/strict'
import { connectAsync } from 'mqtt'
import { agent, stopAll } from './ordering.ts'

describe('the embedded broker of an agent', function () {
  this.timeout(20_000)
  afterEach(stopAll)

  const embedded = { broker: 'embedded', 'mqtt.embedded_port': '0' }

  it('asks for the user and the password of the configuration', async () => {
    const secrets = { 'mqtt.username': 'node-red', 'mqtt.password': 'a long one' }
    const { room } = await agent({ ...embedded, ...secrets })
    const options = { reconnectPeriod: 0 }
    for (const wrong of [{}, { username: 'node-red', password: 'another' }])
      await assert.rejects(connectAsync(room.url, { ...options, ...wrong }), /refused/)
    const right = { username: 'node-red', password: 'a long one' }
    const client = await connectAsync(room.url, { ...options, ...right })
    await client.endAsync(true)
  })

  it('lets everybody of this machine in without, and says so where only a user was given', async () => {
    const open = await agent(embedded)
    await (await connectAsync(open.room.url, { reconnectPeriod: 0 })).endAsync(true)
    assert.deepEqual(
      open.lines.filter((line) => line.startsWith('warn')),
      [],
    )
    const half = await agent({ ...embedded, 'mqtt.username': 'node-red' })
    assert.match(half.lines.join('\n'), /mqtt\.username without mqtt\.password/)
  })
})
