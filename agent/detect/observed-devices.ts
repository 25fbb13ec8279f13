// Level `observe`: nothing is closed, and one incident tells what the device does for as long as it is observed.
import type { Incident } from '../../protocol/act.ts'
import { isQuietPort } from './connection-rate.ts'
import type { IncidentDesk } from './incident-desk.ts'
import type { KnownDevice } from './reverse-firewall.ts'

/** Different remotes told apart per device; with more the count stays there. */
const MAX_REMOTES = 4096
/** Devices observed at once: a home that is observed as a whole leaves room for what detectors find. */
const MAX_OBSERVED = 100
/** Flows kept as evidence. */
const KEPT_FLOWS = 20
/** No other finding of this kind is made here. */
const KIND = 'anomaly'

export interface ObservedDevicesParts {
  desk: IncidentDesk
  /** Begins flow ids. */
  run: string
  /** Devices whose level is `observe`; another set whenever that changes. */
  observed: () => ReadonlySet<string>
  device: (id: string) => KnownDevice | undefined
}

interface Watch {
  /** Milliseconds since the epoch. */
  sinceMs: number
  connections: number
  remotes: Set<string>
  /** Numbers of the latest flows, at most 20. */
  flows: number[]
  /** It did something that was not told yet. */
  isNews: boolean
  /** A person closed its incident: it is not opened again. */
  isSeenTo: boolean
}

/** Fed with every flow that begins, asked once a second. */
export class ObservedDevices {
  readonly #parts: ObservedDevicesParts
  readonly #watches = new Map<string, Watch>()
  #observed: ReadonlySet<string> | undefined

  constructor(parts: ObservedDevicesParts) {
    this.#parts = parts
  }

  /** `deviceId` began a flow to `remote`: the address, and the responder's port (0 without ports). */
  begun(deviceId: string, remote: string, port: number, flow: number): void {
    const watch = this.#watches.get(deviceId)
    if (watch === undefined || isQuietPort(port)) return
    watch.connections++
    if (watch.remotes.size < MAX_REMOTES) watch.remotes.add(remote)
    if (watch.flows.length >= KEPT_FLOWS) watch.flows.shift()
    watch.flows.push(flow)
    watch.isNews = true
  }

  /** Whether an incident stays open though nothing happens: while its device is observed, and until that is known. */
  keeps({ kind, device_id }: Incident): boolean {
    return kind === KIND && (this.#observed === undefined || this.#watches.has(device_id))
  }

  closed({ kind, closed_by, device_id }: Incident): void {
    const watch = this.#watches.get(device_id)
    if (kind === KIND && closed_by === 'person' && watch !== undefined) watch.isSeenTo = true
  }

  tick(nowMs: number): void {
    const observed = this.#parts.observed()
    if (observed !== this.#observed) this.#follow(observed, nowMs)
    this.#observed = observed
    for (const [id, watch] of this.#watches) if (watch.isNews) this.#tell(id, watch, nowMs)
  }

  #follow(observed: ReadonlySet<string>, nowMs: number): void {
    const { desk } = this.#parts
    for (const id of this.#watches.keys()) if (!observed.has(id)) this.#watches.delete(id)
    // Also those of an earlier run.
    for (const { id, kind, device_id } of desk.open()) {
      if (kind === KIND && !observed.has(device_id)) desk.close(id, 'released', nowMs)
    }
    for (const id of observed) {
      if (this.#watches.has(id) || this.#watches.size >= MAX_OBSERVED) continue
      const watch = { sinceMs: nowMs, connections: 0, flows: [], isNews: true, isSeenTo: false }
      this.#watches.set(id, { ...watch, remotes: new Set() })
    }
  }

  #tell(id: string, watch: Watch, nowMs: number): void {
    const { desk, device, run } = this.#parts
    const known = device(id)
    if (known === undefined || watch.isSeenTo) return
    watch.isNews = false
    const { connections, sinceMs } = watch
    const remotes = watch.remotes.size
    const flow_ids = watch.flows.map((flow) => `${run}-${flow.toString(36)}`)
    const name = known.name === '' ? known.id : known.name
    const since = new Date(sinceMs).toISOString()
    const none = { threshold: 0, weight: 0 }
    desk.report(
      {
        kind: KIND,
        severity: 'info',
        device: known,
        sentence: `${name} is observed: it began ${connections} connections to ${remotes} remotes since ${since}`,
        params: { level: 'observe', connections, remotes, since_ms: sinceMs },
        evidence: [
          { what: 'connections', observed: connections, ...none, flow_ids },
          { what: 'remotes', observed: remotes, ...none, flow_ids: [] },
        ],
      },
      nowMs,
    )
  }
}
