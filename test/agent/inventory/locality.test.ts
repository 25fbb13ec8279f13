import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import type { Prefix } from '../../../agent/inventory/locality.ts'
import {
  addressBytes,
  isGroupAddress,
  isLinkLocal,
  isPrivate,
  Locality,
  parsePrefix,
} from '../../../agent/inventory/locality.ts'

const DEVICE = parseMac('02:00:00:00:00:01') as number
const ROUTER = parseMac('02:00:00:00:00:fe') as number

function localityOf(...lan: string[]): Locality {
  const locality = new Locality()
  locality.setPrefixes(lan.map((text) => parsePrefix(text) as Prefix))
  return locality
}

function isLocal(locality: Locality, ip: string, mac = DEVICE): boolean {
  return locality.isLocal(addressBytes(ip), 0, ip.includes(':'), mac)
}

/** A remote answered a device by way of `mac`. */
function answer(locality: Locality, ip: string, mac: number, timeMs = 1000): void {
  locality.learnCarrier(addressBytes(ip), 0, ip.includes(':'), mac, timeMs)
}

describe('prefixes as text', () => {
  const good: [text: string, bytes: string, length: number][] = [
    ['192.0.2.0/24', 'c0000200', 24],
    ['192.0.2.77/24', 'c000024d', 24],
    ['192.0.2.1', 'c0000201', 32],
    ['0.0.0.0/0', '00000000', 0],
    ['255.255.255.255/32', 'ffffffff', 32],
    ['::/0', '00000000000000000000000000000000', 0],
    ['2001:db8::/32', '20010db8000000000000000000000000', 32],
    ['2001:DB8:1::1', '20010db8000100000000000000000001', 128],
    ['1:2:3:4:5:6:7:8/127', '00010002000300040005000600070008', 127],
    ['1:2:3:4:5:6:7::/112', '00010002000300040005000600070000', 112],
    ['::ffff:192.0.2.1/128', '00000000000000000000ffffc0000201', 128],
    ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201', 128],
  ]
  for (const [text, hex, length] of good) {
    it(`reads ${text}`, () => {
      const prefix = parsePrefix(text)
      assert.equal(Buffer.from(prefix?.bytes ?? []).toString('hex'), hex)
      assert.equal(prefix?.length, length)
      assert.equal(prefix?.ipv6, text.includes(':'))
    })
  }

  const bad = [
    '',
    '/',
    '/24',
    '192.0.2.0/',
    '192.0.2.0/33',
    '192.0.2.0/-1',
    '192.0.2.0/ 24',
    '192.0.2.0/24 ',
    ' 192.0.2.0/24',
    '192.0.2.0/24/24',
    '192.0.2.0/2a',
    '192.0.2.0/1e1',
    '192.0.2.0/0x18',
    '192.0.2/24',
    '192.0.2.256/24',
    '192.0.2.0.0/24',
    '192.0.02.0/24',
    '192.0.2.0/255.255.255.0',
    '2001:db8::/129',
    '2001:db8::/1000',
    '2001:db8:::/64',
    '2001::db8::/64',
    'fe80::1%eth0',
    'fe80::1%eth0/64',
    '12345::/16',
    '1:2:3:4:5:6:7/64',
    '[2001:db8::]/64',
    'home',
    'fritz.box/24',
    '192.0.2.0\\24',
    '192.0.2.0/24\n',
    '٣.0.2.0/24',
    '192.0.2.0/٢٤',
  ]
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parsePrefix(text), undefined))
  }
})

describe('where a prefix ends', () => {
  const edges: [prefix: string, inside: string[], outside: string[]][] = [
    ['0.0.0.0/0', ['0.0.0.0', '223.255.255.255'], ['2001:db8::1']],
    ['128.0.0.0/1', ['128.0.0.0', '203.0.113.1'], ['127.255.255.255']],
    ['192.0.2.0/24', ['192.0.2.0', '192.0.2.255'], ['192.0.1.255', '192.0.3.0']],
    ['192.0.2.77/24', ['192.0.2.1'], ['192.0.3.77']],
    ['203.0.113.64/26', ['203.0.113.64', '203.0.113.127'], ['203.0.113.63', '203.0.113.128']],
    ['203.0.113.4/31', ['203.0.113.4', '203.0.113.5'], ['203.0.113.3', '203.0.113.6']],
    ['203.0.113.4/32', ['203.0.113.4'], ['203.0.113.5']],
    ['::/0', ['2001:db8::1'], ['203.0.113.4']],
    ['8000::/1', ['8000::', '9fff::1'], ['7fff:ffff::']],
    [
      '2001:db8:1::/64',
      ['2001:db8:1::', '2001:db8:1:0:ffff::1'],
      ['2001:db8:1:1::', '2001:db8:0:ffff::'],
    ],
    ['2001:db8::2/127', ['2001:db8::2', '2001:db8::3'], ['2001:db8::1', '2001:db8::4']],
    ['2001:db8::2/128', ['2001:db8::2'], ['2001:db8::3']],
    // The first four bytes are those of the IPv6 prefix.
    ['2001:db8::/32', ['2001:db8::1'], ['32.1.13.184']],
  ]
  for (const [prefix, inside, outside] of edges) {
    it(prefix, () => {
      const locality = localityOf(prefix)
      for (const ip of inside) {
        assert.ok(locality.inPrefixes(addressBytes(ip), 0, ip.includes(':')), `${ip} is inside`)
        assert.ok(isLocal(locality, ip), `${ip} is local`)
      }
      for (const ip of outside) {
        assert.ok(!locality.inPrefixes(addressBytes(ip), 0, ip.includes(':')), `${ip} is outside`)
        assert.ok(!isLocal(locality, ip), `${ip} is not local`)
      }
    })
  }
})

