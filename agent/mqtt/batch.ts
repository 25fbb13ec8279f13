// Records, each serialised once, gathered into messages that fit.
import type { Dns } from '../../protocol/messages.ts'
import { HEADER_BYTES } from './packed-lines.ts'

/** What a batch says about itself besides its records. */
export interface BatchSpan {
  from_ms: number
  to_ms: number
  complete: boolean
}

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

/** One message of a batch up to its records, as JSON. `key` names the list: `flows` or `dns`. */
export function batchHead(
  key: 'flows' | 'dns',
  seq: number,
  span: BatchSpan,
  part: number,
  parts: number,
): string {
  const type = key === 'flows' ? 'flow_batch' : 'dns_batch'
  const { from_ms, to_ms, complete } = span
  const head = JSON.stringify({ type, seq, from_ms, to_ms, part, parts, complete })
  return `${head.slice(0, -1)},"${key}":[`
}

/** A DNS query as JSON. */
export function dnsRecord(dns: Dns): string {
  return JSON.stringify(dns)
}
