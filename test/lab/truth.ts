// What is true of a capture, and what the agent said of it, in one form, so that they can be held against each other.
import type { Truth as DemoTruth } from '../../agent/demo/truth.ts'
import type { Device, Dns, Flow, Summary } from '../../protocol/messages.ts'
import type { Counted } from './counters.ts'
import { nothing } from './counters.ts'

/** What is known of a capture, or was found in it. */
export interface Findings {
  packets?: number
  ip_packets?: number
  ip_bytes?: number
  flows: number
  dns_queries: number
  devices: Map<string, DeviceFindings>
}

/** Of one device: its bytes and packets, how often it asked for each name, and how many TLS sessions it began to each. */
export interface DeviceFindings extends Counted {
  dns: Record<string, number>
  sni: Record<string, number>
}

interface PcapTruthDevice {
  packets_up: number
  packets_down: number
  ip_bytes_up: number
  ip_bytes_down: number
  dns: Record<string, number>
  sni: Record<string, number>
}

/** The truth file of a generated capture: totals, and devices by MAC. */
export interface PcapTruth {
  totals: {
    packets: number
    ip_packets: number
    ip_bytes: number
    flows: number
    dns_queries: number
    tls_sni: number
  }
  devices: Record<string, PcapTruthDevice>
}

export function findingsOfTruth(truth: PcapTruth): Findings {
  const devices = new Map<string, DeviceFindings>()
  for (const [mac, device] of Object.entries(truth.devices)) {
    devices.set(mac.replaceAll(':', ''), {
      sent_bytes: device.ip_bytes_up,
      received_bytes: device.ip_bytes_down,
      sent_packets: device.packets_up,
      received_packets: device.packets_down,
      dns: device.dns,
      sni: device.sni,
    })
  }
  const { packets, ip_packets, ip_bytes, flows, dns_queries } = truth.totals
  return { packets, ip_packets, ip_bytes, flows, dns_queries, devices }
}

/** The truth of the demo home. */
export function findingsOfDemo(truth: DemoTruth): Findings {
  const devices = new Map<string, DeviceFindings>()
  for (const device of truth.devices) {
    devices.set(device.mac.replaceAll(':', ''), {
      sent_bytes: device.ip_bytes_sent,
      received_bytes: device.ip_bytes_received,
      sent_packets: device.ip_packets_sent,
      received_packets: device.ip_packets_received,
      dns: device.dns,
      sni: device.sni,
    })
  }
  const { packets, ip_packets, ip_bytes, flows, dns_queries } = truth
  return { packets, ip_packets, ip_bytes, flows, dns_queries, devices }
}

/** Adds up what an agent said. `devices` have the last word on bytes and packets. */
export function findingsOf(
  flows: Iterable<Flow>,
  dns: Iterable<Dns>,
  devices: Iterable<Device>,
): Findings {
  const found: Findings = { flows: 0, dns_queries: 0, devices: new Map() }
  const device = (id: string): DeviceFindings => {
    const known = found.devices.get(id) ?? { ...nothing(), dns: {}, sni: {} }
    found.devices.set(id, known)
    return known
  }
  for (const { id, sent_bytes, received_bytes, sent_packets, received_packets } of devices) {
    Object.assign(device(id), { sent_bytes, received_bytes, sent_packets, received_packets })
  }
  for (const flow of flows) {
    found.flows += 1
    if (flow.sni === undefined) continue
    const { sni } = device(flow.device_id)
    sni[flow.sni] = (sni[flow.sni] ?? 0) + 1
  }
  for (const { device_id, query } of dns) {
    found.dns_queries += 1
    const asked = device(device_id).dns
    asked[query] = (asked[query] ?? 0) + 1
  }
  return found
}

/** Reads what `homespin replay --json` printed. */
export function findingsOfReplay(text: string): Findings & { summary: Summary } {
  const flows: Flow[] = []
  const dns: Dns[] = []
  const devices: Device[] = []
  let summary: Summary | undefined
  for (const line of text.split('\n').filter(Boolean)) {
    const message = JSON.parse(line) as Flow | Dns | Device | Summary
    if (message.type === 'flow') flows.push(message)
    else if (message.type === 'dns') dns.push(message)
    else if (message.type === 'device') devices.push(message)
    else if (message.type === 'summary') summary = message
  }
  if (!summary) throw new Error('the replay ended without a summary')
  const { packets, ip_packets, ip_bytes } = summary
  return { ...findingsOf(flows, dns, devices), packets, ip_packets, ip_bytes, summary }
}

/**
 * Every difference, in words; none: equal. Devices that only `found` has are named too, unless `others` holds them (the
 * router, which is a device of its own). What `truth` does not know is not compared.
 */
export function differences(
  found: Findings,
  truth: Findings,
  others: ReadonlySet<string>,
): string[] {
  const wrong: string[] = []
  const hold = (what: string, got: unknown, want: unknown): void => {
    if (want !== undefined && got !== want) wrong.push(`${what}: ${got}, in truth ${want}`)
  }
  for (const key of ['packets', 'ip_packets', 'ip_bytes', 'flows', 'dns_queries'] as const) {
    if (found[key] !== undefined) hold(key, found[key], truth[key])
  }
  for (const [id, want] of truth.devices) {
    const got = found.devices.get(id) ?? { ...nothing(), dns: {}, sni: {} }
    for (const key of [
      'sent_bytes',
      'received_bytes',
      'sent_packets',
      'received_packets',
    ] as const) {
      hold(`${id} ${key}`, got[key], want[key])
    }
    for (const kind of ['dns', 'sni'] as const) {
      const names = new Set([...Object.keys(want[kind]), ...Object.keys(got[kind])])
      for (const name of names) {
        hold(`${id} ${kind} ${name}`, got[kind][name] ?? 0, want[kind][name] ?? 0)
      }
    }
  }
  for (const id of found.devices.keys()) {
    if (!truth.devices.has(id) && !others.has(id)) wrong.push(`${id}: no such device in truth`)
  }
  return wrong
}