describe('kinds of addresses', () => {
  const kinds: [ip: string, group: boolean, linkLocal: boolean, isPrivate: boolean][] = [
    ['0.0.0.0', true, false, false],
    ['255.255.255.255', true, false, false],
    ['224.0.0.251', true, false, false],
    ['223.255.255.255', false, false, false],
    ['0.0.0.1', false, false, false],
    ['169.254.1.1', false, true, false],
    ['169.253.1.1', false, false, false],
    ['10.0.0.1', false, false, true],
    ['172.15.255.255', false, false, false],
    ['172.16.0.0', false, false, true],
    ['172.31.255.255', false, false, true],
    ['172.32.0.0', false, false, false],
    ['192.168.255.255', false, false, true],
    ['192.169.0.0', false, false, false],
    ['100.63.255.255', false, false, false],
    ['100.64.0.0', false, false, true],
    ['100.127.255.255', false, false, true],
    ['100.128.0.0', false, false, false],
    ['::', true, false, false],
    ['::1', false, false, false],
    ['ff02::1', true, false, false],
    ['fe80::1', false, true, false],
    ['febf::1', false, true, false],
    ['fec0::1', false, false, false],
    ['fc00::1', false, false, true],
    ['fdff::1', false, false, true],
    ['fe00::1', false, false, false],
    ['2001:db8::1', false, false, false],
  ]
  for (const [ip, group, linkLocal, priv] of kinds) {
    it(ip, () => {
      const bytes = Buffer.concat([Buffer.alloc(5, 0xa5), addressBytes(ip)])
      assert.equal(isGroupAddress(bytes, 5, ip.includes(':')), group, 'group')
      assert.equal(isLinkLocal(bytes, 5, ip.includes(':')), linkLocal, 'link-local')
      assert.equal(isPrivate(bytes, 5, ip.includes(':')), priv, 'private')
    })
  }
})

describe('what is of the home', () => {
  it('with prefixes: theirs, link-local, and private unless behind a router', () => {
    const locality = localityOf('192.0.2.0/24', '2001:db8:1::/64')
    locality.addRouter(ROUTER)
    const cases: [ip: string, mac: number, local: boolean][] = [
      ['192.0.2.9', DEVICE, true],
      ['192.0.2.9', ROUTER, true],
      ['192.0.2.9', 0, true],
      ['203.0.113.9', DEVICE, false],
      ['203.0.113.9', ROUTER, false],
      ['10.1.2.3', DEVICE, true],
      ['10.1.2.3', 0, true],
      ['10.1.2.3', ROUTER, false],
      ['fd00::1', DEVICE, true],
      ['fd00::1', ROUTER, false],
      ['fe80::1', ROUTER, true],
      ['169.254.3.4', DEVICE, true],
      ['2001:db8:1::5', DEVICE, true],
      ['2001:db8:2::5', DEVICE, false],
    ]
    for (const [ip, mac, local] of cases) {
      assert.equal(isLocal(locality, ip, mac), local, `${ip} of ${mac.toString(16)}`)
    }
  })

  it('by MAC: whatever is not a router says', () => {
    const locality = new Locality()
    locality.setPrefixes([], true)
    locality.addRouter(ROUTER)
    assert.equal(isLocal(locality, '203.0.113.9', DEVICE), true)
    assert.equal(isLocal(locality, '203.0.113.9', ROUTER), false)
    assert.equal(isLocal(locality, '203.0.113.9', 0), false)
    assert.equal(isLocal(locality, '10.0.0.1', 0), true)
  })

  it('a private address that is only spoken to is not, unless nothing is known of the home', () => {
    const locality = localityOf('192.0.2.0/24')
    const ip = addressBytes('10.1.2.3')
    assert.equal(locality.isLocal(ip, 0, false, DEVICE, true), true)
    assert.equal(locality.isLocal(ip, 0, false, DEVICE, false), false)
    assert.equal(locality.isLocal(ip, 0, false, 0, false), false)
    assert.equal(locality.isLocal(addressBytes('192.0.2.9'), 0, false, 0, false), true)
    assert.equal(new Locality().isLocal(ip, 0, false, 0, false), true)
  })

  it('the broadcast addresses of its networks are known', () => {
    const locality = localityOf('192.0.2.0/24', '203.0.113.64/26', '198.51.100.4/31', '::/0')
    const cases: [ip: string, broadcast: boolean][] = [
      ['192.0.2.255', true],
      ['192.0.2.254', false],
      ['192.0.2.127', false],
      ['203.0.113.127', true],
      ['203.0.113.255', false],
      ['198.51.100.5', false],
      ['2001:db8::ffff', false],
      ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', false],
    ]
    for (const [ip, broadcast] of cases) {
      assert.equal(locality.isBroadcast(addressBytes(ip), 0, ip.includes(':')), broadcast, ip)
    }
  })
})

