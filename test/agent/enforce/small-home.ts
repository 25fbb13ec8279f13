// A home of one device, a box and the internet in namespaces, and the enforcement in a process inside the box.
//   dev 192.0.2.11, 2001:db8:1::11, MAC 02:0d:e0:00:00:01 ── lan0 [box] up0 ── 203.0.113.2 [wan]
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Applied, Order, Refusal } from '../../../agent/enforce/contract.ts'
import type { Desired, DesiredDevice } from '../../../agent/policy/desired.ts'
import { makeFolder, removeFolder } from '../../lab/folders.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { Program, run, succeed } from '../../lab/process.ts'

export const DEVICE = { id: '020de0000001', mac: '02:0d:e0:00:00:01', ip: '192.0.2.11' }
export const BOX_LAN_MAC = '02:0d:e0:ff:00:01'
export const GATEWAY_MAC = '02:0d:e0:ff:00:02'
export const WAN = '203.0.113.2'

const UDPGEN = join(import.meta.dirname, '../../../bench/c/udpgen.c')
/** The number of udpgen's first flow to port 9000, where the sink listens: 60 000 ports at each of 200 addresses come before the next. */
const FIRST_TO_SINK = (9000 - 9) * 60_000 * 200

/** One device at a level. */
export function quarantined(
  level: DesiredDevice['level'] & {},
  others: DesiredDevice[] = [],
): Desired {
  const device = {
    deviceId: DEVICE.id,
    mac: DEVICE.mac,
    ips: [DEVICE.ip],
    level,
    restrictions: {},
    matches: [],
  }
  return { devices: [device, ...others], everyone: [], unknown: undefined }
}

export interface EnforcerConfig {
  mode?: 'gateway' | 'bridge' | 'host'
  interfaces?: string[]
  admin?: string[]
  brokers?: string[]
  homeAssistant?: string[]
  /** A file like resolv.conf(5). */
  resolvers?: string
  kernel?: 'program' | 'local'
}

interface Line {
  id?: number
  error?: string
  ready?: boolean
  change?: { kind: string; sentence: string; problem?: string }
  [key: string]: unknown
}

/** The process that runs `KernelEnforcement`. */
export class Enforcer {
  readonly program: Program
  readonly changes: (NonNullable<Line['change']> & { atMs: number })[] = []
  capabilities: Record<string, { ok: boolean; reason: string; values?: string[] }> = {}
  readonly #waiting = new Map<number, (line: Line) => void>()
  #id = 0

  constructor(command: string[], config: EnforcerConfig) {
    const whole = { mode: 'gateway', interfaces: ['lan0'], kernel: 'local', ...config }
    const file = join(import.meta.dirname, 'enforcer-process.ts')
    const [first = '', ...rest] = [...command, process.execPath, file, JSON.stringify(whole)]
    this.program = new Program(first, rest)
  }

  /** Resolves once it has started. */
  async start(): Promise<this> {
    this.program.start().onLine((text) => {
      const line = JSON.parse(text) as Line
      if (line.change) this.changes.push({ ...line.change, atMs: performance.now() })
      if (line.ready) this.capabilities = line.capabilities as never
      if (line.id === undefined) return
      this.#waiting.get(line.id)?.(line)
      this.#waiting.delete(line.id)
    })
    await this.program.until(/"ready":true/, 20_000)
    return this
  }

