import assert from 'node:assert/strict'
import { GateHome, policy, SERVER } from './gate-home.ts'
import { canQueue, MAC } from './home.ts'

describe('DNS gate: without JavaScript', function () {
  this.timeout(60_000)
  const home = new GateHome()
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
  })
  beforeEach(() => home.reset())
  after(() => home.stop())

  it('works while JavaScript is busy; when its process is stopped or killed, DNS goes on', async () => {
    await home.gate(policy({ allow: [['good.example']], allowList: true }))
    await home.router.tell('busy', { ms: 4000 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const began = performance.now()
    assert.deepEqual((await home.dig('good.example')).data, ['203.0.113.20'])
    assert.ok(performance.now() - began < 1000)
    assert.deepEqual(await home.set('resolved4'), [`${MAC} 203.0.113.20`])
    assert.equal((await home.counters()).malformed, 0)

    home.router.signal('SIGSTOP')
    // The queue fills, then lets pass: at most as many are lost as it holds.
    const query = '000101000001000000000000' + '04676f6f64076578616d706c65' + '0000010001'
    const burst = await home.device.tell<'many', { answers: number }>('many', {
      ip: SERVER,
      port: 53,
      count: 300,
      ms: 500,
      hex: query,
    })
    assert.equal(burst.answers, 300 - 256)
    const stopped = await home.dig('good.example')
    assert.deepEqual(stopped.data, ['203.0.113.20'])
    home.router.signal('SIGCONT')
    home.router.signal('SIGKILL')
    await home.router.stop()
    const after = performance.now()
    assert.deepEqual((await home.dig('good.example')).data, ['203.0.113.20'])
    assert.ok(performance.now() - after < 1000)
  })
})
