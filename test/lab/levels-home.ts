// A small home for the table of levels: one device that is held, a peer, a controller, the box, and an end on the internet.
//
//   routed     dev ── lan0, peer ── lan1, ctl ── lan2 [box] wan0 ── wan
//   bridged    dev, peer, ctl ── br0 [box] wan0 ── wan
//   one_armed  dev, peer, ctl, [box] eth0, [router] ── br0 [switch]; [router] wan0 ── wan
//   bridge     dev, peer, ctl, [router] ── br0 [box]; [router] wan0 ── wan
import { join } from 'node:path'
import type { Place } from '../../agent/enforce/place/place.ts'
import type { Order, Told } from './levels-probe.ts'
import { Namespaces } from './namespaces.ts'
import { Program, succeed } from './process.ts'

export type Shape = 'routed' | 'bridged' | 'one_armed' | 'bridge'

export type End = 'dev' | 'peer' | 'ctl' | 'box' | 'wan'
const DEVICES = ['dev', 'peer', 'ctl'] as const
export const ENDS: readonly End[] = [...DEVICES, 'box', 'wan']

export const DEV_MAC = '02:0d:e0:00:00:01'
export const CTL_MAC = '02:0d:e0:00:00:03'
const ROUTER_MAC = '02:0d:e0:ff:00:01'
const BOX_MAC = '02:0d:e0:ff:00:05'
const WAN4 = '203.0.113.80'
const WAN6 = '2001:db8:113::80'

/** What an end is reached at: IPv4, IPv6, and of the device its privacy address. */
export interface Addresses {
  ipv4: string
  ipv6: string
  privacy?: string
}

interface Link extends Addresses {
  mac: string
  router4: string
  router6: string
}

/** Routed, each device has a LAN of its own; else all share the first. */
function linkOf(i: number, shape: Shape): Link {
  const lan = shape === 'routed' ? i : 0
  const base = lan * 64
  const net6 = `2001:db8:1:${lan}`
  const gateway = shape === 'one_armed' ? 2 : 1
  return {
    mac: `02:0d:e0:00:00:0${i + 1}`,
    ipv4: `192.0.2.${base + 11 + i}`,
    ipv6: `${net6}::${11 + i}`,
    ...(i === 0 ? { privacy: `${net6}:5eed:1:2:3` } : {}),
    router4: `192.0.2.${base + gateway}`,
    // One-armed, IPv6 goes round the box.
    router6: `${net6}::1`,
  }
}

/** The bridge's port to an end; `dev` and `peer` alone are words of `ip`. */
function portOf(name: string): string {
  return `to-${name}`
}

export class LevelsHome {
  readonly shape: Shape
  readonly #spaces = new Namespaces()
  readonly #probes = new Map<End, Program>()

  constructor(shape: Shape) {
    this.shape = shape
  }

  addresses(end: End): Addresses {
    const i = DEVICES.indexOf(end as (typeof DEVICES)[number])
    if (i >= 0) return linkOf(i, this.shape)
    if (end === 'wan') return { ipv4: WAN4, ipv6: WAN6 }
    const host = this.#boxRoutes ? 1 : 2
    return { ipv4: `192.0.2.${host}`, ipv6: `2001:db8:1:0::${host}` }
  }

