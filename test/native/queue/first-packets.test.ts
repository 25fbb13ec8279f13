import assert from 'node:assert/strict'
import type { FirstPacketsCounters } from '../../../native/queue.ts'
import { FirstPackets } from '../../../native/queue.ts'
import { until } from '../../lab/process.ts'
import type { Asked } from './asked.ts'
import { ACCEPT, canQueue, DEVICE, DEVICE_IPS, MAC, QueueHome, SERVER_IPS } from './home.ts'

interface Answers {
  answers: number
  afterMs?: number
}

const QUEUE = 71
/** Where the answer counts, not its time: longer than any machine takes to give it. */
const UNHURRIED = { deadlineMs: 5000 }
/** How long an answer that must come is waited for. */
const PATIENT_MS = 8000
const device = (accept: boolean) => ({ id: DEVICE, mac: MAC, ips: DEVICE_IPS, accept })

describe('first packets', function () {
  this.timeout(30_000)
  const home = new QueueHome()
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
    await home.queueFirst(QUEUE)
    await home.server.tell('echo', { port: 7 })
  })
  beforeEach(() => home.reset(''))
  after(() => home.stop())

  async function serve(accept: boolean, options: object = {}): Promise<void> {
    await home.router.tell('first', {
      options: { queue: QUEUE, acceptMark: ACCEPT, ...options },
      devices: [device(accept)],
    })
  }
  const udp = (order: object = {}): Promise<Answers> =>
    home.device.tell('udp', { ip: SERVER_IPS[0], port: 7, ms: 400, ...order })
  const passes = async (): Promise<boolean> => (await udp({ ms: PATIENT_MS })).answers === 1
  async function asked(): Promise<Asked[]> {
    return (await home.router.tell<'asked', { asked: Asked[] }>('asked', {})).asked
  }
  async function counters(): Promise<FirstPacketsCounters> {
    return (await home.router.tell<'counters', { counters: FirstPacketsCounters }>('counters', {}))
      .counters
  }

  for (const [i, ip] of SERVER_IPS.entries()) {
    it(`asks once a connection, and what is accepted passes by its mark: IPv${i ? 6 : 4}`, async () => {
      await serve(false, UNHURRIED)
      await home.router.tell('answer', { accept: true })
      assert.equal(
        (await home.device.tell<'tcp', Answers>('tcp', { ip, port: 7, ms: PATIENT_MS })).answers,
        1,
      )
      const { answers } = await udp({ ip, everyMs: 20, ms: 300 })
      assert.ok(answers >= 10, `${answers} answers`)
      const [tcp, datagram, ...more] = await asked()
      assert.deepEqual(more, [])
      assert.equal(tcp?.protocol, 6)
      assert.equal(tcp?.device, DEVICE)
      assert.equal(tcp?.from, DEVICE_IPS[i])
      assert.equal(tcp?.to, ip)
      assert.equal(tcp?.toPort, 7)
      assert.equal(tcp?.inbound, false)
      assert.equal(tcp?.waitMs, UNHURRIED.deadlineMs)
      assert.equal(datagram?.protocol, 17)
      const { packets } = await counters()
      assert.ok(packets <= 3, `${packets} packets came up`)
    })
  }

  it('does the default at the deadline, for packets that came later too', async () => {
    await serve(true)
    const open = await udp({ everyMs: 20, ms: 500 })
    assert.ok((open.afterMs ?? 0) >= 190 && (open.afterMs ?? 0) < 300, `after ${open.afterMs} ms`)
    assert.deepEqual(
      (await asked()).map(({ waitMs }) => waitMs),
      [200],
    )
    assert.ok((open.answers ?? 0) > 15, 'packets that waited passed as well')
    await home.router.tell('devices', { devices: [device(false)] })
    assert.equal((await udp({ everyMs: 20, ms: 500 })).answers, 0)
    assert.equal((await asked()).length, 1)
    const { expired, accepted, dropped, asked: times } = await counters()
    assert.deepEqual([expired, times], [2, 2])
    assert.ok(accepted >= 9 && dropped >= 20, `${accepted} ${dropped}`)
  })

  it('remembers a verdict for as long as it is told', async () => {
    await serve(false, UNHURRIED)
    await home.router.tell('answer', { accept: true, forMs: 2000 })
    assert.equal(await passes(), true)
    const began = performance.now()
    await home.router.tell('answer', { accept: false })
    assert.equal(await passes(), true)
    assert.equal((await asked()).length, 1)
    await new Promise((resolve) => setTimeout(resolve, 2050 - (performance.now() - began)))
    assert.equal((await udp()).answers, 0)
    assert.equal((await asked()).length, 1)
    const known = { id: DEVICE, remote: SERVER_IPS[0], port: 7, protocol: 17, inbound: false }
    await home.router.tell('remember', { ...known, accept: true, forMs: 60_000 })
    assert.equal(await passes(), true)
    await home.router.tell('remember', { ...known, accept: false, forMs: 60_000 })
    assert.equal((await udp()).answers, 0)
    assert.deepEqual(await asked(), [])
  })

  it('asks about connections from outside to the device', async () => {
    await home.device.tell('echo', { port: 9 })
    await serve(false, UNHURRIED)
    await home.router.tell('answer', { accept: true })
    const order = { ip: DEVICE_IPS[0], port: 9, ms: PATIENT_MS }
    assert.equal((await home.server.tell<'udp', Answers>('udp', order)).answers, 1)
    const [connection] = await asked()
    assert.equal(connection?.inbound, true)
    assert.equal(connection?.device, DEVICE)
    assert.equal(connection?.from, SERVER_IPS[0])
  })

  it('leaves other devices alone, and ignores verdicts that come twice or for nothing', async () => {
    await serve(false, UNHURRIED)
    await home.router.tell('answer', { accept: true, twice: true })
    assert.equal(await passes(), true)
    for (const id of [0, 1, 1.5, -1, 2 ** 53, 65_536 * 7 + 3]) {
      await home.router.tell('verdict', { id, accept: false })
    }
    await until('late verdicts', async () => (await counters()).late === 7 || undefined)
    await home.router.tell('devices', { devices: [] })
    await home.router.tell('answer', {})
    assert.equal(await passes(), true)
    assert.equal((await counters()).asked, 1)
  })

  it('does the default at once over the cap', async () => {
    await serve(true, { maxHeld: 8, maxHeldPerDevice: 4, deadlineMs: 300 })
    const { answers, afterMs } = await home.device.tell<'many', Answers>('many', {
      ip: SERVER_IPS[0],
      port: 7,
      count: 40,
      ms: 2000,
    })
    assert.equal(answers, 40)
    const { asked: times, unasked, expired } = await counters()
    assert.deepEqual([times, unasked, expired], [4, 36, 4])
    assert.ok((afterMs ?? 0) > 250)
  })

  it('keeps its deadlines while JavaScript is busy', async () => {
    await serve(true)
    await home.router.tell('remember', {
      id: DEVICE,
      remote: SERVER_IPS[1],
      port: 7,
      protocol: 17,
      inbound: false,
      accept: true,
      forMs: 60_000,
    })
    await home.router.tell('busy', { ms: 3000 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const known = await udp({ ip: SERVER_IPS[1] })
    assert.ok((known.afterMs ?? 1e9) < 50, `known: after ${known.afterMs} ms`)
    const unknown = await udp()
    assert.ok((unknown.afterMs ?? 1e9) < 300, `unknown: after ${unknown.afterMs} ms`)
    assert.equal((await counters()).expired, 1)
  })

  it('lets packets pass when it is stopped, and while its process is', async () => {
    await serve(false, { maxLength: 16 })
    home.router.signal('SIGSTOP')
    const stuck = await home.device.tell<'many', Answers>('many', {
      ip: SERVER_IPS[0],
      port: 7,
      count: 60,
      ms: 800,
    })
    assert.ok(stuck.answers >= 60 - 17, `${stuck.answers} of 60 passed a full queue`)
    home.router.signal('SIGCONT')
    assert.equal((await counters()).unsent, 0)
    await home.router.tell('stop', {})
    assert.equal((await udp()).answers, 1)
    home.router.signal('SIGKILL')
    await home.router.stop()
    home.restartRouter()
    await serve(false)
    home.router.signal('SIGKILL')
    await home.router.stop()
    const began = performance.now()
    assert.equal((await udp()).answers, 1)
    assert.ok(performance.now() - began < 1000)
  })
})

describe('options of first packets', () => {
  it('are refused with what is wrong', () => {
    const wrong: [object, RegExp][] = [
      [{}, /queue must be a whole number/],
      [{ queue: 70_000 }, /queue must be from 0 to 65535/],
      [{ queue: 1, maxHeld: 250 }, /maxHeld must be from 1 to 192/],
      [{ queue: 1, deadline: 5 }, /did you mean 'deadlineMs'/],
      [{ queue: 1, acceptMark: -1 }, /acceptMark/],
    ]
    for (const [options, message] of wrong) {
      assert.throws(() => new FirstPackets(options as never), message)
    }
    const first = new FirstPackets({ queue: 1 })
    assert.throws(
      () => first.setDevices([{ id: 'x', ips: [], accept: true }]),
      /'x' is not the id of a device/,
    )
    assert.throws(() => first.verdict(1, true, -1), /time to remember/)
    assert.throws(() => first.forget('nobody'), /not the id/)
  })
})
