import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandStore, TakenCommand } from '../../../agent/mqtt/command-memory.ts'
import { CommandMemory } from '../../../agent/mqtt/command-memory.ts'
import type { Command } from '../../../agent/mqtt/command-read.ts'
import { twinIn } from '../../../agent/mqtt/command-shape.ts'
import { CommandFile } from '../../../agent/mqtt/command-store.ts'
import { nameless } from '../../../agent/mqtt/nameless.ts'
import { MAX_COMMAND_SKEW_MS } from '../../../protocol/commands.ts'
import { dataFolder, stopAll } from './ordering.ts'

const NOW = Date.UTC(2026, 5, 1)

function command(id: string, issuedMs = NOW, ttlMs = 1000): Command {
  return { verb: 'block', id, digest: 'x'.repeat(22), issuedMs, ttlMs, args: {} }
}

describe('which orders were taken', () => {
  afterEach(stopAll)

  it('a disk that takes nothing: remembered, said, and kept once there is room', () => {
    const kept: TakenCommand[] = []
    let fault: Error | undefined
    const store: CommandStore = {
      load: () => [],
      add: (taken) => {
        if (fault !== undefined) throw fault
        kept.push(taken)
      },
    }
    const memory = new CommandMemory(store)
    assert.deepEqual(memory.take(command('a'), NOW, true), { kind: 'new' })
    fault = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    assert.deepEqual(memory.take(command('b'), NOW, true), { kind: 'new', notKept: 'ENOSPC' })
    assert.equal(memory.take(command('b'), NOW, true).kind, 'replayed')
    fault = undefined
    assert.deepEqual(memory.take(command('c'), NOW, true), { kind: 'new' })
    assert.deepEqual(
      kept.map(({ id }) => id),
      ['a', 'b', 'c'],
    )
  })

  it('the file: what a disk that fails took of a line spoils no other', () => {
    const path = join(dataFolder(), 'commands')
    const file = new CommandFile(path)
    file.load()
    mkdirSync(`${path}.new`)
    const taken = { id: 'a', digest: 'x'.repeat(22), endsMs: NOW }
    assert.throws(() => file.add(taken))
    rmSync(`${path}.new`, { recursive: true, force: true })
    file.add(taken)
    rmSync(path)
    mkdirSync(path)
    assert.throws(() => file.add({ ...taken, id: 'b' }))
    rmSync(path, { recursive: true })
    file.add({ ...taken, id: 'b' })
    file.add({ ...taken, id: 'c' })
    assert.match(readFileSync(path, 'latin1'), /^b \S+ \d+\nc \S+ \d+\n$/)
  })

  it('is known for as long as anybody could have it taken again, and a clock steps back', () => {
    const memory = new CommandMemory({ load: () => [], add: () => {} })
    // The latest that a sender's clock may be ahead, with the longest life.
    const issuedMs = NOW + MAX_COMMAND_SKEW_MS
    memory.take(command('a', issuedMs, 30_000), NOW, true)
    const lastMs = issuedMs + 30_000 + MAX_COMMAND_SKEW_MS
    for (let at = NOW; at <= lastMs; at += 1000) memory.take(command(`x${at}`, at), at, true)
    assert.equal(memory.take(command('a', issuedMs, 30_000), lastMs, true).kind, 'replayed')
    assert.equal(
      memory.take(command('a', issuedMs, 30_000), lastMs - 59_000, true).kind,
      'replayed',
    )
  })

  it('finds keys that stand twice, and only these', () => {
    const twin = (text: string): string | undefined => twinIn(Buffer.from(text))
    assert.equal(twin('{"a":1,"b":{"a":[{"a":1},{"a":2}]},"c":"a"}'), undefined)
    assert.equal(twin('{"a":1,"b":2,"a":3}'), 'a')
    assert.equal(twin('{"x":[1,{"é":1,"\\u00e9":2}]}'), 'é')
    assert.equal(twin('{"a\\"":1,"a":"\\",\\"a","b":["a","a"]}'), undefined)
    assert.equal(twin('{"":1,"":2}'), '')
    assert.equal(twin('[{"a":{}},{"a":{}}]'), undefined)
  })

  it('names of remotes become one sum for each device', () => {
    const total = (device_id: string, remote: string | undefined, sent_bytes: number) => ({
      ...{ device_id, sent_bytes, received_bytes: 1 },
      ...(remote === undefined ? {} : { remote }),
    })
    const remotes = [
      total('a', 'api.example.com', 100),
      total('b', 'api.example.com', 80),
      total('a', '2001:db8::1', 70),
      total('a', 'cdn.example.net', 20),
      total('a', undefined, 10),
    ]
    assert.deepEqual(nameless('get-remotes', { remotes }), {
      remotes: [
        { device_id: 'a', sent_bytes: 130, received_bytes: 3 },
        { device_id: 'b', sent_bytes: 80, received_bytes: 1 },
        { device_id: 'a', remote: '2001:db8::1', sent_bytes: 70, received_bytes: 1 },
      ],
    })
  })
})
