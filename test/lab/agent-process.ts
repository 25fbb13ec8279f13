// The real program `homespin`, started as a person would start it, in the box of a home or anywhere.
import { join } from 'node:path'
import type { Device } from '../../protocol/messages.ts'
import { makeFolder, removeFolder } from './folders.ts'
import type { Home } from './home.ts'
import { LAN4, LAN6 } from './home.ts'
import type { Ended, RunOptions } from './process.ts'
import { Program, run, sleep } from './process.ts'
import { Tap } from './tap.ts'

const ROOT = join(import.meta.dirname, '../..')

/** The command line of `homespin`. */
export function homespin(...args: string[]): [string, ...string[]] {
  return [process.execPath, join(ROOT, 'agent/main.ts'), ...args]
}

/** Environment without keys of a configuration of this machine. */
export function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([key]) => !key.startsWith('HOMESPIN_'))
  return { ...Object.fromEntries(entries), ...extra }
}

/** Runs `homespin` to its end. */
export function runHomespin(args: string[], options: RunOptions = {}): Promise<Ended> {
  const [command, ...rest] = homespin(...args)
  return run(command, rest, { env: cleanEnvironment(), ...options })
}

export interface LabAgentOptions {
  /** Arguments after `start`, without data, agent, broker and http. */
  args: string[]
  /** Default `embedded`. */
  broker?: string
  /** How it is put into a namespace: turns its command into arguments for `ip`. Default: as it is. */
  inside?: (...command: string[]) => string[]
  env?: Record<string, string>
  /** A folder that is kept. Default: one of its own. */
  data?: string
}

/** `homespin start` with a folder of its own. */
export class LabAgent {
  /** The id that it publishes under. */
  readonly id = 'lab'
  readonly data: string
  readonly #options: LabAgentOptions
  readonly #ownsData: boolean
  readonly program: Program

  constructor(options: LabAgentOptions) {
    this.#options = options
    this.#ownsData = options.data === undefined
    this.data = options.data ?? makeFolder()
    const command = homespin('start', ...this.#arguments())
    const env = cleanEnvironment(options.env)
    const [program, ...args] = options.inside ? ['ip', ...options.inside(...command)] : command
    this.program = new Program(program, args, env)
  }

  get stderr(): string {
    return this.program.stderr
  }

  start(): this {
    this.program.start()
    return this
  }

  /** Ends it by a signal and starts it again after a while; returns at once after that. */
  async restart(signal: NodeJS.Signals, afterMs: number): Promise<void> {
    await this.program.stop(signal)
    await sleep(afterMs)
    this.program.start()
  }

  /** Ends it as the service manager would; gives how it ended. */
  async stop(): Promise<Ended> {
    try {
      return await this.program.stop('SIGTERM', 15_000)
    } finally {
      if (this.#ownsData) removeFolder(this.data)
    }
  }

  /** `homespin devices --json`, by id. */
  async devices(): Promise<Map<string, Device>> {
    const ended = await runHomespin(['devices', '--json', '--data', this.data])
    if (ended.code !== 0) throw new Error(`homespin devices: ${ended.stderr}`)
    const lines = ended.stdout.split('\n').filter(Boolean)
    const devices = lines.map((line) => JSON.parse(line) as Device)
    return new Map(devices.map((device) => [device.id, device]))
  }

  #arguments(): string[] {
    const { args, broker = 'embedded' } = this.#options
    // A machine that runs the tests may have no NTP, and be up for a minute.
    const own = ['--data', this.data, '--agent', this.id, '--trust-clock']
    return [...args, ...own, '--broker', broker]
  }
}

export const MQTT_PORT = 1883
export const HTTP_PORT = 8080

/** Where an agent is put, and how to reach it there. */
export interface AgentPlace {
  /** Turns a command into arguments for `ip` that run it there. */
  inside: (...command: string[]) => string[]
  /** A port on this side's 127.0.0.1 that leads to 127.0.0.1:`port` there. */
  door: (port: number) => Promise<number>
}

export interface PlacedOptions {
  /** Default `embedded`. */
  broker?: string
  /** Of the broker, where it is not the embedded one. */
  brokerPort?: number
  env?: Record<string, string>
}

/** An agent with page and broker, and a subscriber that has heard that it captures. */
export async function agentAt(
  place: AgentPlace,
  args: string[],
  options: PlacedOptions = {},
): Promise<{ agent: LabAgent; tap: Tap }> {
  const ports = ['--http', `127.0.0.1:${HTTP_PORT}`, '--mqtt-embedded-port', `${MQTT_PORT}`]
  const { broker = 'embedded', env = {} } = options
  const { inside } = place
  const agent = new LabAgent({ args: [...ports, ...args], inside, broker, env }).start()
  const tap = new Tap(agent.id)
  try {
    const port = await place.door(options.brokerPort ?? MQTT_PORT)
    const ended = agent.program.ended.then(({ code }) => {
      throw new Error(`it ended with exit code ${code}`)
    })
    const started = tap.start(`mqtt://127.0.0.1:${port}`).then(() => tap.untilCapturing())
    await Promise.race([started, ended])
  } catch (error) {
    await tap.stop()
    const { stderr } = await agent.stop()
    throw new Error(`the agent does not capture: ${error}\n${stderr}`)
  }
  return { agent, tap }
}

/** The same in the box of a home, in the mode that its position asks for. */
export function agentInHome(
  home: Home,
  args: string[] = [],
  options: PlacedOptions = {},
): Promise<{ agent: LabAgent; tap: Tap }> {
  const place: AgentPlace = {
    inside: (...command) => home.inside('box', ...command),
    door: (port) => home.door(port),
  }
  const mode = home.position === 'bridge' ? 'bridge' : 'gateway'
  const interfaces = home.interfaces.flatMap((name) => ['--interface', name])
  const lan = ['--lan', LAN4, '--lan', LAN6]
  return agentAt(place, ['--mode', mode, ...interfaces, ...lan, ...args], options)
}
