// tcpdump on a router: what is asked of it, and what it says.
import type { ChildProcess } from 'node:child_process'
import type { InterfaceSpec } from '../../native/index.ts'
import { parsePrefix } from '../inventory/locality.ts'
import type { SshTarget } from '../ssh-target.ts'
import { asRoot } from '../ssh-target.ts'
import type { Ends, RouterConnection } from './remote-connection.ts'

/** Bytes kept of what a server sends in bulk (headers with their options), and of all else (a ClientHello with room). */
export const SNAPPED = { bulk: 128, rest: 2048 } as const
/** As in native/src/packet-filter.cc: their clients say all that names them, what comes back is bulk. */
const BULK_PORTS = [443, 80, 8080, 8443, 22, 445, 554, 873, 993, 2049, 8009, 5201]
/** KiB of tcpdump's buffer in the router's kernel: some seconds of a stalled connection. */
const BUFFER_KIB = 2048
const MOST_SAID = 2048

/** Which packets of an interface: what servers send in bulk, and the rest. */
export type Part = keyof typeof SNAPPED

/** What tcpdump is asked. */
export interface DumpOrder {
  spec: InterfaceSpec
  part: Part
  /** pcap-filter(7). */
  filter: string
}

/** The connection that carries the packets is not captured: each of its packets would make another. */
function notOwn({ client, server }: Ends): string {
  const ends = (from: Ends['client'], to: Ends['client']): string =>
    `src host ${from.ip} and dst host ${to.ip} and tcp src port ${from.port} and tcp dst port ${to.port}`
  return `not ((${ends(client, server)}) or (${ends(server, client)}))`
}

/** What this router forwards from one LAN to another was counted where it came in. */
function notForwarded(mac: string, lan: readonly string[], own: readonly string[]): string {
  const ips = own.filter((ip) => parsePrefix(ip) !== undefined)
  const nets = lan.map((net) => `src net ${net}`).join(' or ')
  const hosts = ips.map((ip) => `src host ${ip}`).join(' or ')
  return `not (ether src ${mac} and (${nets})${hosts === '' ? '' : ` and not (${hosts})`})`
}

export interface Surrounding {
  ends: Ends | undefined
  /** MAC of the interface, where it is known. */
  mac: string | undefined
  /** Several LANs are captured. */
  several: boolean
  lan: readonly string[]
  own: readonly string[]
}

/** What is to be captured on an interface: two orders, each packet in one of them. */
export function dumpOrders(spec: InterfaceSpec, around: Surrounding): DumpOrder[] {
  const { ends, mac, several, lan, own } = around
  const bulk = `(tcp or udp) and (${BULK_PORTS.map((port) => `src port ${port}`).join(' or ')})`
  const always: string[] = []
  if (ends !== undefined) always.push(notOwn(ends))
  if (several && mac !== undefined && lan.length > 0) always.push(notForwarded(mac, lan, own))
  // One-armed: its own copies, to and from the next router.
  for (const upstream of spec.upstreamMacs ?? []) {
    if (mac !== undefined) always.push(`not (ether host ${upstream} and ether host ${mac})`)
  }
  const filter = (which: string): string => [...always, which].join(' and ')
  return [
    { spec, part: 'bulk', filter: filter(`(${bulk})`) },
    { spec, part: 'rest', filter: filter(`not (${bulk})`) },
  ]
}

/** One tcpdump of a channel: what it says comes with its number before it, what it captures goes to the pipe of all of them. */
function one(target: SshTarget, { spec, part, filter }: DumpOrder, number: number): string {
  if (!/^[A-Za-z0-9._-]{1,15}$/.test(spec.name) || spec.name.startsWith('-')) {
    throw new TypeError(`'${spec.name}' is no name of an interface on a router`)
  }
  if (!/^[a-z0-9 .:/()]*$/.test(filter)) throw new TypeError(`'${filter}' is no filter`)
  const way = { all: '', incoming: ' -Q in', own_outgoing: ' -Q out' }[spec.count]
  const quiet = spec.promiscuous ? '' : ' -p'
  const words = `-i ${spec.name} -n${quiet} --immediate-mode -U -B ${BUFFER_KIB} -s ${SNAPPED[part]}${way} -w -`
  const tcpdump = `${asRoot(target)}tcpdump ${words} "${filter}" </dev/null 3<&- 2>&1 >&5`
  return `{ ${tcpdump} & echo "pid $!"; wait $!; echo ended; } | while read -r l; do echo "${number} $l"; done >&2 &`
}

/**
 * Runs tcpdumps there, all of which write to one pipe: each packet is one write, no longer than what a pipe takes in one piece
 * (PIPE_BUF, 4096 bytes), so that packets lie behind each other whole. A line of input lets it know a process id (`know 7`), or
 * makes that process say what it lost (`ask 7`; by sudo signals do not reach it, and it says so at its end alone). Its input's
 * end ends those that it knows.
 */
