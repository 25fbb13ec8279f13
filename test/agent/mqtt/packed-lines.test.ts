import assert from 'node:assert/strict'
import { HEADER_BYTES, PackedLines, readRecords } from '../../../agent/mqtt/packed-lines.ts'
import { changed, flow } from './listener.ts'

const HEAD = '{"seq":1,"flows":['

function messages(packed: PackedLines): { text: string; flows: unknown[] }[] {
  return Array.from({ length: packed.messages }, (_, i) => {
    const text = packed.message(i, HEAD).toString()
    return { text, flows: JSON.parse(text).flows }
  })
}

describe('lines packed into messages', () => {
  const flows = Array.from({ length: 700 }, (_, n) => flow(n, { sni: 'é"\\'.repeat(n % 40) }))

  it('hold every record in order, each message as full as it may be', () => {
    const packed = new PackedLines()
    // Packed again: what was there before leaves no trace.
    for (const maxBytes of [65_536, 3000, 20_000]) {
      packed.pack(changed(flows).lines(true), maxBytes)
      const all = messages(packed)
      assert.deepEqual(
        all.flatMap((message) => message.flows),
        flows,
      )
      const sizes = all.map(({ text }) => Buffer.byteLength(text) + HEADER_BYTES - HEAD.length)
      assert.ok(
        sizes.every((size) => size <= maxBytes + 2),
        `${sizes}`,
      )
      for (const [i, size] of sizes.slice(1).entries()) {
        const first = Buffer.byteLength(JSON.stringify(all[i + 1]?.flows[0]))
        assert.ok((sizes[i] as number) + first + 3 > maxBytes, `${i}: ${sizes[i]}, then ${size}`)
      }
      assert.equal(packed.oversize, 0)
    }
  })

  it('leave out what is too large alone, and can be taken apart again from any message on', () => {
    const packed = new PackedLines()
    const large = flow(5000, { sni: 'x'.repeat(4000) })
    packed.pack(changed([...flows.slice(0, 50), large, ...flows.slice(50)]).lines(true), 4000)
    assert.equal(packed.oversize, 1)
    const all = messages(packed)
    for (const from of [0, 1, 20, all.length - 1, all.length]) {
      const { keys, records } = packed.rest(from)
      const wanted = all.slice(from).flatMap((message) => message.flows) as { id: string }[]
      assert.deepEqual(
        records.map((record) => JSON.parse(record)),
        wanted,
      )
      assert.deepEqual(
        keys,
        wanted.map(({ id }) => id),
      )
    }
  })

  it('of nothing are one empty message', () => {
    const packed = new PackedLines()
    packed.pack(changed(flows).lines(true), 5000)
    packed.pack([], 5000)
    assert.deepEqual(
      messages(packed).map((message) => message.flows),
      [[]],
    )
    assert.deepEqual(packed.rest(0), { keys: [], records: [] })
  })

  it('are read one by one, with their ids', () => {
    const { keys, records } = readRecords(changed(flows).lines(false))
    assert.deepEqual(
      keys,
      flows.map(({ id }) => id),
    )
    assert.ok(records.every((record) => !record.includes('sni')))
  })
})