  get #boxRoutes(): boolean {
    return this.shape === 'routed' || this.shape === 'bridged'
  }

  /** What the agent would know of this place. */
  place(egress: boolean): Place {
    const { shape } = this
    const lans = {
      routed: ['lan0', 'lan1', 'lan2'],
      bridged: ['br0'],
      one_armed: ['eth0'],
      bridge: ['br0'],
    }
    const ports = {
      bridged: DEVICES.map(portOf),
      bridge: [...DEVICES, 'router'].map(portOf),
      routed: [],
      one_armed: [],
    }
    const own = shape === 'routed' ? DEVICES.map((_, i) => linkOf(i, shape)) : []
    const { ipv4, ipv6 } = this.addresses('box')
    const controller = this.addresses('ctl')
    return {
      position: this.#boxRoutes ? 'two_armed' : (shape as 'one_armed' | 'bridge'),
      interfaces: lans[shape],
      ports: ports[shape],
      uplinks: this.#boxRoutes ? ['wan0'] : shape === 'one_armed' ? ['eth0'] : [],
      lan: ['192.0.2.0/24', '2001:db8:1::/48'],
      own: [ipv4, ipv6, ...own.flatMap(({ router4, router6 }) => [router4, router6])],
      infrastructure: [ROUTER_MAC, BOX_MAC],
      controllers: [controller.ipv4, controller.ipv6],
      features: { egress, bridge: true, bridgeConntrack: false, queue: undefined, tails: true },
      queues: { dns: 1, first: 2 },
      masquerade: shape === 'one_armed',
    }
  }

  async start(): Promise<void> {
    try {
      await this.#make()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#probes.values()].map((probe) => probe.stop('SIGKILL')))
    this.#probes.clear()
    await this.#spaces.remove()
  }

  /** Text for `nft -f -` in the box. */
  async apply(text: string): Promise<void> {
    await succeed('ip', this.#spaces.exec('box', 'nft', '-f', '-'), { input: text })
  }

  /** Runs a program in the box. */
  async run(...command: string[]): Promise<string> {
    return await succeed('ip', this.#spaces.exec('box', ...command))
  }

  async bridgeNetfilter(on: boolean): Promise<void> {
    const keys = ['iptables', 'ip6tables'].map((key) => `net/bridge/bridge-nf-call-${key}`)
    await this.#spaces.set('box', keys, on ? '1' : '0')
  }

  async ask(end: End, order: Order): Promise<Told> {
    const probe = this.#probes.get(end)
    if (!probe) throw new Error(`${end} does not run`)
    return await new Promise<Told>((resolve, reject) => {
      const forget = probe.onLine((line) => {
        forget()
        resolve(JSON.parse(line) as Told)
      })
      probe.ended.then(({ stderr }) => reject(new Error(`${end} ended: ${stderr}`)), reject)
      probe.send(JSON.stringify(order))
    })
  }

  async #make(): Promise<void> {
    const { shape } = this
    const names = ['box', 'wan', ...DEVICES, ...(this.#boxRoutes ? [] : ['router'])]
    if (shape === 'one_armed') names.push('switch')
    await this.#spaces.make(names)
    for (const name of names) {
      const quiet = ['accept_dad', 'router_solicitations', 'accept_ra']
      await this.#spaces.set(
        name,
        quiet.map((key) => `net/ipv6/conf/default/${key}`),
        '0',
      )
      await this.#spaces.ip(name, ['link set lo up'])
    }
    const bridge = shape === 'one_armed' ? 'switch' : 'box'
    if (shape !== 'routed') {
      const mac = { bridged: ROUTER_MAC, bridge: BOX_MAC, one_armed: '02:0d:e0:ff:00:09' }[shape]
      await this.#spaces.ip(bridge, [
        `link add br0 address ${mac} type bridge forward_delay 0 mcast_snooping 0`,
        'link set br0 up',
      ])
    }
    for (const [i, name] of DEVICES.entries()) await this.#device(i, name, bridge)
    if (shape === 'one_armed') await this.#station(bridge, 'box', 'eth0', BOX_MAC, 2)
    else if (shape !== 'routed') await this.#addressed('box', 'br0', shape === 'bridge' ? 2 : 1)
    if (!this.#boxRoutes) {
      await this.#station(bridge, 'router', 'lan0', ROUTER_MAC, 1)
      await this.#spaces.ip('box', [
        'route add default via 192.0.2.1',
        'route add default via 2001:db8:1::1',
      ])
    }
    await this.#internet(this.#boxRoutes ? 'box' : 'router')
    if (shape === 'one_armed') await this.#forwarding('box')
    await this.#startProbes()
  }

  async #forwarding(where: string): Promise<void> {
    await this.#spaces.set(where, ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'], '1')
  }

  async #device(i: number, name: string, bridge: string): Promise<void> {
    const link = linkOf(i, this.shape)
    const port = this.shape === 'routed' ? `lan${i}` : portOf(name)
    const length = this.shape === 'routed' ? 26 : 24
    await this.#spaces.ip(bridge, [
      `link add ${port} type veth peer name eth0 address ${link.mac} netns ${this.#spaces.name(name)}`,
      this.shape === 'routed'
        ? `link set ${port} address ${ROUTER_MAC} up`
        : `link set ${port} master br0 up`,
      ...(this.shape === 'routed'
        ? [
            `addr add ${link.router4}/26 dev ${port}`,
            `addr add ${link.router6}/64 dev ${port} nodad`,
          ]
        : []),
    ])
    await this.#spaces.ip(name, [
      `addr add ${link.ipv4}/${length} dev eth0`,
      ...[link.ipv6, link.privacy].flatMap((ip) =>
        ip ? [`addr add ${ip}/64 dev eth0 nodad`] : [],
      ),
      'link set eth0 up',
      `route add default via ${link.router4}`,
      `route add default via ${link.router6}`,
    ])
  }

  async #station(
    bridge: string,
    name: string,
    device: string,
    mac: string,
    host: number,
  ): Promise<void> {
    await this.#spaces.ip(bridge, [
      `link add ${portOf(name)} type veth peer name ${device} address ${mac} netns ${this.#spaces.name(name)}`,
      `link set ${portOf(name)} master br0 up`,
    ])
    await this.#addressed(name, device, host)
  }

  async #addressed(name: string, device: string, host: number): Promise<void> {
    await this.#spaces.ip(name, [
      `addr add 192.0.2.${host}/24 dev ${device}`,
      `addr add 2001:db8:1::${host}/64 dev ${device} nodad`,
      `link set ${device} up`,
    ])
  }

  async #internet(router: string): Promise<void> {
    await this.#forwarding(router)
    await this.#spaces.ip(router, [
      `link add wan0 type veth peer name eth0 netns ${this.#spaces.name('wan')}`,
      'addr add 198.51.100.1/24 dev wan0',
      'addr add 2001:db8:2::1/64 dev wan0 nodad',
      'link set wan0 up',
      'route add 203.0.113.0/24 via 198.51.100.2',
      'route add 2001:db8:113::/64 via 2001:db8:2::2',
    ])
    await this.#spaces.ip('wan', [
      'addr add 198.51.100.2/24 dev eth0',
      'addr add 2001:db8:2::2/64 dev eth0 nodad',
      `addr add ${WAN4}/32 dev lo`,
      `addr add ${WAN6}/128 dev lo nodad`,
      'link set eth0 up',
      'route add 192.0.2.0/24 via 198.51.100.1',
      'route add 2001:db8:1::/48 via 2001:db8:2::1',
    ])
  }

  async #startProbes(): Promise<void> {
    const program = join(import.meta.dirname, 'levels-probe.ts')
    for (const end of ENDS) {
      const { ipv4, ipv6, privacy } = this.addresses(end)
      const own = [ipv4, ipv6, ...(privacy ? [privacy] : [])]
      const probe = new Program('ip', this.#spaces.exec(end, process.execPath, program, ...own))
      this.#probes.set(end, probe.start())
    }
    for (const probe of this.#probes.values()) await probe.until(/ready/, 120_000)
  }
}
