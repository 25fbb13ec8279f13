// A home in network namespaces, closed off from this machine's own network. Needs root, iproute2, nftables, openssl.
//
//   two_armed   dev1 … devN ── br-lan [box] wan0 ── [wan]            the box is the router
//   one_armed   dev1 … devN, [box] eth0, [router] ── [lan switch]    devices have the box as gateway, it masquerades
//   bridge      dev1 … devN ── br0 [box] ── [router] ── [wan]        the box only bridges, device to device too
//
//   LAN 192.0.2.0/24, 2001:db8:1::/64: router .1, ::1; one-armed or bridging box .2, ::2; device I .(10+I), ::(hex 10+I)
//   wan 203.0.113.0/24, 2001:db8:113::/64 behind 198.51.100.0/24, 2001:db8:2::/64; port 53 of the LAN's router leads to
//   the wan's resolver.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Done, Step } from './client.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { Namespaces } from './namespaces.ts'
import { Program, run, succeed } from './process.ts'
import { Doors } from './relay.ts'
import { RESOLVER4 } from './zone.ts'

/** Where the agent's box stands in the home. */
export type Position = 'two_armed' | 'one_armed' | 'bridge'

export interface HomeOptions {
  position: Position
  /** 1 to 200. */
  devices: number
  /** False: every packet is at most the MTU long, as on a wire. Default true: super-packets, as inside a router. */
  offload?: boolean
  /** Bridged packets pass the inet hooks too (br_netfilter, on by default in this kernel's new namespaces). Default false. */
  bridgeNetfilter?: boolean
  /** False: a one-armed box does not masquerade by a rule of its own, and tells of shorter ways as routers do. Default true. */
  masquerade?: boolean
  /** Addresses in the box's resolv.conf(5). Default: as on this machine. */
  resolvers?: readonly string[]
}

export interface HomeDevice {
  name: string
  /** As in the protocol: 12 hex digits. */
  id: string
  mac: string
  ipv4: string
  ipv6: string
}

export const LAN4 = '192.0.2.0/24'
export const LAN6 = '2001:db8:1::/64'
export const ROUTER_MAC = '02:0d:e0:ff:00:01'
export const BOX_MAC = '02:0d:e0:ff:00:05'

function deviceOf(i: number): HomeDevice {
  const hex = i.toString(16).padStart(2, '0')
  return {
    name: `dev${i}`,
    id: `020de00000${hex}`,
    mac: `02:0d:e0:00:00:${hex}`,
    ipv4: `192.0.2.${10 + i}`,
    ipv6: `2001:db8:1::${(10 + i).toString(16)}`,
  }
}

export class Home {
  readonly position: Position
  readonly devices: readonly HomeDevice[]
  readonly #options: HomeOptions
  readonly #spaces = new Namespaces()
  readonly #clients = new Map<string, Program>()
  #folder = ''
  #wan?: Program
  readonly #doors = new Map<string, Doors>()

  constructor(options: HomeOptions) {
    this.#options = options
    this.position = options.position
    this.devices = Array.from({ length: options.devices }, (_, i) => deviceOf(i + 1))
  }

  /** The interfaces of the box where its agent has to look. */
  get interfaces(): string[] {
    if (this.position === 'two_armed') return ['br-lan']
    if (this.position === 'one_armed') return ['eth0']
    return ['br0']
  }

  /** A folder of this home, removed with it. */
  get folder(): string {
    return this.#folder
  }

  device(i: number): HomeDevice {
    const device = this.devices[i]
    if (!device) throw new Error(`the home has ${this.devices.length} devices`)
    return device
  }

  /** Arguments for `ip` that run a command in `box`, `wan`, `router` or `dev<I>`. */
  inside(where: string, ...command: string[]): string[] {
    return this.#spaces.exec(where, ...command)
  }

  /** Runs a command inside, which has to succeed. */
  in(where: string, ...command: string[]): Promise<string> {
    return succeed('ip', this.inside(where, ...command))
  }

