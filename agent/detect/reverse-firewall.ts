// The reverse firewall: a device that begins too many connections, or to too many remotes, opens an incident and, while the
// policy says so and evidence comes, is quarantined; also where too many incidents are open for another.
import type { Incident } from '../../protocol/act.ts'
import type { Log } from '../log.ts'
import type { By, Order, Ordered } from '../policy/contract.ts'
import { ConnectionRate, isQuietPort } from './connection-rate.ts'
import { DetectorOrders } from './detector-orders.ts'
import type { Finding, IncidentDesk } from './incident-desk.ts'
import type { Limits } from './limits.ts'

/** How often silent devices are forgotten. */
const FORGET_S = 60

/** A device as a finding shows it. */
export interface KnownDevice {
  id: string
  name: string
  mac?: string
  ips: readonly string[]
}

export interface ReverseFirewallParts {
  desk: IncidentDesk
  /** Begins flow ids. */
  run: string
  limitsOf: (deviceId: string) => Limits
  device: (id: string) => KnownDevice | undefined
  order: (order: Order, by: By) => Promise<Ordered>
  /** New evidence about a device that is quarantined already. */
  evidence: (deviceId: string) => void
  log: Log
}

/** Fed with every flow that begins, asked once a second. */
export class ReverseFirewall {
  readonly #parts: ReverseFirewallParts
  readonly #rate = new ConnectionRate()
  readonly #orders: DetectorOrders
  /** Of the clock that was told last: one that only goes forward. */
  #second = 0
  #forgotten = 0

  constructor(parts: ReverseFirewallParts) {
    this.#parts = parts
    this.#orders = new DetectorOrders(parts)
  }

  /** `deviceId` began a flow to `remote`: the address, and the responder's port (0 without ports). */
  begun(deviceId: string, remote: string, port: number, flow: number): void {
    if (isQuietPort(port)) return
    this.#rate.begun(deviceId, remote, flow, this.#second)
  }

  /** Somebody has decided about an incident: what led to it does not open another. */
  closed({ kind, closed_by, device_id }: Incident): void {
    if (kind !== 'connection_rate') return
    this.#orders.forget(device_id)
    if (closed_by !== 'quiet') this.#rate.reset(device_id)
  }

  /** Looks at every device that began something since the last call. `monotonicMs` only goes forward. */
  tick(monotonicMs: number, nowMs: number): void {
    for (const id of this.#rate.takeTouched()) this.#look(id, nowMs)
    this.#second = Math.floor(monotonicMs / 1000)
    if (this.#second - this.#forgotten >= FORGET_S) {
      this.#forgotten = this.#second
      this.#rate.forgetOld(this.#second)
      this.#orders.forgetOld(this.#second)
    }
  }

  #look(id: string, nowMs: number): void {
    const { desk, device, limitsOf, run } = this.#parts
    const limits = limitsOf(id)
    const seen = this.#rate.observed(id, limits.windowS, this.#second)
    if (seen.connections < limits.connections && seen.remotes < limits.remotes) return
    const known = device(id)
    if (known === undefined) return
    const flow_ids = seen.flows.map((flow) => `${run}-${flow.toString(36)}`)
    const name = known.name === '' ? known.id : known.name
    const finding: Finding = {
      kind: 'connection_rate',
      severity: limits.policy === 'notify' ? 'medium' : 'high',
      device: known,
      sentence: `${name} began ${seen.connections} connections to ${seen.remotes} remotes within ${limits.windowS} s; ${limits.connections} connections or ${limits.remotes} remotes are the limit`,
      params: {
        connections: seen.connections,
        remotes: seen.remotes,
        window_s: limits.windowS,
        max_connections: limits.connections,
        max_remotes: limits.remotes,
      },
      evidence: [
        {
          what: 'connections',
          observed: seen.connections,
          threshold: limits.connections,
          weight: Math.min(1, seen.connections / limits.connections),
          flow_ids,
        },
        {
          what: 'remotes',
          observed: seen.remotes,
          threshold: limits.remotes,
          weight: Math.min(1, seen.remotes / limits.remotes),
          flow_ids: [],
        },
      ],
      ...(limits.policy === 'ask' ? { asks: { level: limits.level, for_s: limits.forS } } : {}),
    }
    const found = desk.report(finding, nowMs)
    if (found?.isNew === false) this.#parts.evidence(id)
    if (limits.policy !== 'quarantine') return
    const at = { second: this.#second, nowMs }
    this.#orders.quarantine(id, found?.incident, limits, finding.sentence, at)
  }
}
