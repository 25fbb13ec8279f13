// What the tests of names and first packets share: devices that ask and connect, orders, and what the kernel has.
import { join } from 'node:path'
import type { Ordered } from '../../agent/policy/contract.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT } from './agent-process.ts'
import type { Order, Report } from './gate-client.ts'
import type { HomeOptions } from './home.ts'
import { Home } from './home.ts'
import { HttpOrders } from './orders.ts'
import { Program, until } from './process.ts'
import type { Tap } from './tap.ts'
import { nameOfAddress, RESOLVER4, RESOLVER6 } from './zone.ts'

/** Addresses of the lab's internet, each another one: `from` on. IPv4 has 200, then they come again. */
export function addresses(count: number, ipv6: boolean, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    if (!ipv6) return `203.0.113.${10 + (n % 200) + (n % 200 >= 43 ? 1 : 0)}`
    return `2001:db8:113::${(0x1000 + n).toString(16)}`
  })
}

/** Names below `domain` for addresses, each its own: `at.example.net` is the lab's for all addresses. */
export function namesOf(ips: readonly string[]): string[] {
  return ips.map(nameOfAddress)
}

/** A home with the real agent, whose devices ask and connect. */
export class GateHome {
  readonly home: Home
  readonly #clients = new Map<number, Program>()
  agent!: LabAgent
  tap!: Tap
  orders!: HttpOrders

  constructor(options: HomeOptions) {
    this.home = new Home(options)
  }

  /** `args`: further words for `homespin start`. Resolves when every device is known. */
  async start(args: string[] = []): Promise<void> {
    await this.home.start()
    const resolvers = [RESOLVER4, RESOLVER6].flatMap((ip) => ['--enforce-resolver', ip])
    const more = [...resolvers, ...args]
    ;({ agent: this.agent, tap: this.tap } = await agentInHome(this.home, more))
    this.orders = new HttpOrders(await this.home.door(HTTP_PORT))
    for (const [i] of this.home.devices.entries()) await this.resolve(i, ['host1.example.com'])
    const ids = this.home.devices.map(({ id }) => id)
    await until('its devices', () => ids.every((id) => this.tap.devices.has(id)) || undefined)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.stop('SIGKILL')))
    await this.tap?.stop()
    await this.agent?.stop()
    await this.home.stop()
  }

  /** Something that has to be taken. */
  async order(method: string, device: number | 'everyone', args: object = {}): Promise<Ordered> {
    const subject =
      device === 'everyone' ? { everyone: true } : { device: this.home.device(device).id }
    const { result, error } = await this.orders.rpc(method, { ...subject, ...args })
    if (result === undefined) throw new Error(`${method}: ${error?.message}`)
    return result
  }

  /** Takes back everything that is ordered. */
  async release(): Promise<void> {
    const all = [...this.home.devices.keys()].flatMap((i) => [
      ...['release', 'unblock', 'unrestrict'].map((method) => this.order(method, i)),
      this.order('unblock', i, { action: 'allow' }),
    ])
    // What comes together the kernel gets together.
    await Promise.all([...all, this.order('unblock', 'everyone')])
  }

  async does(device: number, order: Order): Promise<Report> {
    let client = this.#clients.get(device)
    if (client === undefined) {
      const program = join(import.meta.dirname, 'gate-client.ts')
      const where = this.home.device(device).name
      client = new Program('ip', this.home.inside(where, process.execPath, program)).start()
      this.#clients.set(device, client)
    }
    const working = client
    return await new Promise((resolve, reject) => {
      const forget = working.onLine((line) => {
        forget()
        resolve(JSON.parse(line) as Report)
      })
      working.ended.then(({ stderr }) => reject(new Error(`device ${device}: ${stderr}`)), reject)
      working.send(JSON.stringify(order))
    })
  }

  /** `server` unless given: the home's router for IPv4, the resolver itself for IPv6. */
  resolve(
    device: number,
    names: string[],
    how: Partial<Omit<Order & { do: 'resolve' }, 'do' | 'names'>> = {},
  ): Promise<Report> {
    return this.does(device, { do: 'resolve', server: '192.0.2.1', names, ...how })
  }

  /** How many of these addresses are reached, by the first packet. */
  async reaches(device: number, ips: string[], ms = 500): Promise<number> {
    return (await this.does(device, { do: 'connect', ips, port: 7, ms })).connected
  }

  /** Elements of a set, as nft writes them. */
  async elements(set: string, family = 'inet'): Promise<string[]> {
    const text = await this.home.in('box', 'nft', '-j', 'list', 'set', family, 'homespin', set)
    const { nftables } = JSON.parse(text) as { nftables: { set?: { elem?: unknown[] } }[] }
    return nftables.flatMap(({ set: found }) =>
      (found?.elem ?? []).map((each) => JSON.stringify(each)),
    )
  }
}
