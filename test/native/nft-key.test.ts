import assert from 'node:assert/strict'
import { canonicalKey, keyLayout, writeKey } from '../../native/nft-key.ts'

function parseKey(
  type: string,
  interval: boolean,
  text: string,
): { first: Uint8Array; last: Uint8Array } {
  const { bytes } = keyLayout(type)
  const both = new Uint8Array(bytes * 2)
  writeKey(type, interval, text, both, 0)
  return { first: both.subarray(0, bytes), last: both.subarray(bytes) }
}

describe('native nft keys', () => {
  it('has one text for each element, as nft lists it', () => {
    const cases: [type: string, text: string, canonical: string][] = [
      ['ether_addr', '02:0D:E0:00:00:01', '02:0d:e0:00:00:01'],
      ['ipv4_addr', '192.0.2.1/32', '192.0.2.1'],
      ['ipv4_addr', '192.0.2.77/24', '192.0.2.0/24'],
      ['ipv4_addr', '192.0.2.0-192.0.2.255', '192.0.2.0/24'],
      ['ipv4_addr', '192.0.2.1-192.0.2.9', '192.0.2.1-192.0.2.9'],
      ['ipv4_addr', '192.0.2.1-192.0.2.2', '192.0.2.1-192.0.2.2'],
      ['ipv4_addr', '192.0.2.5-192.0.2.5', '192.0.2.5'],
      ['ipv4_addr', '0.0.0.0/0', '0.0.0.0/0'],
      ['ipv4_addr', '192.0.2.0/31', '192.0.2.0/31'],
      ['ipv4_addr', '198.51.96.0/20', '198.51.96.0/20'],
      ['ipv6_addr', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['ipv6_addr', '2001:db8::/32', '2001:db8::/32'],
      ['ipv6_addr', '2001:db8:0:1::/65', '2001:db8:0:1::/65'],
      ['ipv6_addr', '::', '::'],
      ['ipv6_addr', '::1', '::1'],
      ['ipv6_addr', '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
      ['ipv6_addr', '::ffff:c000:201', '::ffff:192.0.2.1'],
      ['ipv6_addr', '2001:db8:1:0:1:0:1:0', '2001:db8:1:0:1:0:1:0'],
      ['ipv6_addr', 'fe80::1-fe80::2', 'fe80::1-fe80::2'],
      ['inet_service', '443', '443'],
      ['inet_service', '1024-2047', '1024-2047'],
      ['inet_service', '0-65535', '0-65535'],
      ['inet_proto', 'tcp', 'tcp'],
      ['inet_proto', '17', 'udp'],
      ['inet_proto', 'ipv6-icmp', 'icmpv6'],
      ['inet_proto', '132', '132'],
      ['ifname', 'br-lan', '"br-lan"'],
      ['ifname', '"eth0.7"', '"eth0.7"'],
      ['mark', '7', '0x00000007'],
      ['ether_addr . ipv4_addr', '02:00:00:00:00:01 . 192.0.2.1', '02:00:00:00:00:01 . 192.0.2.1'],
      [
        'ether_addr . ipv6_addr . inet_proto . inet_service',
        '02:00:00:00:00:01 . 2001:db8::/33 . 6 . 0-1023',
        '02:00:00:00:00:01 . 2001:db8::/33 . tcp . 0-1023',
      ],
    ]
    for (const [type, text, canonical] of cases) {
      assert.equal(canonicalKey(type, true, text), canonical)
      assert.equal(canonicalKey(type, true, canonical), canonical)
    }
  })

  it('pads the parts of concatenated keys as the kernel does', () => {
    const { first, last } = parseKey(
      'ether_addr . ipv4_addr . inet_proto . inet_service',
      true,
      '02:0d:e0:00:00:01 . 192.0.2.0/30 . udp . 53',
    )
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    assert.equal(hex(first), '020de00000010000c00002001100000000350000')
    assert.equal(hex(last), '020de00000010000c00002031100000000350000')
    assert.equal(hex(parseKey('ether_addr', false, '02:0d:e0:00:00:01').first), '020de0000001')
    assert.equal(hex(parseKey('inet_service', false, '443').first), '01bb')
  })

  it('refuses what is not of the type, and ranges where there are none', () => {
    const wrong: [type: string, text: unknown][] = [
      ['ether_addr', '02:00:00:00:00'],
      ['ether_addr', '02:00:00:00:00:0g'],
      ['ether_addr', '02:00:00:00:00:01 ; add rule'],
      ['ipv4_addr', '192.0.2.256'],
      ['ipv4_addr', '192.0.2.01'],
      ['ipv4_addr', '192.0.2'],
      ['ipv4_addr', '192.0.2.1.'],
      ['ipv4_addr', '192.0..1'],
      ['ipv4_addr', '1920.2.1.1'],
      ['ipv4_addr', ' 192.0.2.1'],
      ['ether_addr', '02-00-00-00-00-01'],
      ['ether_addr', '02:00:00:00:00:01:'],
      ['ipv4_addr', '192.0.2.0/33'],
      ['ipv4_addr', '192.0.2.0/'],
      ['ipv4_addr', '192.0.2.0/24/2'],
      ['ipv4_addr', '192.0.2.9-192.0.2.1'],
      ['ipv4_addr', '192.0.2.1-'],
      ['ipv6_addr', 'fe80::1%eth0'],
      ['ipv6_addr', '2001:db8::/129'],
      ['ipv6_addr', '192.0.2.1'],
      ['inet_service', '65536'],
      ['inet_service', '-1'],
      ['inet_service', 'https'],
      ['inet_proto', '256'],
      ['ifname', 'a b'],
      ['ifname', 'x'.repeat(16)],
      ['ifname', '"a"b"'],
      ['ether_addr . ipv4_addr', '02:00:00:00:00:01'],
      ['ether_addr', undefined],
      ['ether_addr', {}],
      ['no_type', '1'],
      ['constructor', '1'],
      ['', ''],
      [Array(5).fill('ipv6_addr').join(' . '), '::'],
    ]
    for (const [type, text] of wrong) {
      assert.throws(
        () => parseKey(type, true, text as string),
        TypeError,
        `${type} ${String(text)}`,
      )
    }
    for (const range of ['192.0.2.0/24', '192.0.2.1-192.0.2.2']) {
      assert.throws(() => parseKey('ipv4_addr', false, range), /is a range/)
    }
    assert.ok(parseKey('ipv4_addr', false, '192.0.2.1/32'))
  })
})
