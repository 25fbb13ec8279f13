import assert from 'node:assert/strict'
import { formatIp, formatMac } from '../../../agent/address.ts'
import { readNeighbour } from '../../../agent/inventory/arp.ts'
import { addressBytes } from '../../../agent/inventory/locality.ts'
import { macBytes } from '../flows/flow-records.ts'
import { nameHead } from '../names/name-records.ts'

const DEVICE = '02:00:00:00:00:01'
const OTHER = '02:00:00:00:00:02'
const GROUP = '33:33:00:00:00:01'

function arp({
  sender = DEVICE,
  ip = '192.0.2.9',
  hardware = 1,
  protocol = 0x0800,
  lengths = 0x0604,
  operation = 1,
} = {}): Buffer {
  const message = Buffer.alloc(28)
  message.writeUInt16BE(hardware, 0)
  message.writeUInt16BE(protocol, 2)
  message.writeUInt16BE(lengths, 4)
  message.writeUInt16BE(operation, 6)
  message.set(macBytes(sender), 8)
  message.set(addressBytes(ip), 14)
  return message
}

/** An option of neighbour discovery (RFC 4861, 4.6.1): 1 the source's, 2 the target's link-layer address. */
function option(type: number, mac: string): Buffer {
  return Buffer.from([type, 1, ...macBytes(mac)])
}

function advertisement(target: string, ...options: Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from([136, 0, 0, 0, 0x60, 0, 0, 0]),
    addressBytes(target),
    ...options,
  ])
}

function solicitation(target: string, ...options: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([135, 0, 0, 0, 0, 0, 0, 0]), addressBytes(target), ...options])
}

function claim(
  kind: 'arp' | 'ndp',
  message: Buffer,
  frame: string,
  source = kind === 'arp' ? '0.0.0.0' : 'fe80::1',
): string | undefined {
  const head = nameHead(
    { kind, src: { ip: source, mac: frame }, dst: { ip: source } },
    message.length,
  )
  const found = readNeighbour(kind, message, head)
  return found && `${formatMac(found.mac)} ${formatIp(found.ip, found.ipv6)} ${found.ipv6 ? 6 : 4}`
}

describe('claims in ARP', () => {
  it('of requests and answers are those of the sender', () => {
    for (const operation of [1, 2]) {
      assert.equal(claim('arp', arp({ operation }), DEVICE), `${DEVICE} 192.0.2.9 4`)
    }
    assert.equal(
      claim('arp', Buffer.concat([arp(), Buffer.alloc(18)]), DEVICE),
      `${DEVICE} 192.0.2.9 4`,
      'padded',
    )
  })

  const refused: [what: string, message: Buffer, frame: string][] = [
    ['a sender that is not the frame’s', arp({ sender: OTHER }), DEVICE],
    ['a frame from a group', arp({ sender: GROUP }), GROUP],
    ['a frame without a source', arp({ sender: '00:00:00:00:00:00' }), '00:00:00:00:00:00'],
    ['another hardware type', arp({ hardware: 6 }), DEVICE],
    ['another protocol', arp({ protocol: 0x86dd }), DEVICE],
    ['other lengths', arp({ lengths: 0x0810 }), DEVICE],
    ['27 bytes', arp().subarray(0, 27), DEVICE],
    ['nothing', Buffer.alloc(0), DEVICE],
  ]
  for (const [what, message, frame] of refused) {
    it(`are not made by ${what}`, () => assert.equal(claim('arp', message, frame), undefined))
  }
})

describe('claims in neighbour discovery', () => {
  it('of an advertisement are of its target, of anything else of its source', () => {
    assert.equal(claim('ndp', advertisement('2001:db8:1::7'), DEVICE), `${DEVICE} 2001:db8:1::7 6`)
    assert.equal(
      claim('ndp', advertisement('2001:db8:1::7', option(2, DEVICE)), DEVICE),
      `${DEVICE} 2001:db8:1::7 6`,
    )
    assert.equal(
      claim('ndp', solicitation('2001:db8:1::7', option(1, DEVICE)), DEVICE),
      `${DEVICE} fe80::1 6`,
    )
    assert.equal(claim('ndp', Buffer.from([134, 0, 0, 0]), DEVICE), `${DEVICE} fe80::1 6`)
  })

  it('of a short advertisement are not of bytes that are not there', () => {
    assert.equal(
      claim('ndp', advertisement('2001:db8:1::7').subarray(0, 23), DEVICE),
      `${DEVICE} fe80::1 6`,
    )
    assert.equal(claim('ndp', Buffer.alloc(0), DEVICE), `${DEVICE} fe80::1 6`)
  })

  it('that name another MAC than the frame’s are left to detection', () => {
    assert.equal(claim('ndp', advertisement('2001:db8:1::7', option(2, OTHER)), DEVICE), undefined)
    assert.equal(claim('ndp', solicitation('2001:db8:1::7', option(1, OTHER)), DEVICE), undefined)
    assert.equal(
      claim(
        'ndp',
        advertisement('2001:db8:1::7', Buffer.from([14, 1, 0, 0, 0, 0, 0, 0]), option(2, OTHER)),
        DEVICE,
      ),
      undefined,
    )
    assert.equal(claim('ndp', advertisement('2001:db8:1::7'), GROUP), undefined)
  })

  it('end at an option of no length', () => {
    assert.equal(
      claim(
        'ndp',
        advertisement('2001:db8:1::7', Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), option(2, OTHER)),
        DEVICE,
      ),
      `${DEVICE} 2001:db8:1::7 6`,
    )
  })
})
