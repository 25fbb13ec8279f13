// Captures through the whole pipeline, without broker, store or root: what `homespin replay` does.
import type { Batch, Capture, CaptureOptions, Counters } from '../native/index.ts'
import { FLOW_RECORD_BYTES } from '../native/layout.ts'
import type { Device, Summary } from '../protocol/messages.ts'
import type { Addon } from './addon.ts'
import { FlowLines } from './flows/flow-lines.ts'
import { LocalityInference } from './flows/inference.ts'
import { deviceMessage, Inventory } from './inventory/inventory.ts'
import type { Locality } from './inventory/locality.ts'
import { dnsLine } from './names/dns-line.ts'
import { NameCache } from './names/name-cache.ts'
import { Pipeline } from './pipeline.ts'

/** Batches held back, at most, before who is a router is decided: the rest of a long capture changes no answer. */
const HELD_BYTES = 16 * 1024 * 1024

/** Where a replay's lines go. The promise of `drained` is waited for: who is slow is not overrun. */
export interface ReplaySink {
  /** Takes whole lines of JSON, each with its end; absent where only the totals are wanted. */
  write?: (lines: Buffer | string) => void
  drained: () => Promise<void> | undefined
  /** Nobody reads the lines any more: the rest is not played. */
  closed?: () => boolean
}

export interface ReplayParts {
  addon: Pick<Addon, 'createCapture' | 'flowLines'>
  locality: Locality
  vendorOf: (mac: string) => string | undefined
  options: CaptureOptions
}

/** What a replay came to. `problems` has a sentence for each file that could not be read to its end. */
export interface ReplayResult {
  devices: Device[]
  summary: Summary
  problems: string[]
}

/** A path, or `-` for standard input. */
export type ReplayFile = string

/** Plays captures one after the other; each begins where the one before ended, with the same devices and names. */
export async function replay(
  files: readonly ReplayFile[],
  parts: ReplayParts,
  sink: ReplaySink,
): Promise<ReplayResult> {
  const inventory = new Inventory({ vendorOf: parts.vendorOf })
  const names = new NameCache()
  const summary = emptySummary()
  const problems: string[] = []
  const span = { first: Number.POSITIVE_INFINITY, last: 0 }
  const lines = new FlowLines(parts.addon.flowLines)
  const inference = parts.locality.prefixes.length === 0 ? new LocalityInference() : undefined
  for (const [index, file] of files.entries()) {
    if (sink.closed?.()) break
    const run = index.toString(36)
    const pipeline = new Pipeline({
      run,
      locality: parts.locality,
      inventory,
      names,
      differences: false,
    })
    const capture = parts.addon.createCapture({
      ...parts.options,
      names: ['dns', 'sni', 'arp', 'ndp', 'dhcp4'],
    })
    if (file === '-') capture.readDescriptor(0, false)
    else capture.readFile(file)
    const last = await play(
      capture,
      parts.locality,
      inference,
      (batch) => tell(batch, pipeline, run, lines, sink),
      sink,
    )
    const where = file === '-' ? 'standard input' : file
    if (last.error !== undefined) problems.push(`${where}: ${last.error}`)
    for (const link of last.unsupportedLinks) {
      problems.push(`${where}: packets of link type ${link} were left out: it is not supported`)
    }
    add(summary, last.counters, span)
  }
  const devices = [...inventory.all()].map(deviceMessage)
  summary.devices = devices.length
  summary.duration_ms = span.last > span.first ? Math.round(span.last - span.first) : 0
  return { devices, summary, problems }
}

/** Takes a batch through the pipeline, and writes its lines. */
function tell(
  batch: Batch,
  pipeline: Pipeline,
  run: string,
  lines: FlowLines,
  sink: ReplaySink,
): void {
  const { write } = sink
  if (write === undefined) {
    pipeline.take(batch, { flow: () => {}, dns: () => {} })
    return
  }
  lines.begin(batch.flowCount)
  let queries = ''
  pipeline.take(batch, {
    flow: (flow) => lines.add(flow),
    dns: (dns) => {
      queries += `${dnsLine(dns)}\n`
    },
  })
  if (batch.flowCount > 0) write(lines.lines(batch.flows, batch.flowCount, run))
  if (queries !== '') write(queries)
}

/** Drains one capture to its end; what comes before the home is known is held back until it is. */
async function play(
  capture: Capture,
  locality: Locality,
  inference: LocalityInference | undefined,
  take: (batch: Batch) => void,
  sink: ReplaySink,
): Promise<Batch> {
  let held: Batch[] | undefined = inference === undefined ? undefined : []
  let heldBytes = 0
  const batches = new Batches(capture)
  batches.start()
  for (;;) {
    const batch = await batches.next()
    if (held !== undefined && inference !== undefined) {
      inference.look(batch.flows, batch.flowCount)
      held.push({ ...batch, flows: batch.flows.slice(0, batch.flowCount * FLOW_RECORD_BYTES) })
      heldBytes += batch.flowCount * FLOW_RECORD_BYTES + batch.names.byteLength
      if (heldBytes < HELD_BYTES && !batch.ended) continue
      inference.conclude(locality)
      for (const earlier of held) {
        take(earlier)
        await sink.drained()
      }
      held = undefined
    } else take(batch)
    await sink.drained()
    if (batch.ended) return batch
    if (sink.closed?.()) {
      capture.stop()
      return capture.drain()
    }
  }
}

/** Batches of a capture, one after the other. */
class Batches {
  readonly #capture: Capture
  #ready = false
  #wake: (() => void) | undefined

  constructor(capture: Capture) {
    this.#capture = capture
  }

  start(): void {
    this.#capture.start(() => {
      this.#ready = true
      this.#wake?.()
    })
  }

  /** Waits until there is something to drain. */
  async next(): Promise<Batch> {
    while (!this.#ready) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#ready = false
    return this.#capture.drain()
  }
}

function emptySummary(): Summary {
  return {
    type: 'summary',
    packets: 0,
    decoded: 0,
    malformed: 0,
    unsupported: 0,
    bytes: 0,
    ip_packets: 0,
    ip_bytes: 0,
    flows: 0,
    dns_queries: 0,
    devices: 0,
    duration_ms: 0,
  }
}

function add(summary: Summary, counters: Counters, span: { first: number; last: number }): void {
  summary.packets += counters.packets
  summary.decoded += counters.decoded
  summary.malformed += counters.malformed
  summary.unsupported += counters.unsupported
  summary.bytes += counters.bytes
  summary.ip_packets += counters.ipPackets
  summary.ip_bytes += counters.ipBytes
  summary.flows += counters.flows
  summary.dns_queries += counters.dnsQueries
  if (counters.packets === 0) return
  span.first = Math.min(span.first, counters.firstMs)
  span.last = Math.max(span.last, counters.lastMs)
}
