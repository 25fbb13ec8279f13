// The tables of the agent, its DNS gate and its first packets in one process, on the kernel of a box between a device and a server.
import { fileURLToPath } from 'node:url'
import type { Place } from '../../../agent/enforce/place/place.ts'
import type { DesiredDevice } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import type { Blocked } from '../../../protocol/act.ts'
import { Program, succeed } from '../../lab/process.ts'
import type { QueueHome } from '../../native/queue/home.ts'
import { DEVICE, DEVICE_IPS, MAC } from '../../native/queue/home.ts'

export interface Told {
  error?: string
  reasons: string[]
  asked: number
  blocked: Blocked[]
  /** Programs whose changes were taken for somebody else's. */
  foreign: string[]
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
    await this.#program.stop()
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
    const words = [`@${server}`, '+time=2', '+tries=1', name, ...more]
    const text = await succeed('ip', this.#home.spaces.exec('dev', 'dig', ...words))
    return /status: (\w+)/.exec(text)?.[1] ?? ''
  }

  /** Whether the device reaches port 7 there over TCP. */
  async reaches(ip: string): Promise<boolean> {
    const order = { ip, port: 7, ms: 700 }
    return (await this.#home.device.tell<'tcp', { answers: number }>('tcp', order)).answers > 0
  }
}
