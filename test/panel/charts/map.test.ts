import assert from 'node:assert/strict'
import { layoutMap, ROW } from '../../../panel/src/charts/map-layout.ts'
import { assignSlots, buildMap, NO_SLOTS, slotsOf } from '../../../panel/src/charts/map-model.ts'
import type { Link } from '../../../panel/src/links.ts'

const link = (device_id: string, remote: string, bytes: number, rate = 0): Link => ({
  key: `${device_id}>${remote}`,
  device_id,
  end: { kind: remote.length === 1 ? 'device' : 'remote', key: remote },
  sent_bytes: 0,
  received_bytes: bytes,
  rate,
  flows: 1,
})
const LIMIT = { devices: 3, remotes: 4 }

describe('panel: the map', () => {
  it('keeps slots while their owners matter', () => {
    assert.deepEqual(assignSlots([], ['a', 'b', 'c', 'd'], 3), ['a', 'b', 'c'])
    // The order of bytes changes, the picture does not.
    assert.deepEqual(assignSlots(['a', 'b', 'c'], ['c', 'b', 'a'], 3), ['a', 'b', 'c'])
    // One that is gone leaves its slot to the newcomer.
    assert.deepEqual(assignSlots(['a', 'b', 'c'], ['c', 'x', 'a'], 3), ['a', 'x', 'c'])
    // A newcomer among the best takes the slot of the worst, which had fallen behind.
    assert.deepEqual(assignSlots(['a', 'b', 'c'], ['x', 'a', 'c', 'b'], 3), ['a', 'x', 'c'])
    assert.deepEqual(assignSlots(['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd'], 2), ['a', 'b'])
  })

  it('sums what does not fit, and loses no byte', () => {
    const links = Array.from({ length: 40 }, (_, n) =>
      link(`dev${n % 8}`, `remote${n}`, 1000 - n, n === 39 ? 7 : 0),
    )
    const model = buildMap(links, NO_SLOTS, LIMIT)
    assert.equal(model.left.length, 4)
    assert.equal(model.right.length, 5)
    assert.deepEqual([model.left.at(-1)?.kind, model.left.at(-1)?.count], ['other_devices', 5])
    assert.deepEqual([model.right.at(-1)?.kind, model.right.at(-1)?.count], ['other_remotes', 36])
    const bytes = links.reduce((sum, { received_bytes }) => sum + received_bytes, 0)
    const sum = (parts: { received_bytes: number }[]): number =>
      parts.reduce((total, part) => total + part.received_bytes, 0)
    assert.equal(sum(model.left), bytes)
    assert.equal(sum(model.right), bytes)
    assert.equal(sum(model.edges), bytes)
    assert.equal(model.right.at(-1)?.rate, 7)
    assert.ok(slotsOf(model).right.every((id) => id.startsWith('remote:')))
  })

  it('joins devices with each other on their side, seen from each', () => {
    const model = buildMap([link('a', 'b', 100), link('a', 'remote', 10)], NO_SLOTS, LIMIT)
    assert.deepEqual(model.left.map(({ key }) => key).sort(), ['a', 'b'])
    const peer = model.left.find(({ key }) => key === 'b')
    assert.deepEqual([peer?.sent_bytes, peer?.received_bytes], [100, 0])
    assert.equal(model.edges.find(({ is_local }) => is_local)?.to, 'device:b')
  })

  it('lays everything out inside its picture, for a phone and a desk', () => {
    const links = Array.from({ length: 60 }, (_, n) =>
      link(`dev${n % 9}`, n % 7 === 0 ? 'z' : `remote${n % 30}`, 10 ** (n % 10)),
    )
    for (const width of [300, 900, 1400]) {
      const layout = layoutMap(buildMap(links, NO_SLOTS, { devices: 20, remotes: 18 }), width, 5)
      const rows = new Map<string, number[]>()
      for (const { node, side, x, y, height, label_x, label_width } of layout.nodes) {
        assert.ok(y - height / 2 >= 0 && y + height / 2 <= layout.height, node.id)
        assert.ok(height <= ROW)
        assert.ok(x >= 0 && x <= width)
        const far = side === 'left' ? label_x - label_width : label_x + label_width
        assert.ok(far >= 0 && far <= width)
        rows.set(side, [...(rows.get(side) ?? []), y])
      }
      for (const ys of rows.values()) {
        for (const [n, y] of ys.entries()) assert.ok(n === 0 || y - (ys[n - 1] ?? 0) >= ROW - 0.01)
      }
      for (const { edge, width: wide, y1, y2, ...curve } of layout.edges) {
        assert.ok(wide >= 1 && wide <= ROW, edge.id)
        assert.ok([y1, y2].every((y) => y > 0 && y < layout.height))
        assert.ok([curve.x1, curve.x2, curve.cpx1, curve.cpx2].every((x) => x >= 0 && x <= width))
      }
    }
  })

  it('draws nothing of nothing', () => {
    const layout = layoutMap(buildMap([], NO_SLOTS, LIMIT), 800, 5)
    assert.deepEqual([layout.nodes.length, layout.edges.length], [0, 0])
    assert.ok(layout.height > 0)
  })
})