  async start(): Promise<void> {
    try {
      await this.#make()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Ends everything that runs in it and removes it. */
  async stop(): Promise<void> {
    await Promise.all([...this.#doors.values()].map((doors) => doors.stop()))
    this.#doors.clear()
    const programs = [...this.#clients.values(), this.#wan].filter((x) => x)
    this.#clients.clear()
    await Promise.all(programs.map((program) => program?.stop('SIGKILL')))
    await this.#spaces.remove()
    if (this.#folder) removeFolder(this.#folder)
  }

  /** Lets a device do something; its steps come one after the other. Throws when the step failed. */
  async does(device: HomeDevice, step: Step): Promise<Done> {
    let client = this.#clients.get(device.name)
    if (!client) {
      const program = join(import.meta.dirname, 'client.ts')
      client = new Program('ip', this.inside(device.name, process.execPath, program)).start()
      this.#clients.set(device.name, client)
    }
    const working = client
    const done = await new Promise<Done>((resolve, reject) => {
      const forget = working.onLine((line) => {
        forget()
        resolve(JSON.parse(line) as Done)
      })
      working.ended.then((end) => reject(new Error(`${device.name} ended: ${end.stderr}`)), reject)
      working.send(JSON.stringify(step))
    })
    if (done.error) throw new Error(`${device.name} ${JSON.stringify(step)}: ${done.error}`)
    return done
  }

  /** Many devices at once, each its own steps in order. */
  async doAll(plans: readonly { device: HomeDevice; steps: Step[] }[]): Promise<Done[][]> {
    return await Promise.all(
      plans.map(async ({ device, steps }) => {
        const done: Done[] = []
        for (const step of steps) done.push(await this.does(device, step))
        return done
      }),
    )
  }

  /** A port on this side's 127.0.0.1 that leads to 127.0.0.1:`port` in the box, or in `wan`, … */
  door(port: number, where = 'box'): Promise<number> {
    let doors = this.#doors.get(where)
    if (!doors) {
      const folder = join(this.#folder, where)
      mkdirSync(folder)
      doors = new Doors((...command) => this.inside(where, ...command), folder)
      this.#doors.set(where, doors)
    }
    return doors.open(port)
  }

  async #make(): Promise<void> {
    this.#folder = makeFolder()
    const { position } = this
    const names = ['box', 'wan', ...this.devices.map((device) => device.name)]
    if (position !== 'two_armed') names.push('router')
    if (position === 'one_armed') names.push('switch')
    await this.#spaces.make(names)
    for (const name of names) {
      // Before any interface is there: no waiting for duplicate addresses, no asking for routers.
      const quiet = ['accept_dad', 'router_solicitations', 'accept_ra']
      const keys = quiet.map((key) => `net/ipv6/conf/default/${key}`)
      await this.#spaces.set(name, keys, '0')
      await this.#spaces.ip(name, ['link set lo up'])
    }
    const { resolvers } = this.#options
    if (resolvers) {
      const lines = resolvers.map((ip) => `nameserver ${ip}\n`)
      this.#spaces.etc('box', 'resolv.conf', lines.join(''))
    }
    const router = position === 'two_armed' ? 'box' : 'router'
    await this.#bridgeFilter(position === 'one_armed' ? 'switch' : 'box')
    if (position === 'two_armed') await this.#makeTwoArmed()
    else if (position === 'one_armed') await this.#makeOneArmed()
    else await this.#makeBridge()
    await this.#makeWan(router)
    await this.#makeDevices()
    if (this.#options.offload === false) await this.#withoutOffload()
    await this.#startWan()
  }

  async #makeTwoArmed(): Promise<void> {
    await this.#spaces.ip('box', [
      `link add br-lan address ${ROUTER_MAC} type bridge forward_delay 0 mcast_snooping 0`,
      'addr add 192.0.2.1/24 dev br-lan',
      'addr add 2001:db8:1::1/64 dev br-lan nodad',
      'link set br-lan up',
    ])
    await this.#spaces.set('box', ['net/ipv4/ip_forward'], '1')
    await this.#spaces.set('box', ['net/ipv6/conf/all/forwarding'], '1')
    await this.#nft('box', routerRules('br-lan'))
  }

  async #makeOneArmed(): Promise<void> {
    await this.#spaces.ip('switch', [
      'link add br0 type bridge forward_delay 0 mcast_snooping 0',
      'link set br0 up',
    ])
    await this.#makeRouterOn('switch')
    await this.#spaces.ip('switch', [
      `link add port-box type veth peer name eth0 address ${BOX_MAC} netns ${this.#spaces.name('box')}`,
      'link set port-box master br0 up',
    ])
    await this.#makeBoxAddresses('eth0')
    await this.#spaces.set('box', ['net/ipv4/ip_forward'], '1')
    if (this.#options.masquerade === false) return
    // A router that sends a packet out where it came in tells the sender of the shorter way, and would not see it again.
    await this.#spaces.set('box', ['net/ipv4/conf/all/send_redirects'], '0')
    await this.#spaces.set('box', ['net/ipv4/conf/eth0/send_redirects'], '0')
    await this.#nft(
      'box',
      `table ip home { chain post { type nat hook postrouting priority srcnat; ip saddr ${LAN4} ip daddr != ${LAN4} masquerade; }
      }`,
    )
  }

  async #makeBridge(): Promise<void> {
    await this.#spaces.ip('box', [
      `link add br0 address ${BOX_MAC} type bridge forward_delay 0 mcast_snooping 0`,
      'link set br0 up',
    ])
    await this.#makeRouterOn('box')
    await this.#makeBoxAddresses('br0')
  }

  async #makeBoxAddresses(name: string): Promise<void> {
    await this.#spaces.ip('box', [
      `addr add 192.0.2.2/24 dev ${name}`,
      `addr add 2001:db8:1::2/64 dev ${name} nodad`,
      `link set ${name} up`,
      'route add default via 192.0.2.1',
      'route add default via 2001:db8:1::1',
    ])
  }

  /** A router elsewhere, on a port of the bridge in `where`. */
  async #makeRouterOn(where: string): Promise<void> {
    await this.#spaces.ip(where, [
      `link add port-router type veth peer name lan0 address ${ROUTER_MAC} netns ${this.#spaces.name('router')}`,
      'link set port-router master br0 up',
    ])
    await this.#spaces.ip('router', [
      'addr add 192.0.2.1/24 dev lan0',
      'addr add 2001:db8:1::1/64 dev lan0 nodad',
      'link set lan0 up',
    ])
    await this.#spaces.set('router', ['net/ipv4/ip_forward'], '1')
    await this.#spaces.set('router', ['net/ipv6/conf/all/forwarding'], '1')
    await this.#nft('router', routerRules('lan0'))
  }

  async #makeWan(router: string): Promise<void> {
    await this.#spaces.ip(router, [
      `link add wan0 address 02:0d:e0:ff:00:02 type veth peer name eth0 address 02:0d:e0:ff:00:03 netns ${this.#spaces.name('wan')}`,
      'addr add 198.51.100.1/24 dev wan0',
      'addr add 2001:db8:2::1/64 dev wan0 nodad',
      'link set wan0 up',
    ])
    await this.#spaces.ip('wan', [
      'addr add 198.51.100.2/24 dev eth0',
      'addr add 2001:db8:2::2/64 dev eth0 nodad',
      'link set eth0 up',
      'route add local 203.0.113.0/24 dev lo',
      'route add local 2001:db8:113::/64 dev lo',
      'route add 2001:db8:1::/64 via 2001:db8:2::1',
    ])
    await this.#spaces.set('wan', ['net/ipv6/ip_nonlocal_bind'], '1')
    await this.#spaces.ip(router, [
      'route add default via 198.51.100.2',
      'route add default via 2001:db8:2::2',
    ])
  }

  async #makeDevices(): Promise<void> {
    const where = this.position === 'one_armed' ? 'switch' : 'box'
    const bridge = this.position === 'two_armed' ? 'br-lan' : 'br0'
    const gateway = this.position === 'one_armed' ? '192.0.2.2' : '192.0.2.1'
    const ports = this.devices.flatMap(({ name, mac }) => [
      `link add ${name} type veth peer name eth0 address ${mac} netns ${this.#spaces.name(name)}`,
      `link set ${name} master ${bridge} up`,
    ])
    await this.#spaces.ip(where, ports)
    for (const { name, ipv4, ipv6 } of this.devices) {
      await this.#spaces.ip(name, [
        `addr add ${ipv4}/24 dev eth0`,
        `addr add ${ipv6}/64 dev eth0 nodad`,
        'link set eth0 up',
        `route add default via ${gateway}`,
        'route add default via 2001:db8:1::1',
      ])
    }
  }

  async #startWan(): Promise<void> {
    await succeed('openssl', [
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab.test'.split(
        ' ',
      ),
      ...['-keyout', join(this.#folder, 'key.pem'), '-out', join(this.#folder, 'cert.pem')],
    ])
    const program = join(import.meta.dirname, 'wan.ts')
    this.#wan = new Program('ip', this.inside('wan', process.execPath, program, this.#folder))
    await this.#wan.start().until(/ready/, 120_000)
  }

  async #bridgeFilter(where: string): Promise<void> {
    const value = this.#options.bridgeNetfilter ? '1' : '0'
    const keys = ['iptables', 'ip6tables', 'arptables'].map(
      (key) => `net/bridge/bridge-nf-call-${key}`,
    )
    // Absent where the kernel has no br_netfilter.
    await this.#spaces.set(where, keys, value).catch(() => {})
  }

  async #withoutOffload(): Promise<void> {
    const off = 'tx off rx off sg off tso off gso off gro off'.split(' ')
    for (const where of this.#spaces.names) {
      const links = JSON.parse(await this.in(where, 'ip', '-j', 'link')) as { ifname: string }[]
      for (const { ifname } of links.filter((link) => link.ifname !== 'lo')) {
        await run('ip', this.inside(where, 'ethtool', '-K', ifname, ...off))
      }
    }
  }

  async #nft(where: string, rules: string): Promise<void> {
    await succeed('ip', this.inside(where, 'nft', '-f', '-'), { input: rules })
  }
}

function routerRules(lan: string): string {
  return `table ip home {
    chain pre { type nat hook prerouting priority dstnat
      iifname "${lan}" ip daddr 192.0.2.1 meta l4proto { tcp, udp } th dport 53 dnat to ${RESOLVER4}
    }
    chain post { type nat hook postrouting priority srcnat
      oifname "wan0" masquerade
    }
  }`
}
