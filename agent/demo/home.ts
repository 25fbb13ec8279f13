// What a device of the demo home is, and the home that they share.
import type { Announcement } from './dns-messages.ts'
import { address, mac } from './frames.ts'
import type { Habit } from './habits.ts'
import { uuid } from './plain-messages.ts'
import type { Random } from './random.ts'
import type { Station, World } from './world.ts'

/** A device as it is written down. */
export interface Profile {
  hostname: string
  /** Registered prefix of its maker; absent: the device makes up its address. */
  macPrefix?: string
  /** Last number of its address in 192.0.2.0/24. */
  host: number
  v6: boolean
  /** DHCP option 60 */
  vendorClass: string
  /** What it announces by mDNS. */
  service: string
  port: number
  text: readonly string[]
  /** Seconds after the beginning at which it joins; absent: it is there already. */
  joinsAfter?: number
  habits: readonly Habit[]
}

/** A device with its addresses. */
export interface DemoDevice extends Station {
  hostname: string
  vendorClass: string
  announcement: Announcement
  uuid: string
  joinsAfter: number | undefined
  habits: readonly Habit[]
}

/** What a habit may reach. */
export interface Home {
  world: World
  /** The device with this host name. Throws if there is none. */
  device: (hostname: string) => DemoDevice
}

/** The router: resolver, DHCP server and way out. */
export const GATEWAY: Station = {
  mac: mac('48:8f:5a:01:02:03'),
  v4: address('192.0.2.1'),
  v6: address('2001:db8:1::1'),
  linkLocal: address('fe80::4a8f:5aff:fe01:203'),
}

/** Gives a device its MAC and addresses; the same `random` gives the same ones. */
export function makeDevice(profile: Profile, random: Random): DemoDevice {
  const tail = random.bytes(6)
  const own = Buffer.from(tail)
  if (profile.macPrefix) mac(`${profile.macPrefix}:00:00:00`).copy(own, 0, 0, 3)
  else own[0] = (tail[0]! & 0xfc) | 0x02
  const { hostname, vendorClass, service, port, text } = profile
  const v4 = address(`192.0.2.${profile.host}`)
  const device: DemoDevice = {
    mac: own,
    v4,
    hostname,
    vendorClass,
    announcement: {
      host: `${hostname}.local`,
      addresses: [v4],
      service,
      instance: hostname,
      port,
      text,
    },
    uuid: uuid(random),
    joinsAfter: profile.joinsAfter,
    habits: profile.habits,
  }
  const word = (): string => random.integer(0x1000, 0x10000).toString(16)
  const v6 = address(`2001:db8:1:0:${word()}:${word()}:${word()}:${word()}`)
  const linkLocal = address(`fe80::${word()}:${word()}:${word()}:${word()}`)
  if (!profile.v6) return device
  const announcement = { ...device.announcement, addresses: [v4, v6] }
  return { ...device, v6, linkLocal, announcement }
}
