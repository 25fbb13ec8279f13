// The tables of the agent, its DNS gate and its first packets in one process, on the kernel of a box between a device and a server.
import { fileURLToPath } from 'node:url'
import type { Place } from '../../../agent/enforce/place/place.ts'
import type { DesiredDevice } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import type { Blocked } from '../../../protocol/act.ts'
import { Program, succeed } from '../../lab/process.ts'
import type { ZoneRecord } from '../../native/queue/dns-server.ts'
import type { QueueHome } from '../../native/queue/home.ts'
import { DEVICE, DEVICE_IPS, MAC, ROUTER_MAC, SERVER_IPS } from '../../native/queue/home.ts'

export interface Told {
  error?: string
  reasons: string[]
  asked: number
  blocked: Blocked[]
  /** Programs whose changes were taken for somebody else's. */
  foreign: string[]
}

/** What resolvers know. */
export const ZONE: ZoneRecord[] = [
  { name: 'good.example', type: 'A', data: '203.0.113.20' },
  { name: 'ads.example', type: 'A', data: '203.0.113.9' },
]

/** Where the router of the home stands. */
export const ROUTER_PLACE: Place = {
  position: 'two_armed',
  interfaces: ['lan0'],
  ports: [],
  uplinks: ['wan0'],
  lan: ['192.0.2.0/24', '2001:db8:1::/64'],
  own: ['192.0.2.1', '198.51.100.1', '2001:db8:1::1', '2001:db8:2::1'],
  infrastructure: [ROUTER_MAC],
  controllers: [],
  resolvers: SERVER_IPS,
  features: { egress: true, bridge: false, bridgeConntrack: false, queue: 'xt' },
  queues: { dns: 81, first: 82 },
  masquerade: false,
}

export class NamesAgent {
  readonly #home: QueueHome
  readonly #program: Program

  constructor(home: QueueHome, place: Place) {
    this.#home = home
    const script = fileURLToPath(new URL('./names-child.ts', import.meta.url))
    const command = home.spaces.exec('gw', process.execPath, script, JSON.stringify(place))
    this.#program = new Program('ip', command)
  }

  start(): void {
    this.#program.start()
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGKILL')
  }

  async tell(order: object): Promise<Told> {
    const line = new Promise<string>((resolve) => {
      const off = this.#program.onLine((text) => {
        off()
        resolve(text)
      })
    })
    this.#program.send(JSON.stringify(order))
    const gone = this.#program.ended.then(({ stderr }) => Promise.reject(new Error(stderr)))
    const told = JSON.parse(await Promise.race([line, gone])) as Told
    if (told.error !== undefined) throw new Error(told.error)
    return told
  }

  /** What holds for the device; `verdict`: on each connection that is asked about, absent: none. */
  async apply(device: Partial<DesiredDevice>, verdict?: boolean): Promise<Told> {
    const whole = { deviceId: DEVICE, mac: MAC, ips: DEVICE_IPS, restrictions: {}, matches: [] }
    return await this.tell({
      desired: { ...NOTHING, devices: [{ ...whole, ...device }] },
      verdict,
    })
  }

  /** The status of an answer that the device gets of a resolver. */
  async dig(server: string, name: string, ...more: string[]): Promise<string> {
    const words = [`@${server}`, '+time=3', '+tries=2', name, ...more]
    const text = await succeed('ip', this.#home.spaces.exec('dev', 'dig', ...words))
    return /status: (\w+)/.exec(text)?.[1] ?? ''
  }

  /** Opens a connection to port 7 there that is kept; whether it could. */
  async hold(ip: string): Promise<boolean> {
    const order = { ip, port: 7, ms: 2000 }
    return (await this.#home.device.tell<'hold', { answers: number }>('hold', order)).answers > 0
  }

  /** Whether the connection that is kept goes on. */
  async goesOn(ms = 2000): Promise<boolean> {
    return (await this.#home.device.tell<'held', { answers: number }>('held', { ms })).answers > 0
  }

  /** Whether the device reaches port 7 there over TCP. */
  async reaches(ip: string): Promise<boolean> {
    const order = { ip, port: 7, ms: 700 }
    return (await this.#home.device.tell<'tcp', { answers: number }>('tcp', order)).answers > 0
  }
}
