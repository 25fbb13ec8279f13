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

/**
 * Runs tcpdump there; ends with its input. Each line of input makes it say what it lost (by sudo it says so at its end alone:
 * signals do not reach it).
 */
export function dumpProgram(target: SshTarget, { spec, part, filter }: DumpOrder): string {
  if (!/^[A-Za-z0-9._-]{1,15}$/.test(spec.name) || spec.name.startsWith('-')) {
    throw new TypeError(`'${spec.name}' is no name of an interface on a router`)
  }
  if (!/^[a-z0-9 .:/()]*$/.test(filter)) throw new TypeError(`'${filter}' is no filter`)
  const way = { all: '', incoming: ' -Q in', own_outgoing: ' -Q out' }[spec.count]
  const quiet = spec.promiscuous ? '' : ' -p'
  const words = `-i ${spec.name} -n${quiet} --immediate-mode -U -B ${BUFFER_KIB} -s ${SNAPPED[part]}${way} -w -`
  return `
exec 3<&0
${asRoot(target)}tcpdump ${words} "${filter}" </dev/null &
p=$!
(while read -r x; do kill -USR1 $p; done; kill $p) <&3 >/dev/null 2>&1 &
r=$!
wait $p
c=$?
kill $r 2>/dev/null
exit $c
`
}

/** One tcpdump that runs. */
export class Dump {
  readonly order: DumpOrder
  readonly #child: ChildProcess
  #said = ''
  #listening = false
  /** Packets that its kernel had no room for, as it told last. */
  dropped = 0
  #ended = false
  /** It captures: true, once. It has ended: false, and why, where that is not the end of the connection. */
  onState: (listening: boolean, reason: string | undefined) => void = () => {}

  constructor(order: DumpOrder, connection: Pick<RouterConnection, 'open' | 'target'>) {
    this.order = order
    this.#child = connection.open(dumpProgram(connection.target, order))
    this.#child.stdin?.on('error', () => {})
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.#child.once('error', () => {})
    this.#child.once('close', (code) => {
      this.#ended = true
      // With 255 it was ssh that ended, and the connection says why.
      this.onState(false, code === 255 ? undefined : reasonOf(this.#said))
    })
  }

  /** What it writes: pcap. */
  get output(): NodeJS.ReadableStream {
    return this.#child.stdout as NodeJS.ReadableStream
  }

  /** Asks what it lost; before it listens, the signal would end it. */
  ask(): void {
    if (this.#listening && !this.#ended) this.#child.stdin?.write('\n')
  }

  stop(): void {
    this.onState = () => {}
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    timer.unref()
    this.#child.once('close', () => clearTimeout(timer))
  }

  #read(text: string): void {
    this.#said = (this.#said + text).slice(-MOST_SAID)
    const lost = [...this.#said.matchAll(/(\d+) packets? dropped by kernel/g)].at(-1)?.[1]
    if (lost !== undefined) this.dropped = Number(lost)
    if (this.#listening || !this.#said.includes('listening on')) return
    this.#listening = true
    this.onState(true, undefined)
  }
}

/** What tcpdump, or the shell in its place, complained of. */
function reasonOf(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.replace(/^(?:tcpdump|sh|ash|dash|-sh)(?:: \d+)?: /, '').trim())
    .filter(
      (line) => line !== '' && !/listening on|packets? (?:captured|received|dropped)/.test(line),
    )
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
