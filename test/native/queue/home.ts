// A home of three namespaces for the queues' tests: a device and a router that queues, and a server beyond it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Namespaces } from '../../lab/namespaces.ts'
import { Program, succeed } from '../../lab/process.ts'
import type { Orders } from './child.ts'

export const MAC = '02:0d:e0:00:00:01'
export const DEVICE = '020de0000001'
/** Of the router, towards the device. */
export const ROUTER_MAC = '02:0d:e0:00:00:fe'
export const OTHER_MAC = '02:0d:e0:00:00:02'
export const DEVICE_IPS = ['192.0.2.11', '2001:db8:1::11'] as const
export const SERVER_IPS = ['198.51.100.2', '2001:db8:2::2'] as const
/** The bit that accepted packets bear in these tests. */
export const ACCEPT = 0x10

let can: boolean | undefined

/** Whether these tests can run; with CI set, they have to. */
export function canQueue(): boolean {
  can ??= tryQueue()
  return can
}

function tryQueue(): boolean {
  const name = `hsq${process.pid}`
  const iptables = ['iptables-nft', '-t', 'mangle', '-A', 'FORWARD', '-j', 'NFQUEUE']
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
    try {
      execFileSync('ip', ['netns', 'exec', name, ...iptables], { stdio: 'pipe' })
    } finally {
      execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' })
    }
    return true
  } catch (cause) {
    if (process.env.CI) throw new Error('packets can not be queued here', { cause })
    return false
  }
}

/** A process in a namespace that does what it is told. */
export class Child {
  readonly #program: Program
  readonly #waiting: ((line: string) => void)[] = []

  constructor(command: string[]) {
    const script = fileURLToPath(new URL('./child.ts', import.meta.url))
    this.#program = new Program('ip', [...command, process.execPath, script])
  }

  start(): this {
    this.#program.start().onLine((line) => this.#waiting.shift()?.(line))
    return this
  }

  get pid(): number {
    return this.#program.pid
  }

  async tell<K extends keyof Orders, T = Record<string, never>>(
    name: K,
    order: Orders[K],
  ): Promise<T> {
    const line = new Promise<string>((resolve) => this.#waiting.push(resolve))
    this.#program.send(JSON.stringify([name, order]))
    const ended = this.#program.ended.then(({ stderr }) => {
      throw new Error(`the process in the namespace is gone: ${stderr}`)
    })
    ended.catch(() => {})
    const answer = JSON.parse(await Promise.race([line, ended])) as T & { error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#program.stop(signal)
  }
}

/** A home for the tests of a `describe`: made once, and before each test in the state that `start` left (`reset`). */
export class QueueHome {
  readonly spaces = new Namespaces()
  device!: Child
  router!: Child
  server!: Child
  /** Connections of a zone know nothing of those of another one (nft(8), ct zone): each test has its own. */
  #zone = 0

