import assert from 'node:assert/strict'
import { listConnections } from '../../panel/src/connection-list.ts'
import { isSelected, linksOf, remoteOf, viewFrom } from '../../panel/src/links.ts'
import type { LiveFlow } from '../../panel/src/store.ts'
import type { Flow } from '../../protocol/messages.ts'
import { flowOf } from './examples.ts'

const live = (id: string, rest: Partial<Flow> = {}, rate = 0): LiveFlow => ({
  flow: flowOf(id, rest),
  sent_rate: rate,
  received_rate: rate,
  changed_ms: 0,
})
const local = { direction: 'local', device_id: 'b', peer_device_id: 'a' } as const

describe('panel: links of devices and remotes', () => {
  it('names the remote by its name, else by the end that is not the device', () => {
    assert.equal(remoteOf(flowOf('1', { remote_name: 'api.example.com' })), 'api.example.com')
    assert.equal(remoteOf(flowOf('1')), '203.0.113.9')
    const inbound = flowOf('1', {
      direction: 'inbound',
      originator: { ip: '198.51.100.7' },
      responder: { ip: '192.0.2.11' },
    })
    assert.equal(remoteOf(inbound), '198.51.100.7')
  })

  it('sees a local flow from the chosen device', () => {
    const flow = live('1', { ...local, sent_bytes: 1, received_bytes: 2 })
    const view = viewFrom(flow, 'a', 0)
    assert.deepEqual(view.end, { kind: 'device', key: 'b' })
    assert.deepEqual([view.sent_bytes, view.received_bytes], [2, 1])
    assert.deepEqual(viewFrom(flow, 'b', 0).end, { kind: 'device', key: 'a' })
  })

  it('sums flows to links, a pair of devices to one', () => {
    const links = linksOf(
      [
        live('1', { remote_name: 'x', sent_bytes: 1, received_bytes: 10 }, 5),
        live('2', { remote_name: 'x', sent_bytes: 2, received_bytes: 20, state: 'closed' }, 5),
        live('3', { ...local, sent_bytes: 100, received_bytes: 3 }),
        live('4', { ...local, device_id: 'a', peer_device_id: 'b', sent_bytes: 4 }),
        live('5', { direction: 'local', responder: { ip: '224.0.0.251' }, sent_bytes: 5 }),
      ],
      {},
      1000,
    )
    assert.deepEqual(
      links.map(({ key, sent_bytes, received_bytes, flows }) => [
        key,
        sent_bytes,
        received_bytes,
        flows,
      ]),
      [
        ['a>device:b', 7, 100, 2],
        ['a>remote:x', 3, 30, 2],
        ['a>lan:lan', 5, 0, 1],
      ],
    )
    assert.equal(links[1]?.rate, 10, 'a closed flow has no rate')
    assert.equal(linksOf([live('1', {}, 5)], {}, 60_000)[0]?.rate, 0, 'an old rate is none')
  })

  it('selects by device and by remote', () => {
    const flow = flowOf('1', { remote_name: 'x' })
    assert.equal(isSelected(flow, {}), true)
    assert.equal(isSelected(flow, { device_id: 'a', remote: 'x' }), true)
    assert.equal(isSelected(flow, { device_id: 'b' }), false)
    assert.equal(isSelected(flow, { remote: 'y' }), false)
    assert.equal(isSelected(flowOf('2', local), { device_id: 'a' }), true)
    assert.equal(isSelected(flowOf('2', local), { remote: '203.0.113.9' }), false)
  })

  it('lists open connections first', () => {
    const flows = [
      live('closed', { state: 'closed', sent_bytes: 99 }),
      live('small', { sent_bytes: 1, first_ms: 2 }),
      live('large', { sent_bytes: 2, first_ms: 1 }),
    ]
    const ids = (sort: 'bytes' | 'recent'): string[] =>
      listConnections(flows, {}, sort).map(({ flow }) => flow.id)
    assert.deepEqual(ids('bytes'), ['large', 'small', 'closed'])
    assert.deepEqual(ids('recent'), ['small', 'large', 'closed'])
  })
})
