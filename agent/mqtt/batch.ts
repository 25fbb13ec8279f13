// Records, each serialised once, gathered into messages that fit.
import type { Dns, Flow } from '../../protocol/messages.ts'

/** What a batch says about itself besides its records. */
export interface BatchSpan {
  from_ms: number
  to_ms: number
  complete: boolean
}

/** Room for everything in a batch but its records: type, seq, times, part, parts, names and brackets. */
const HEADER_BYTES = 256

/** `records` in the fewest runs, in order, that each fit `maxBytes` with a header; those that alone don't fit are left out and counted. */
export function packRecords(
  records: readonly string[],
  maxBytes: number,
): { runs: string[][]; oversize: number } {
  const room = maxBytes - HEADER_BYTES
  const runs: string[][] = []
  let run: string[] = []
  let used = 0
  let oversize = 0
  for (const record of records) {
    const size = Buffer.byteLength(record) + 1
    if (size > room) {
      oversize++
      continue
    }
    if (used + size > room) {
      runs.push(run)
      run = []
      used = 0
    }
    run.push(record)
    used += size
  }
  if (run.length > 0 || runs.length === 0) runs.push(run)
  return { runs, oversize }
}

/** One message of a batch, as JSON. `key` names the list: `flows` or `dns`. */
export function batchMessage(
  key: 'flows' | 'dns',
  seq: number,
  span: BatchSpan,
  part: number,
  parts: number,
  run: readonly string[],
): string {
  const type = key === 'flows' ? 'flow_batch' : 'dns_batch'
  const { from_ms, to_ms, complete } = span
  const head = JSON.stringify({ type, seq, from_ms, to_ms, part, parts, complete })
  return `${head.slice(0, -1)},"${key}":[${run.join(',')}]}`
}

/** A flow as JSON, with or without the names of its remote end. */
export function flowRecord(flow: Flow, withNames: boolean): string {
  if (withNames) return JSON.stringify(flow)
  const { remote_name, remote_name_source, sni, ...rest } = flow
  return JSON.stringify(rest)
}

/** A DNS query as JSON. */
export function dnsRecord(dns: Dns): string {
  return JSON.stringify(dns)
}