describe('who is a router', () => {
  const REMOTES = ['203.0.113.9', '198.51.100.9', '2001:db8:9::9']

  it('is learnt from the answers of remotes in several networks', () => {
    const locality = localityOf('192.0.2.0/24')
    for (const ip of ['203.0.113.9', '203.0.113.10', '198.51.100.9', '203.0.113.200']) {
      answer(locality, ip, ROUTER)
    }
    assert.equal(locality.isRouter(ROUTER), false, 'of two, it may be a device with two addresses')
    assert.equal(locality.carriesRemotes(ROUTER), true)
    assert.equal(isLocal(locality, '10.0.0.1', ROUTER), false)
    answer(locality, '2001:db8:9::9', ROUTER)
    assert.equal(locality.isRouter(ROUTER), true)
    assert.equal(isLocal(locality, '192.0.2.1', ROUTER), true, 'its own address stays of the home')
  })

  it('is not learnt from addresses of the home, of the link, of groups, or without a MAC', () => {
    const locality = localityOf('192.0.2.0/24')
    const own = ['192.0.2.9', '10.0.0.1', '172.16.0.1', 'fd00::1', 'fe80::1', '169.254.1.1']
    for (const ip of [...own, '0.0.0.0', '::', '224.0.0.1', 'ff02::1']) {
      answer(locality, ip, ROUTER)
    }
    for (const ip of REMOTES) answer(locality, ip, 0)
    assert.equal(locality.carriesRemotes(ROUTER) || locality.carriesRemotes(0), false)
  })

  it('is forgotten an hour after the last answer', () => {
    const locality = localityOf('192.0.2.0/24')
    for (const ip of REMOTES) answer(locality, ip, ROUTER)
    answer(locality, '203.0.113.9', ROUTER, 3_000_000)
    answer(locality, '203.0.113.9', DEVICE, 6_000_000)
    assert.equal(locality.isRouter(ROUTER), true)
    answer(locality, '203.0.113.9', DEVICE, 7_000_000)
    assert.equal(locality.isRouter(ROUTER), false)
  })

  it('is who the kernel says, until it says who else', () => {
    const locality = localityOf('192.0.2.0/24')
    locality.addRouter(ROUTER)
    assert.equal(locality.isRouter(ROUTER), true)
    locality.setPrefixes([parsePrefix('192.0.2.0/24') as Prefix])
    assert.equal(locality.isRouter(ROUTER), false)
  })

  it('is not learnt without prefixes, nor where MACs decide', () => {
    for (const byMac of [false, true]) {
      const locality = new Locality()
      locality.setPrefixes(byMac ? [parsePrefix('192.0.2.0/24') as Prefix] : [], byMac)
      for (const ip of REMOTES) answer(locality, ip, ROUTER)
      assert.equal(locality.isRouter(ROUTER), false)
    }
  })

  it('is not pushed out by made-up ones, which are bounded', () => {
    const locality = localityOf('192.0.2.0/24')
    const made = Array.from({ length: 5000 }, (_, i) => (i + 1) * 2)
    for (const [i, mac] of made.entries()) {
      for (const ip of REMOTES) answer(locality, ip, mac, 1000 + i)
      for (const ip of REMOTES) answer(locality, ip, ROUTER, 1000 + i)
    }
    assert.equal(made.filter((mac) => locality.carriesRemotes(mac)).length, 255)
    assert.equal(locality.isRouter(ROUTER), true)
  })
})
