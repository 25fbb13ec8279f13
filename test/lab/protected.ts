// What no order may shut off, in a home whose box stands between (two_armed): the eleven targets of the measurement, each
// written in the ways in which it can be.
import { RESOLVER4, RESOLVER6 } from './zone.ts'

/** One thing that is protected. */
export interface ProtectedTarget {
  what: string
  /** Blocks that name it as the other side. */
  endpoints: readonly string[]
  /** Orders that name it as the device; unknown ones are refused as such. */
  devices: readonly string[]
  /** What the refusal of an endpoint says. */
  because: RegExp
  /** Addresses that a name may point to. */
  answers: readonly string[]
}

/** The broker that the agent talks to, in the lab's internet. */
export const BROKER = '203.0.113.20'
/** The second device is Home Assistant, the third the admin's. */
export const HOME_ASSISTANT = '192.0.2.12'
export const ADMIN = '192.0.2.13'
/** The MAC of the box's default gateway; the fourth device poses with it. */
export const GATEWAY_MAC = '02:0d:e0:ff:00:03'

const TOO_WIDE = /too wide/

export const TARGETS: readonly ProtectedTarget[] = [
  {
    what: 'this box',
    endpoints: [
      ...['192.0.2.1', '198.51.100.1', '2001:db8:1::1', '2001:db8:2::1'],
      ...['192.0.2.0/24', '192.0.2.1/32', '::ffff:192.0.2.1', '2001:DB8:1:0::1', '127.0.0.1'],
    ],
    devices: ['02:0d:e0:ff:00:01', '192.0.2.1'],
    because: /this box|loopback/,
    answers: ['192.0.2.1', '2001:db8:1::1', '198.51.100.1', '127.0.0.1'],
  },
  {
    what: 'the default gateway',
    endpoints: ['198.51.100.2', '2001:db8:2::2', '198.51.100.2/31', '2001:db8:2::2/127'],
    devices: [GATEWAY_MAC],
    because: /the default gateway/,
    answers: ['198.51.100.2', '2001:db8:2::2'],
  },
  {
    what: 'the broker',
    endpoints: [BROKER, `${BROKER}/32`, '203.0.113.16/28'],
    devices: [BROKER],
    because: /the MQTT broker/,
    answers: [BROKER],
  },
  {
    what: 'the resolver',
    endpoints: [RESOLVER4, RESOLVER6, '203.0.113.52/30'],
    devices: [RESOLVER4],
    because: /the resolver/,
    answers: [RESOLVER4, RESOLVER6],
  },
  {
    what: '0.0.0.0/0',
    endpoints: ['0.0.0.0/0', '0.0.0.0', '203.0.113.9/0'],
    devices: ['0.0.0.0'],
    because: /too wide|unspecified/,
    answers: ['0.0.0.0'],
  },
  {
    what: '::/0',
    endpoints: ['::/0', '::', '2001:db8::/0'],
    devices: ['::'],
    because: /too wide|unspecified/,
    answers: ['::'],
  },
  {
    what: 'half of everything',
    endpoints: ['0.0.0.0/1', '128.0.0.0/1', '8000::/1', '203.0.112.0/23', '2001:db8::/63'],
    devices: ['00:00:00:00:00:00'],
    because: TOO_WIDE,
    answers: ['0.1.2.3'],
  },
  {
    what: 'broadcast',
    endpoints: ['255.255.255.255', '192.0.2.255', '255.255.255.0/24'],
    devices: ['ff:ff:ff:ff:ff:ff'],
    because: /broadcast|this box/,
    answers: ['255.255.255.255', '192.0.2.255'],
  },
  {
    what: 'multicast and link-local',
    endpoints: [
      '224.0.0.251',
      '239.255.255.250',
      '224.0.0.0/24',
      'ff02::fb',
      'fe80::1',
      'fe80::/64',
    ],
    devices: ['01:00:5e:00:00:fb', '33:33:00:00:00:01'],
    // The box has an address of its own in fe80::/64.
    because: /multicast|link-local|this box/,
    answers: ['224.0.0.251', 'ff02::1', 'fe80::1'],
  },
  {
    what: 'the admin',
    endpoints: [ADMIN, `${ADMIN}/32`, '192.0.2.12/31'],
    devices: [ADMIN, '02:0d:e0:00:00:03'],
    because: /admin_addresses|Home Assistant/,
    answers: [ADMIN],
  },
  {
    what: 'Home Assistant and the Supervisor',
    endpoints: [HOME_ASSISTANT, '172.30.32.2', '172.30.33.0/24', 'fd0c:ac1e:2100::2'],
    devices: [HOME_ASSISTANT, '02:0d:e0:00:00:02'],
    because: /Home Assistant/,
    answers: [HOME_ASSISTANT, '172.30.32.2', 'fd0c:ac1e:2100::2'],
  },
]
