// A real mosquitto for Home Assistant and an agent, on this machine's loopback or on that of a home's box. It asks for a user
// and password, as the Mosquitto app of Home Assistant does, lets each account read and write everything, and can be restarted.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentPlace } from '../lab/agent-process.ts'
import { Program, succeed } from '../lab/process.ts'
import { freePort } from '../nodes/mosquitto.ts'

/** Who may come in. */
export const BROKER_USER = 'homespin'
export const BROKER_PASSWORD = 'broker-password'

/** The port in a place, where it is nobody else's. */
const PLACED_PORT = 1884

export interface BrokerOptions {
  /** A folder for its files. */
  folder: string
  /** Default: this machine. */
  place?: AgentPlace
  /** Whether it keeps retained messages over a restart, as the Mosquitto app does. Default true. */
  persistent?: boolean
}

export class Broker {
  /** On 127.0.0.1 where it runs: of the place, or of this machine. */
  port = 0
  /** Where this process reaches it. */
  url = ''
  readonly #options: BrokerOptions
  #program?: Program

  constructor(options: BrokerOptions) {
    this.#options = options
  }

  /** Starts it, the second time on the port that it had; resolves when it listens. */
  async start(): Promise<void> {
    if (this.port === 0) await this.#prepare()
    const { place } = this.#options
    const command: [string, ...string[]] = ['mosquitto', '-c', this.#file('mosquitto.conf')]
    const [program, ...args] = place ? ['ip', ...place.inside(...command)] : command
    const PATH = `${process.env.PATH}:/usr/sbin`
    this.#program = new Program(program, args, { ...process.env, PATH }).start()
    await this.#program.until(/mosquitto version \S+ running/)
  }

  async stop(): Promise<void> {
    await this.#program?.stop()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async #prepare(): Promise<void> {
    const { place, persistent = true, folder } = this.#options
    this.port = place ? PLACED_PORT : await freePort()
    const near = place ? await place.door(this.port) : this.port
    this.url = `mqtt://${BROKER_USER}:${BROKER_PASSWORD}@127.0.0.1:${near}`
    const passwords = this.#file('passwords')
    await succeed('mosquitto_passwd', ['-b', '-c', passwords, BROKER_USER, BROKER_PASSWORD])
    const lines = [
      `listener ${this.port} 127.0.0.1`,
      'allow_anonymous false',
      `password_file ${passwords}`,
      'user root',
      'log_dest stderr',
      'max_queued_messages 10000',
      `persistence ${persistent}`,
      ...(persistent ? [`persistence_location ${folder}/`] : []),
    ]
    writeFileSync(this.#file('mosquitto.conf'), `${lines.join('\n')}\n`)
  }

  #file(name: string): string {
    return join(this.#options.folder, name)
  }
}
