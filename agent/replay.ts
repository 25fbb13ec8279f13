// Captures through the whole pipeline, without broker, store or root: what `homespin replay` does.
import type { Batch, Capture, CaptureOptions } from '../native/index.ts'
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

/** What a replay came to. `problems` has a sentence for whatever could not be read or was left out. */
export interface ReplayResult {
  devices: Device[]
  summary: Summary
  problems: string[]
}

/** A path, or `-` for standard input. */
export type ReplayFile = string

/** Flows of one replay are of one run. */
const RUN = '0'

/**
 * Plays captures one after the other, as one that was cut: all goes on over the cuts, and what is decided is decided
 * on all of them. One that is older than the one before it is a capture of its own, of the same home.
 */
export async function replay(
  files: readonly ReplayFile[],
  parts: ReplayParts,
  sink: ReplaySink,
): Promise<ReplayResult> {
  const inventory = new Inventory({ vendorOf: parts.vendorOf })
  const names = new NameCache()
  const lines = new FlowLines(parts.addon.flowLines)
  const inference = parts.locality.prefixes.length === 0 ? new LocalityInference() : undefined
  const pipeline = new Pipeline({
    run: RUN,
    locality: parts.locality,
    inventory,
    names,
    differences: false,
  })
  const capture = parts.addon.createCapture({
    ...parts.options,
    names: ['dns', 'sni', 'arp', 'ndp', 'dhcp4'],
    // A file waits until what it says has been taken: nothing has to be left out.
    namesPerSecond: Number.POSITIVE_INFINITY,
  })
  for (const file of files) {
    if (file === '-') capture.readDescriptor(0, false)
    else capture.readFile(file)
  }
  const last = await play(
    capture,
    parts.locality,
    inference,
    (batch) => tell(batch, pipeline, lines, sink),
    sink,
  )
  const devices = [...inventory.all()].map(deviceMessage)
  return { devices, summary: summaryOf(last, devices.length), problems: problemsOf(last, files) }
}

/** Tells `locality` what the home is in captures that are about to be played, from a first look at them. Throws where one can't be opened. */
export async function inferHome(
  files: readonly string[],
  createCapture: Addon['createCapture'],
  locality: Locality,
): Promise<void> {
  const inference = new LocalityInference()
  const capture = createCapture({ updates: false, names: [] })
  for (const file of files) capture.readFile(file)
  const batches = new Batches(capture)
  batches.start()
  for (let bytes = 0; bytes < HELD_BYTES; ) {
    const batch = await batches.next()
    inference.look(batch.flows, batch.flowCount)
    bytes += batch.flowCount * FLOW_RECORD_BYTES
    if (batch.ended) break
  }
  capture.stop()
  inference.conclude(locality)
}

/** Takes a batch through the pipeline, and writes its lines. */
function tell(batch: Batch, pipeline: Pipeline, lines: FlowLines, sink: ReplaySink): void {
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
  if (batch.flowCount > 0) write(lines.lines(batch.flows, batch.flowCount, RUN))
  if (queries !== '') write(queries)
}

/** Drains the capture to its end; what comes before the home is known is held back until it is. */
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

function summaryOf({ counters }: Batch, devices: number): Summary {
  return {
    type: 'summary',
    packets: counters.packets,
    decoded: counters.decoded,
    malformed: counters.malformed,
    unsupported: counters.unsupported,
    bytes: counters.bytes,
    ip_packets: counters.ipPackets,
    ip_bytes: counters.ipBytes,
    flows: counters.flows,
    dns_queries: counters.dnsQueries,
    devices,
    duration_ms: Math.round(counters.lastMs - counters.firstMs),
  }
}

function problemsOf({ faults = [], counters }: Batch, files: readonly ReplayFile[]): string[] {
  const { namesDropped } = counters
  const inFiles = faults.flatMap(({ source, error, unsupportedLinks }) => {
    const where = files[source] === '-' ? 'standard input' : files[source]
    return [
      ...(error === undefined ? [] : [`${where}: ${error}`]),
      ...unsupportedLinks.map(
        (link) => `${where}: packets of link type ${link} were left out: it is not supported`,
      ),
    ]
  })
  if (namesDropped === 0) return inFiles
  return [
    ...inFiles,
    `the names of ${namesDropped} packets were left out: so many messages in pieces are not kept at one time`,
  ]
}