  async start(): Promise<void> {
    await this.spaces.make(['dev', 'gw', 'wan'])
    this.startChildren()
    await Promise.all(['dev', 'wan'].map((name) => this.#prepare(name)))
    await this.spaces.ip('wan', ['route add local 203.0.113.0/24 dev lo'])
    await this.connect()
  }

  async #prepare(name: string): Promise<void> {
    await this.spaces.set(name, ['net/ipv6/conf/default/accept_dad'], '0')
    await this.spaces.ip(name, ['link set lo up'])
  }

  /** Puts the router, which has nothing yet, between the device and the server. */
  protected async connect(): Promise<void> {
    await this.#prepare('gw')
    await this.spaces.set('gw', ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'], '1')
    await this.spaces.ip('gw', [
      `link add lan0 address ${ROUTER_MAC} type veth peer name eth0 netns ${this.spaces.name('dev')}`,
      `link add wan0 type veth peer name eth0 netns ${this.spaces.name('wan')}`,
      'link set lan0 up',
      'link set wan0 up',
      'addr add 192.0.2.1/24 dev lan0',
      'addr add 2001:db8:1::1/64 dev lan0 nodad',
      'addr add 198.51.100.1/24 dev wan0',
      'addr add 2001:db8:2::1/64 dev wan0 nodad',
      'route add 203.0.113.0/24 via 198.51.100.2',
    ])
    await Promise.all([
      this.spaces.ip('dev', [
        `link set eth0 address ${MAC}`,
        'link set eth0 up',
        'addr add 192.0.2.11/24 dev eth0',
        'addr add 2001:db8:1::11/64 dev eth0 nodad',
        'route add default via 192.0.2.1',
        'route add default via 2001:db8:1::1',
      ]),
      this.spaces.ip('wan', [
        'link set eth0 up',
        'addr add 198.51.100.2/24 dev eth0',
        'addr add 2001:db8:2::2/64 dev eth0 nodad',
        'route add default via 198.51.100.1',
        'route add default via 2001:db8:2::1',
      ]),
    ])
  }

  /** They load while the rest is made. */
  protected startChildren(): void {
    this.device = new Child(this.spaces.exec('dev')).start()
    this.server = new Child(this.spaces.exec('wan')).start()
    this.router = new Child(this.spaces.exec('gw')).start()
  }

  /**
   * For `beforeEach`: a new process in the router, the others with nothing in mind, and no connection that is known. The rules of
   * the router stay, but for the tables that are written anew.
   */
  async reset(tables = ''): Promise<void> {
    this.#zone++
    const zone = (hook: string): string =>
      `chain ${hook} { type filter hook ${hook} priority -300; ct zone set ${this.#zone}; }`
    await this.#forget()
    await this.nft(`table inet zone\ndelete table inet zone
      table inet zone { ${zone('prerouting')}; ${zone('output')}; }\n${tables}`)
    this.restartRouter()
  }

  /** As `reset`, with a router that has nothing of what was before: for tests that write all of its tables. */
  async renew(): Promise<void> {
    await this.#forget()
    await this.disconnect()
    const gw = this.spaces.name('gw')
    await succeed('ip', ['netns', 'del', gw])
    await succeed('ip', ['netns', 'add', gw])
    this.restartRouter()
    await this.connect()
  }

  protected async disconnect(): Promise<void> {
    await this.spaces.ip('gw', ['link del lan0', 'link del wan0'])
  }

  async #forget(): Promise<void> {
    await Promise.all([
      this.router.stop('SIGKILL'),
      ...[this.device, this.server].map((child) => child.tell('forget', {})),
    ])
  }

  async stop(): Promise<void> {
    await Promise.all(
      [this.device, this.router, this.server].map((child) => child?.stop('SIGKILL')),
    )
    await this.spaces.remove()
  }

  /** A new process in the router; the one before must have ended. */
  restartRouter(): void {
    this.router = new Child(this.spaces.exec('gw')).start()
  }

  async gw(...command: string[]): Promise<string> {
    return await this.in('gw', ...command)
  }

  async in(where: 'dev' | 'gw' | 'wan', ...command: string[]): Promise<string> {
    return await succeed('ip', this.spaces.exec(where, ...command), { timeoutMs: 30_000 })
  }

  /** One transaction in the router. */
  async nft(text: string): Promise<void> {
    await succeed('ip', this.spaces.exec('gw', 'nft', '-f', '-'), { input: `${text}\n` })
  }

  /** Appends rules to the mangle tables of the router, one process for each version of IP. */
  async mangle(rules: readonly string[], only6: readonly string[] = []): Promise<void> {
    await Promise.all(
      ['iptables-nft-restore', 'ip6tables-nft-restore'].map((program, i) => {
        const lines = ['*mangle', ...(i === 1 ? only6 : []), ...rules, 'COMMIT']
        const command = this.spaces.exec('gw', program, '--noflush')
        return succeed('ip', command, { input: `${lines.join('\n')}\n` })
      }),
    )
  }

  /** Queues the first packets of connections; a connection goes on by its mark once one was accepted. */
  async queueFirst(queue: number): Promise<void> {
    await this.mangle(
      [
        `-A FORWARD -m connmark --mark ${ACCEPT}/${ACCEPT} -j ACCEPT`,
        `-A FORWARD -j NFQUEUE --queue-num ${queue} --queue-bypass`,
      ],
      ['-A FORWARD -p ipv6-icmp -j ACCEPT'],
    )
    await this.nft(
      `table inet marks { chain forward { type filter hook forward priority 0; meta mark & ${ACCEPT} == ${ACCEPT} ct mark set ct mark | ${ACCEPT}; }; }`,
    )
  }
}
