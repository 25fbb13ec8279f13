import assert from 'node:assert/strict'
import {
  AddressText,
  formatIp,
  formatIpv6,
  formatMac,
  isGroupMac,
  isRandomMac,
  macKey,
  parseMac,
} from '../../agent/address.ts'

/** 16 bytes of eight groups in hex. */
function groups(...hex: string[]): Buffer {
  return Buffer.from(hex.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

describe('addresses as text', () => {
  const ipv6: [groups: string, text: string][] = [
    ['0 0 0 0 0 0 0 0', '::'],
    ['0 0 0 0 0 0 0 1', '::1'],
    ['1 0 0 0 0 0 0 0', '1::'],
    ['2001 db8 0 0 0 0 0 1', '2001:db8::1'],
    // One group alone is not shortened (RFC 5952, 4.2.2).
    ['2001 db8 0 1 1 1 1 1', '2001:db8:0:1:1:1:1:1'],
    ['0 1 1 1 1 1 1 1', '0:1:1:1:1:1:1:1'],
    ['1 1 1 1 1 1 1 0', '1:1:1:1:1:1:1:0'],
    // The longest run, and of two as long the first (4.2.3).
    ['2001 0 0 1 0 0 0 1', '2001:0:0:1::1'],
    ['2001 db8 0 0 1 0 0 1', '2001:db8::1:0:0:1'],
    ['0 0 1 0 0 1 0 0', '::1:0:0:1:0:0'],
    ['0 0 0 1 0 0 0 0', '0:0:0:1::'],
    ['1 0 0 0 0 1 1 1', '1::1:1:1'],
    // Lower case, without leading zeros (4.1, 4.3).
    ['2001 db8 a b c d e f', '2001:db8:a:b:c:d:e:f'],
    ['fe80 0 0 0 202 b3ff fe1e 8329', 'fe80::202:b3ff:fe1e:8329'],
    // IPv4-mapped addresses are dotted (5); others with zeros before are not.
    ['0 0 0 0 0 ffff c000 201', '::ffff:192.0.2.1'],
    ['0 0 0 0 0 ffff 0 0', '::ffff:0.0.0.0'],
    ['0 0 0 0 ffff 0 c000 201', '::ffff:0:c000:201'],
    ['0 0 0 0 0 0 c000 201', '::c000:201'],
    ['64 ff9b 0 0 0 0 c000 201', '64:ff9b::c000:201'],
    ['ffff ffff ffff ffff ffff ffff ffff ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ]
  for (const [given, text] of ipv6) {
    it(`writes ${text}`, () => {
      const bytes = groups(...given.split(' '))
      assert.equal(formatIpv6(bytes, 0), text)
      assert.equal(formatIpv6(Buffer.concat([Buffer.alloc(3, 255), bytes]), 3), text)
      assert.equal(formatIp(bytes, true), text)
    })
  }

  it('agrees with the URL standard about random addresses', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    let state = seed
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.alloc(16)
      for (let i = 0; i < 16; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        // Many zeros, so that runs are common; never an IPv4-mapped address, which a URL writes in hex.
        bytes[i] = (state >>> 16) % 3 === 0 ? state >>> 24 : 0
      }
      bytes[10] = 1
      const text = formatIpv6(bytes, 0)
      assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`, `seed ${seed}`)
    }
  })

  it('writes IPv4, also from the first four bytes of sixteen', () => {
    assert.equal(formatIp(Uint8Array.of(192, 0, 2, 255), false), '192.0.2.255')
    assert.equal(
      formatIp(groups('cb00', '7109', '1', '0', '0', '0', '0', '0'), false),
      '203.0.113.9',
    )
  })

  it('remembers addresses without mixing families or running full', () => {
    const text = new AddressText()
    const words = new Int32Array(8)
    const bytes = Buffer.from(words.buffer)
    bytes.set([255, 255, 255, 254], 0)
    assert.equal(text.ip(words, 0, false), '255.255.255.254')
    assert.equal(text.ip(words, 0, true), 'ffff:fffe::')
    assert.equal(text.ip(words, 4, false), '0.0.0.0')
    assert.equal(text.ip(words, 4, true), '::')
    for (let i = 0; i < 70_000; i++) {
      bytes.writeUInt32BE(i, 0)
      bytes.writeUInt32BE(i, 28)
      const [a, b, c, d] = bytes
      for (let twice = 0; twice < 2; twice++) {
        assert.equal(text.ip(words, 0, false), `${a}.${b}.${c}.${d}`)
        assert.equal(text.ip(words, 4, true), formatIpv6(bytes, 16))
        assert.equal(text.mac(i * 65536), formatMac(i * 65536))
      }
    }
  }).timeout(10_000)
})

describe('MAC keys', () => {
  const macs = [
    '02:0d:e0:00:00:01',
    'ff:ff:ff:ff:ff:ff',
    '00:00:00:00:00:01',
    '80:00:00:00:00:00',
    '00:00:00:80:00:00',
    '12:34:56:78:9a:bc',
  ]
  for (const mac of macs) {
    it(`of ${mac} go there and back`, () => {
      const key = parseMac(mac)
      assert.ok(key !== undefined && Number.isSafeInteger(key))
      assert.equal(formatMac(key), mac)
      assert.equal(new AddressText().mac(key), mac)
      const words = new Uint16Array(4)
      Buffer.from(words.buffer).set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 2)
      assert.equal(macKey(words, 1), key)
    })
  }

  it('are read from every usual way to write them', () => {
    const key = parseMac('02:0d:e0:00:00:01')
    for (const text of ['02-0D-E0-00-00-01', '020de0000001', '02:0D:E0:00:00:01']) {
      assert.equal(parseMac(text), key)
    }
  })

  for (const text of [
    '',
    '02:0d:e0:00:00',
    '02:0d:e0:00:00:01:02',
    '02:0d:e0:00:00:0g',
    ' 020de0000001',
    '020de0000001\n',
    '2:d:e0:0:0:1',
    '02::0de0000001',
  ]) {
    it(`are not made of ${JSON.stringify(text)}`, () => assert.equal(parseMac(text), undefined))
  }

  it('show the group bit and the local bit of the first byte', () => {
    const cases: [string, boolean, boolean][] = [
      ['00:11:22:33:44:55', false, false],
      ['01:00:5e:00:00:fb', true, false],
      ['02:00:00:00:00:00', false, true],
      ['33:33:00:00:00:01', true, true],
      ['ff:ff:ff:ff:ff:ff', true, true],
      ['fe:ff:ff:ff:ff:ff', false, true],
      ['00:03:00:00:00:ff', false, false],
    ]
    for (const [mac, group, random] of cases) {
      const key = parseMac(mac) as number
      assert.equal(isGroupMac(key), group, mac)
      assert.equal(isRandomMac(key), random, mac)
    }
  })
})