export function dumpProgram(target: SshTarget, orders: readonly DumpOrder[]): string {
  return `
exec 3<&0
(a=
while read -r how p; do
  case "$how" in know) a="$a $p" ;; ask) kill -USR1 "$p" ;; esac
done
kill $a) <&3 >/dev/null 2>&1 &
r=$!
{
exec 5>&1
${orders.map((order, i) => one(target, order, i)).join('\n')}
wait
} </dev/null | cat
kill $r 2>/dev/null
`
}

/** The tcpdumps of one channel. */
export class Dump {
  readonly orders: readonly DumpOrder[]
  readonly #child: ChildProcess
  /** Of each order: what it said last. */
  readonly #said: string[]
  /** What ssh itself, or the shell there, said. */
  #other = ''
  #rest = ''
  /** Process ids there, by order. */
  readonly #pids = new Map<number, string>()
  readonly #listening = new Set<number>()
  /** Of each order: packets that its kernel had no room for, as it told last. */
  readonly #dropped: number[]
  #ended = false
  /**
   * They all capture: true, once. One of them has ended, and with it the others: false, and why, where that is not the end of
   * the connection; `order`: which one, where that is known.
   */
  onState: (listening: boolean, reason?: string, order?: DumpOrder) => void = () => {}
  /** Its channel is free again. */
  onClosed: () => void = () => {}

  constructor(orders: readonly DumpOrder[], connection: Pick<RouterConnection, 'open' | 'target'>) {
    this.orders = orders
    this.#said = orders.map(() => '')
    this.#dropped = orders.map(() => 0)
    this.#child = connection.open(dumpProgram(connection.target, orders))
    this.#child.stdin?.on('error', () => {})
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.#child.once('error', () => {})
    this.#child.once('close', (code) => {
      this.#ended = true
      const said = this.#other + this.#rest
      // With 255 it was ssh that ended, and the connection says why, unless sshd takes no more channels.
      this.onState(false, code === 255 && !REFUSED.test(said) ? undefined : reasonOf(said))
      this.onClosed()
    })
  }

  /** What they write: pcap, with a head from each of them. */
  get output(): NodeJS.ReadableStream {
    return this.#child.stdout as NodeJS.ReadableStream
  }

  /** Packets of one interface. */
  droppedOf(name: string): number {
    return this.orders.reduce(
      (sum, { spec }, i) => sum + (spec.name === name ? (this.#dropped[i] ?? 0) : 0),
      0,
    )
  }

  /** Asks what they lost; before one listens, the signal would end it. */
  ask(): void {
    if (this.#ended) return
    for (const i of this.#listening) this.#child.stdin?.write(`ask ${this.#pids.get(i)}\n`)
  }

  stop(): void {
    this.onState = () => {}
    this.#ended = true
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    timer.unref()
    this.#child.once('close', () => clearTimeout(timer))
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = (lines.pop() ?? '').slice(-MOST_SAID)
    for (const line of lines) this.#readLine(line)
  }

  #readLine(line: string): void {
    const [, number, words = ''] = /^(\d+) (.*)$/.exec(line) ?? []
    const i = Number(number)
    if (number === undefined || i >= this.orders.length) {
      this.#other = `${this.#other}${line}\n`.slice(-MOST_SAID)
      return
    }
    const pid = /^pid (\d{1,10})$/.exec(words)?.[1]
    if (pid !== undefined && !this.#pids.has(i)) {
      this.#pids.set(i, pid)
      if (!this.#ended) this.#child.stdin?.write(`know ${pid}\n`)
      return
    }
    if (words === 'ended') {
      const tell = this.onState
      this.stop()
      tell(false, reasonOf(this.#said[i] ?? ''), this.orders[i])
      return
    }
    this.#said[i] = `${this.#said[i]}${words}\n`.slice(-MOST_SAID)
    const lost = /(\d+) packets? dropped by kernel/.exec(words)?.[1]
    if (lost !== undefined) this.#dropped[i] = Number(lost)
    if (!words.includes('listening on') || this.#listening.has(i)) return
    this.#listening.add(i)
    if (this.#listening.size === this.orders.length) this.onState(true)
  }
}

/** ssh's words for a channel more than sshd takes on one connection. */
const REFUSED = /refused by peer|open failed/i

/** What tcpdump, or the shell in its place, complained of. */
function reasonOf(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.replace(/^(?:tcpdump|sh|ash|dash|-sh)(?:: \d+)?: /, '').trim())
    .filter(
      (line) =>
        !/^(?:ended|Terminated)?$|listening on|packets? (?:captured|received|dropped)/.test(line),
    )
  if (REFUSED.test(said)) {
    return 'sshd there takes no more sessions on one connection: let MaxSessions in its sshd_config be 10, as it is by itself'
  }
  if (/tcpdump: (?:command )?not found/.test(said)) {
    return 'tcpdump is not on the router: install it there (opkg install tcpdump, apt install tcpdump)'
  }
  if (/a password is required|not allowed|sudo:/.test(said)) {
    return `sudo there does not let this user run tcpdump without a password: ${lines.at(-1) ?? ''}`
  }
  if (/permission/i.test(said)) {
    return `tcpdump may not capture there (${lines.at(-1) ?? ''}): log in as root, or set remote.sudo`
  }
  return lines.at(-1)?.slice(0, 200) ?? 'tcpdump ended'
}
