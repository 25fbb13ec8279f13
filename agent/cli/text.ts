// How numbers and tables are written for people.
import type { Device, Dns, Flow } from '../../protocol/messages.ts'

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `1.2 MB`: decimal units, as counters of routers and providers use. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  // 999.5 would be written as 1000.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 9.95 ? 1 : 0)} ${UNITS[unit]}`
}

/** Text from the network for a terminal: without control characters and directions, at most `length` characters. */
export function plain(text: string, length = 63): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
  if (safe.length <= length) return safe
  // Not between the halves of a character.
  return `${safe.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** Columns side by side; those of numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const right = head.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[\d.,]+( \w+)?$/.test(row[i] ?? '')),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

/** Devices as a table, those with most bytes first. */
export function deviceTable(devices: readonly Device[]): string {
  const sorted = devices.toSorted(
    (a, b) => b.sent_bytes + b.received_bytes - a.sent_bytes - a.received_bytes,
  )
  return table(
    ['DEVICE', 'ID', 'ADDRESS', 'SENT', 'RECEIVED'],
    sorted.map((d) => [
      plain(d.name, 32) + (d.random_mac ? ' *' : ''),
      d.id,
      d.ips.find((ip) => !ip.includes(':')) ?? d.ips[0] ?? '',
      bytes(d.sent_bytes),
      bytes(d.received_bytes),
    ]),
  )
}

/** A flow in one line. */
export function flowLine(flow: Flow): string {
  const arrow = { outbound: '→', inbound: '←', local: '↔' }[flow.direction]
  const own = flow.direction === 'inbound' ? flow.responder : flow.originator
  const other = flow.direction === 'inbound' ? flow.originator : flow.responder
  const remote = flow.remote_name === undefined ? other.ip : plain(flow.remote_name)
  const port = other.port === undefined ? '' : `:${other.port}`
  const what = flow.service ?? flow.protocol
  const time = new Date(flow.last_ms).toTimeString().slice(0, 8)
  return `${time} ${flow.state.padEnd(6)} ${own.ip} ${arrow} ${remote}${port} ${what}  ↑${bytes(flow.sent_bytes)} ↓${bytes(flow.received_bytes)}`
}

/** Answers that are shown of one query. */
const MOST_ANSWERS = 4

/** A DNS query in one line, with what it was answered. */
export function dnsLine({ client_ip, query, qtype, rcode, answers, time_ms }: Dns): string {
  const time = new Date(time_ms).toTimeString().slice(0, 8)
  const data = answers.flatMap((answer) => (answer.data === undefined ? [] : [plain(answer.data)]))
  const more = data.length > MOST_ANSWERS ? `, and ${data.length - MOST_ANSWERS} more` : ''
  const answered = data.length > 0 ? `${data.slice(0, MOST_ANSWERS).join(', ')}${more}` : rcode
  return `${time} dns    ${client_ip} ? ${plain(query, 100)} ${qtype}  ${answered ?? 'no answer seen'}`
}
