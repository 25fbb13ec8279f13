import assert from 'node:assert/strict'
import { HeardIpv6 } from '../../../agent/enforce/place/heard-ipv6.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import { addressBytes } from '../../../agent/inventory/locality.ts'
import { NAME, NAME_HEAD_BYTES } from '../../../native/layout.ts'
import { advertisementMessage } from '../../lab/advertisement.ts'
import { GATEWAY4, gatewayPlan, probesOf, routerBox } from './boxes.ts'

const ROUTER = '02:0d:e0:ff:00:07'
const PREFIX = '2001:db8:9::'
const DAY = 24 * 3600_000

function headOf(mac: string, ip = 'fe80::1'): Buffer {
  const head = Buffer.alloc(NAME_HEAD_BYTES)
  head.set(
    mac.split(':').map((hex) => Number.parseInt(hex, 16)),
    NAME.SRC_MAC,
  )
  head.set(addressBytes(ip), NAME.SRC_IP)
  return head
}

function claim(ip: string): Buffer {
  const message = Buffer.alloc(24)
  message[0] = 136
  message.set(addressBytes(ip), 8)
  return message
}

describe('IPv6 that was heard', () => {
  let nowMs = 0
  let changes = 0
  const ear = (): HeardIpv6 => {
    nowMs = 0
    changes = 0
    const heard = new HeardIpv6(() => nowMs)
    heard.onChange = () => changes++
    return heard
  }
  const advertises = (heard: HeardIpv6, mac: string, lifetimeS = 1800, prefix = PREFIX): void =>
    heard.hear(advertisementMessage({ mac, lifetimeS, prefix }), headOf(mac))

  it('is of routers, for as long as they say, told once', () => {
    const heard = ear()
    for (let i = 0; i < 3; i++) advertises(heard, ROUTER)
    assert.deepEqual(heard.now, { advertisers: [ROUTER], isCrowded: false, isUsed: true })
    assert.equal(changes, 1)
    nowMs = 1800_000
    assert.deepEqual(heard.now.advertisers, [])
    advertises(heard, ROUTER)
    // It stops to be one; that the prefix is used stays.
    advertises(heard, ROUTER, 0)
    assert.deepEqual(heard.now, { advertisers: [], isCrowded: false, isUsed: true })
    nowMs += DAY
    assert.equal(heard.now.isUsed, false)
  })

  it('is of devices that have or ask from an address of the internet, and of no others', () => {
    const heard = ear()
    const solicitation = Buffer.alloc(24)
    solicitation[0] = 135
    for (const ip of ['fe80::5', 'fd00::5', '::']) heard.hear(solicitation, headOf(ROUTER, ip))
    for (const ip of ['fe80::5', 'fd00::5', 'ff02::1']) heard.hear(claim(ip), headOf(ROUTER))
    advertises(heard, ROUTER, 1800, 'fd00:9::')
    assert.equal(heard.now.isUsed, false)
    heard.hear(solicitation, headOf(ROUTER, '2001:db8:9::5'))
    assert.equal(heard.now.isUsed, true)
    const other = ear()
    other.hear(claim('2001:db8:9::5'), headOf(ROUTER))
    assert.equal(other.now.isUsed, true)
  })

  it('is bounded: those that came first stay, and more are told to be too many', () => {
    const heard = ear()
    advertises(heard, ROUTER)
    for (let i = 0; i < 100; i++)
      advertises(heard, `02:0d:e0:01:00:${i.toString(16).padStart(2, '0')}`)
    assert.equal(heard.now.advertisers.length, 16)
    assert.ok(heard.now.advertisers.includes(ROUTER))
    assert.equal(heard.now.isCrowded, true)
  })

  it('is nothing where it is anything', () => {
    const heard = ear()
    for (let length = 0; length < 64; length++) {
      for (const type of [133, 134, 135, 136, 137, 255]) {
        const message = Buffer.alloc(length, 0xff)
        if (length > 0) message[0] = type
        assert.doesNotThrow(() => heard.hear(message, headOf(ROUTER)))
      }
    }
  })

  it('is part of a place: who are routers, and whether all of them are known', () => {
    const box = routerBox()
    const options = { brokers: [], homeAssistant: [], admin: [], masquerade: false }
    const at = (advertisers: string[], isCrowded = false) =>
      placeOf(
        box,
        gatewayPlan(box),
        probesOf(['br-lan', 'lan1', 'lan2']),
        { ...options, queues: { dns: 1, first: 2 } },
        { heard: { advertisers, isCrowded, isUsed: advertisers.length > 0 } },
      ).place
    // The kernel knows a gateway of IPv6.
    assert.equal(at([])?.knowsIpv6, true)
    assert.ok(at([])?.routers?.includes(GATEWAY4.mac))
    box.apply({ kind: 'gateways', gateways: box.gateways.filter(({ ip }) => ip !== 'fe80::1') })
    assert.equal(at([])?.knowsIpv6, undefined)
    assert.equal(at([ROUTER])?.knowsIpv6, true)
    assert.equal(at([ROUTER])?.usesIpv6, true)
    assert.ok(at([ROUTER])?.routers?.includes(ROUTER))
    // Who only says so is no infrastructure.
    assert.ok(!at([ROUTER])?.infrastructure.includes(ROUTER))
    assert.equal(at([ROUTER], true)?.knowsIpv6, undefined)
  })
})