  async #ask(order: Record<string, unknown>): Promise<Line> {
    this.#id += 1
    const id = this.#id
    const line = await new Promise<Line>((resolve, reject) => {
      this.#waiting.set(id, resolve)
      this.program.ended.then(
        (end) => reject(new Error(`the enforcer ended: ${end.stderr}`)),
        reject,
      )
      this.program.send(JSON.stringify({ id, ...order }))
    })
    if (line.error !== undefined) throw new Error(line.error)
    return line
  }

  async apply(desired: Desired): Promise<Applied> {
    const { failed } = await this.#ask({ apply: desired })
    return { failed: new Map(Object.entries(failed as Record<string, string>)) }
  }

  async actual(): Promise<
    Record<string, { level?: string; rules: string[]; restrictions: string[] }>
  > {
    return (await this.#ask({ actual: true })).actual as never
  }

  async blocked(): Promise<
    { device_id: string; rule_id?: string; cause: string; packets: number }[]
  > {
    return (await this.#ask({ blocked: true })).blocked as never
  }

  async refusal(order: Order): Promise<Refusal | undefined> {
    return ((await this.#ask({ refusal: order })).refusal as Refusal | null) ?? undefined
  }

  async dynamic(changes: { set: string; key: string; timeoutMs: number }[]): Promise<void> {
    await this.#ask({ dynamic: changes })
  }

  /** Milliseconds of processor time so far, of its programs too. */
  async cpuMs(): Promise<number> {
    return (await this.#ask({ cpu: true })).cpu as number
  }

  async stop(how: 'keep' | 'remove'): Promise<void> {
    await this.#ask({ stop: how })
    await this.program.ended
  }
}

export class SmallHome {
  readonly spaces = new Namespaces()
  folder = ''
  readonly #running: Program[] = []
  #sink?: Program

  async start(): Promise<void> {
    this.folder = makeFolder()
    await this.spaces.make(['dev', 'box', 'wan'])
    for (const name of ['dev', 'box', 'wan']) {
      await this.spaces.set(name, ['net/ipv6/conf/default/accept_dad'], '0')
      await this.spaces.ip(name, ['link set lo up'])
    }
    const wan = this.spaces.name('wan')
    await this.spaces.ip('box', [
      `link add up0 type veth peer name eth0 address ${GATEWAY_MAC} netns ${wan}`,
      'addr add 203.0.113.1/24 dev up0',
      'addr add 2001:db8:113::1/64 dev up0',
      'link set up0 up',
    ])
    await this.spaces.set('box', ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'], '1')
    await this.plugIn()
    await this.spaces.ip('wan', [
      `addr add ${WAN}/24 dev eth0`,
      'addr add 2001:db8:113::2/64 dev eth0',
      'link set eth0 up',
      'route add 192.0.2.0/24 via 203.0.113.1',
      'route add 2001:db8:1::/64 via 2001:db8:113::1',
    ])
    await this.spaces.ip('box', [`route add default via ${WAN}`])
    const sink = this.#probeProgram('wan', 'sink')
    this.#sink = sink
    await sink.until(/ready/)
  }

  /** Puts a cable between the device and the box. */
  async plugIn(): Promise<void> {
    const dev = this.spaces.name('dev')
    await this.spaces.ip('box', [
      `link add lan0 address ${BOX_LAN_MAC} type veth peer name eth0 address ${DEVICE.mac} netns ${dev}`,
      'addr add 192.0.2.1/24 dev lan0',
      'addr add 2001:db8:1::1/64 dev lan0',
      'link set lan0 up',
    ])
    await this.spaces.ip('dev', [
      'addr add 192.0.2.11/24 dev eth0',
      'addr add 2001:db8:1::11/64 dev eth0',
      'link set eth0 up',
      'route add default via 192.0.2.1',
      'route add default via 2001:db8:1::1',
    ])
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.stop('SIGKILL')))
    await this.spaces.remove()
    removeFolder(this.folder)
  }

  /** Runs a program in the box, or elsewhere. */
  async in(where: string, ...command: string[]): Promise<string> {
    return await succeed('ip', this.spaces.exec(where, ...command))
  }

  async nft(text: string): Promise<void> {
    await succeed('ip', this.spaces.exec('box', 'nft', '-f', '-'), { input: text })
  }

  /** Whether the device gets an answer from the internet. */
  async reaches(address = WAN): Promise<boolean> {
    const file = join(import.meta.dirname, 'leak-probe.ts')
    const ended = await run('ip', this.spaces.exec('dev', process.execPath, file, 'try', address))
    return ended.code === 0
  }

  /** Starts the enforcement in the box; `through`: a program that runs it with less. */
  async enforcer(config: EnforcerConfig = {}, through: string[] = []): Promise<Enforcer> {
    const enforcer = new Enforcer(['ip', ...this.spaces.exec('box'), ...through], config)
    this.#running.push(enforcer.program)
    return await enforcer.start()
  }

  /** 1 000 datagrams a second from the device to the internet; the sink there says when each came. */
  async probe(): Promise<LeakProbe> {
    const source = this.#probeProgram('dev', 'source', WAN)
    await source.until(/ready/)
    const probe = new LeakProbe(source, this.#sink as Program)
    // What came to the sink before is another probe's.
    await probe.count()
    return probe
  }

  /** As many small datagrams a second from the device to the sink as this machine can; to be stopped. */
  async flood(): Promise<Program> {
    const program = join(this.folder, 'udpgen')
    await succeed(process.env.CC ?? 'cc', ['-O2', UDPGEN, '-o', program])
    // What one core sends, another one judges.
    const spread = 'echo 2 > /sys/class/net/lan0/queues/rx-0/rps_cpus'
    if (availableParallelism() > 1) await this.in('box', 'sh', '-c', spread)
    const ends = ['eth0', DEVICE.mac, BOX_LAN_MAC, DEVICE.ip, WAN]
    const numbers = [Number.MAX_SAFE_INTEGER, 64, 0, 60, FIRST_TO_SINK].map(String)
    const pinned = ['taskset', '-c', '0', program]
    const flood = new Program('ip', this.spaces.exec('dev', ...pinned, ...ends, ...numbers)).start()
    this.#running.push(flood)
    return flood
  }

  /** Packets that the box has got from the device so far. */
  async received(): Promise<number> {
    return Number(await this.in('box', 'cat', '/sys/class/net/lan0/statistics/rx_packets'))
  }

  #probeProgram(where: string, ...args: string[]): Program {
    const file = join(import.meta.dirname, 'leak-probe.ts')
    const program = new Program('ip', this.spaces.exec(where, process.execPath, file, ...args))
    this.#running.push(program)
    return program.start()
  }
}

export class LeakProbe {
  readonly #source: Program
  readonly #sink: Program

  constructor(source: Program, sink: Program) {
    this.#source = source
    this.#sink = sink
  }

  /** How many were sent so far, and how many came; with the times of those that came since the last call (epoch, ms). */
  async count(): Promise<{ sent: number; came: number; times: number[] }> {
    const [sent, sunk] = await Promise.all([ask(this.#source), ask(this.#sink)])
    return { sent: sent.count, came: sunk.count, times: sunk.times }
  }

  async stop(): Promise<void> {
    await this.#source.stop('SIGKILL')
  }
}

function ask(program: Program): Promise<{ count: number; times: number[] }> {
  return new Promise((resolve, reject) => {
    const forget = program.onLine((line) => {
      forget()
      resolve(JSON.parse(line))
    })
    program.ended.then((end) => reject(new Error(end.stderr)), reject)
    program.send('count')
  })
}
