import assert from 'node:assert/strict'
import { z } from 'zod'
import type { Readable } from '../../../agent/methods/reads.ts'
import { readMethods } from '../../../agent/methods/reads.ts'
import type { Caller } from '../../../agent/methods/registry.ts'
import { createRegistry, defineMethod, MethodError } from '../../../agent/methods/registry.ts'

const VIEWER: Caller = { role: 'view', via: 'http' }
const ADMIN: Caller = { role: 'admin', via: 'socket' }
const DEVICE = '02000000000a'
const NOW = 1_790_000_000_000

type HistoryQuery = Parameters<Readable['history']>[0]

/** A reader that answers with what it was asked. */
const readable = {
  info: () => 'info',
  devices: () => 'devices',
  hasDevice: (id: string) => id === DEVICE,
  flows: (device: string | undefined, limit: number) => ({ device, limit }),
  history: (query: HistoryQuery) => query,
  remotes: (query: HistoryQuery, limit: number) => ({ ...query, limit }),
  nowMs: () => NOW,
} as unknown as Readable

function ask(name: string, args: unknown, caller = VIEWER): Promise<unknown> {
  return createRegistry(readMethods(readable)).call(name, args, caller)
}

describe('what may be asked', () => {
  const good: [name: string, args: unknown, answer: unknown][] = [
    ['get-info', {}, 'info'],
    ['get-devices', {}, 'devices'],
    ['get-flows', {}, { device: undefined, limit: 500 }],
    ['get-flows', { device: DEVICE, limit: 5000 }, { device: DEVICE, limit: 5000 }],
    ['get-history', {}, { resolution: 'minute', fromMs: NOW - 3_600_000, toMs: NOW }],
    [
      'get-history',
      { resolution: 'hour' },
      { resolution: 'hour', fromMs: NOW - 172_800_000, toMs: NOW },
    ],
    [
      'get-history',
      { resolution: 'day', to_ms: 1000 },
      { resolution: 'day', fromMs: 0, toMs: 1000 },
    ],
    [
      'get-history',
      { from_ms: 7, to_ms: 7, device: DEVICE },
      { device: DEVICE, resolution: 'minute', fromMs: 7, toMs: 7 },
    ],
    [
      'get-remotes',
      { from_ms: 1, to_ms: 2 },
      { resolution: 'minute', fromMs: 1, toMs: 2, limit: 50 },
    ],
  ]
  for (const [name, args, answer] of good) {
    it(`${name} ${JSON.stringify(args)}`, async () =>
      assert.deepEqual(await ask(name, args), answer))
  }

  const bad: [name: string, args: unknown, code: string, says: RegExp][] = [
    ['get-nothing', {}, 'unknown_method', /no method/],
    ['__proto__', {}, 'unknown_method', /no method/],
    ['get-info', { x: 1 }, 'invalid_arguments', /get-info: .*x/],
    ['get-info', undefined, 'invalid_arguments', /get-info/],
    ['get-info', [], 'invalid_arguments', /get-info/],
    [
      'get-flows',
      { device: '02:00:00:00:00:0a' },
      'invalid_arguments',
      /device: expected the id of a device/,
    ],
    ['get-flows', { device: "' OR 1=1" }, 'invalid_arguments', /device/],
    ['get-flows', { device: '0200000000ff' }, 'not_found', /no device 0200000000ff/],
    ['get-flows', { limit: 0 }, 'invalid_arguments', /limit/],
    ['get-flows', { limit: 5001 }, 'invalid_arguments', /limit/],
    ['get-flows', { limit: '5' }, 'invalid_arguments', /limit/],
    ['get-history', { resolution: 'year' }, 'invalid_arguments', /resolution/],
    [
      'get-history',
      { from_ms: 2, to_ms: 1 },
      'invalid_arguments',
      /from_ms must not be after to_ms/,
    ],
    ['get-history', { from_ms: -1 }, 'invalid_arguments', /from_ms/],
    ['get-history', { to_ms: 1e300 }, 'invalid_arguments', /to_ms/],
    ['get-history', { device: '0200000000ff' }, 'not_found', /no device/],
    ['get-remotes', { limit: 1001 }, 'invalid_arguments', /limit/],
  ]
  for (const [name, args, code, says] of bad) {
    it(`not ${name} ${JSON.stringify(args)}`, async () => {
      await assert.rejects(
        ask(name, args),
        (error: Error) =>
          error instanceof MethodError && error.code === code && says.test(error.message),
      )
    })
  }

  it('names few of many faults, and none at length', async () => {
    const args = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`key${i}${'x'.repeat(500)}`, i]),
    )
    await assert.rejects(ask('get-info', args), (error: Error) => error.message.length < 2000)
  })
})

describe('the registry', () => {
  const change = defineMethod({
    name: 'change',
    description: 'for a test',
    role: 'admin',
    safe: false,
    schema: z.strictObject({ to: z.string() }),
    handler: ({ to }, caller) => `${to} by ${caller.via}`,
  })

  it('asks for the role before it looks at the arguments', async () => {
    const registry = createRegistry([change])
    await assert.rejects(
      registry.call('change', { wrong: true }, VIEWER),
      (error: Error) => error instanceof MethodError && error.code === 'forbidden',
    )
    assert.equal(await registry.call('change', { to: 'x' }, ADMIN), 'x by socket')
  })

  it('takes each name once, and lists the methods in order', () => {
    assert.throws(() => createRegistry([change, change]), /two methods are called change/)
    assert.deepEqual(
      createRegistry(readMethods(readable))
        .list()
        .map(({ name }) => name),
      ['get-info', 'get-devices', 'get-flows', 'get-history', 'get-remotes'],
    )
  })

  it('hands on what a handler throws as it is', async () => {
    const broken = defineMethod({
      name: 'broken',
      role: 'view',
      safe: true,
      description: 'for a test',
      schema: z.strictObject({}),
      handler: () => {
        throw new RangeError('ours')
      },
    })
    await assert.rejects(createRegistry([broken]).call('broken', {}, VIEWER), RangeError)
  })
})
