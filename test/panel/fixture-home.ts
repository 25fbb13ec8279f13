// A lively home for the page's tests: twelve devices on documentation addresses, with the names that a hostile network
// would choose. The figures are drawn from a seed, so that two runs show the same.
import type { DeviceList, DeviceRate, HistoryPoint, RemoteTotal } from '../../protocol/http.ts'
import type { Device, Flow, Info, Loss } from '../../protocol/messages.ts'

/** Names that must be shown and never run. Each would set `window.pwned` if it were taken for HTML. */
export const HOSTILE = {
  device: '<img src=x onerror="window.pwned=1">',
  vendor: '<script>window.pwned=2</script>',
  remote: '"><svg onload=window.pwned=3>.example.com',
  reversed: 'cam\u202egnp.exe',
  braces: `{a|rich} \${window.pwned=4} {{x}}`,
  /** As long as a DHCP host name may be, and as long as a person may write; without a place to break. */
  unbroken: 'W'.repeat(63),
  endless: `IOT-${'M'.repeat(196)}`,
} as const

const NAMES: readonly [
  name: string,
  vendor: string | undefined,
  weight: number,
  remotes: string[],
][] = [
  [
    'Living room TV',
    'Samsung Electronics',
    9,
    ['video.example.net', 'ads.example.net', 'time.example.org'],
  ],
  [
    'laptop-anna',
    'Intel Corporate',
    6,
    [
      'mail.example.com',
      'video.example.net',
      'docs.example.com',
      'chat.example.org',
      'code.example.org',
    ],
  ],
  ['Pixel-8', undefined, 3, ['chat.example.org', 'push.example.com', 'photos.example.com']],
  ['Thermostat', 'Espressif Inc.', 0.05, ['iot.example.com']],
  ['NAS', 'Synology Incorporated', 2, ['backup.example.org', 'time.example.org']],
  [HOSTILE.device, HOSTILE.vendor, 0.4, [HOSTILE.remote, 'iot.example.com']],
  [
    HOSTILE.reversed,
    'Hikvision',
    1.4,
    ['cloud.example.com.very-long-sub-domain-of-a-content-network.region-7.example.net'],
  ],
  [HOSTILE.braces, 'Sonos, Inc.', 0.8, ['music.example.net', 'telemetry.example.net']],
  ['Fritz!Repeater', 'AVM GmbH', 0.3, ['update.example.org']],
  ['Printer', 'Brother Industries', 0, ['print.example.com']],
  [HOSTILE.unbroken, HOSTILE.unbroken, 0.02, ['a.long.example.org']],
  [HOSTILE.endless, HOSTILE.endless, 0.02, [`${'n'.repeat(63)}.${'o'.repeat(63)}.example.org`]],
]

/** A home whose traffic moves with each `step()`. */
export class FixtureHome {
  readonly info: Info
  readonly devices: Device[] = []
  readonly flows: Flow[] = []
  rates: DeviceRate[] = []
  complete = true
  #seed = 20240229
  #next = 1

  constructor(now_ms: number, loss: Partial<Loss> = {}) {
    this.info = infoOf(now_ms, loss)
    NAMES.forEach(([name, vendor], index) => {
      const mac = `02:0d:e0:00:00:${(index + 1).toString(16).padStart(2, '0')}`
      const device: Device = {
        type: 'device',
        id: mac.replaceAll(':', ''),
        mac,
        ips: [`192.0.2.${index + 11}`, ...(index % 2 === 0 ? [`2001:db8:1::${index + 11}`] : [])],
        name,
        name_source: 'dhcp',
        random_mac: index === 2,
        present: index !== 9,
        sent_bytes: Math.round(this.#random() * 4e9),
        received_bytes: Math.round(this.#random() * 8e10),
        sent_packets: 1,
        received_packets: 1,
        first_seen_ms: now_ms - 86_400_000 * (20 - index),
        last_seen_ms: now_ms - (index === 9 ? 7_500_000 : 0),
      }
      if (vendor !== undefined) device.vendor = vendor
      if (index === 8) device.shared = true
      this.devices.push(device)
    })
    for (let n = 0; n < 60; n++) this.#open(now_ms - Math.round(this.#random() * 600_000))
  }

  /** One second passes: gives the flows that changed. */
  step(now_ms: number): Flow[] {
    const changed: Flow[] = []
    if (this.#random() < 0.5) changed.push(this.#open(now_ms - 400))
    this.rates = this.devices.map(({ id }) => ({ device_id: id, sent_rate: 0, received_rate: 0 }))
    for (const flow of this.flows) {
      if (flow.state === 'closed' || this.#random() < 0.45) continue
      const weight = this.#weightOf(flow) * (0.2 + this.#random())
      const received = Math.round(weight * 90_000)
      const sent = Math.round(weight * 9000)
      flow.received_bytes += received
      flow.sent_bytes += sent
      flow.last_ms = now_ms
      flow.state = this.#random() < 0.015 ? 'closed' : 'active'
      if (flow.state === 'closed') flow.closed_by = 'fin'
      this.#count(flow.device_id, sent, received, now_ms)
      if (flow.peer_device_id) this.#count(flow.peer_device_id, received, sent, now_ms)
      changed.push(flow)
    }
    while (this.flows.length > 150) this.flows.shift()
    return changed
  }

  list(): DeviceList {
    return { devices: this.devices, rates: this.rates }
  }

  /** Buckets with a day's rhythm, a hole and an incomplete one. */
  history(step_ms: number, from_ms: number, to_ms: number, share: number): HistoryPoint[] {
    const points: HistoryPoint[] = []
    const first = Math.ceil(from_ms / step_ms)
    const last = Math.floor(Math.min(to_ms, Date.now()) / step_ms)
    for (let n = first; n <= last; n++) {
      const part = (n - first) / (last - first + 1)
      if (part > 0.3 && part < 0.36) continue
      const hour = (new Date(n * step_ms).getHours() + 24) % 24
      const rhythm = step_ms >= 86_400_000 ? 1 : hour > 6 && hour < 23 ? 1 : 0.08
      const noise = 0.35 + (Math.abs(Math.sin(n * 12.9898) * 43758.5453) % 1)
      const received_bytes = Math.round(step_ms * 900 * rhythm * noise * share)
      const complete = n !== last && !(part > 0.36 && part < 0.39)
      points.push({
        time_ms: n * step_ms,
        sent_bytes: Math.round(received_bytes * 0.16),
        received_bytes,
        complete,
      })
    }
    return points
  }

  remotes(): RemoteTotal[] {
    const totals = NAMES.flatMap(([, , weight, remotes], index) =>
      remotes.map((remote, n) => ({
        device_id: this.devices[index]?.id ?? '',
        remote,
        sent_bytes: Math.round((weight * 1e8) / (n + 1)),
        received_bytes: Math.round((weight * 1e9) / (n + 1)),
      })),
    )
    const device_id = this.devices[0]?.id ?? ''
    return [...totals, { device_id, sent_bytes: 4e7, received_bytes: 3e8 }]
  }

  #open(first_ms: number): Flow {
    // The printer is silent.
    const drawn = Math.floor(this.#random() * 11)
    const index = drawn < 9 ? drawn : drawn + 1
    const device = this.devices[index] as Device
    const remotes = NAMES[index]?.[3] ?? []
    const name = remotes[Math.floor(this.#random() * remotes.length)] ?? 'example.com'
    const isV6 = device.ips.length > 1 && this.#random() < 0.4
    const host = [...name].reduce((sum, letter) => (sum + letter.charCodeAt(0)) % 250, 1)
    const kind = this.#random()
    const peer = this.devices[index === 4 ? 1 : 4] as Device
    const flow: Flow = {
      type: 'flow',
      id: `run-${(this.#next++).toString(36)}`,
      device_id: device.id,
      direction: 'outbound',
      protocol: kind < 0.7 ? 'tcp' : 'udp',
      originator: { ip: (isV6 ? device.ips[1] : device.ips[0]) ?? '', port: 40_000 + this.#next },
      responder: { ip: isV6 ? `2001:db8:9::${host.toString(16)}` : `203.0.113.${host}`, port: 443 },
      service: 'https',
      sent_bytes: 2000,
      received_bytes: 9000,
      sent_packets: 4,
      received_packets: 9,
      first_ms,
      last_ms: first_ms,
      state: 'new',
    }
    if (kind < 0.1)
      Object.assign(flow, {
        direction: 'local',
        peer_device_id: peer.id,
        responder: { ip: peer.ips[0], port: 445 },
        service: 'microsoft-ds',
      })
    else if (kind < 0.16)
      Object.assign(flow, {
        direction: 'local',
        protocol: 'udp',
        responder: { ip: '224.0.0.251', port: 5353 },
        service: 'mdns',
      })
    else if (kind < 0.19)
      Object.assign(flow, {
        direction: 'inbound',
        originator: { ip: '198.51.100.77', port: 50_000 },
        responder: { ip: device.ips[0], port: 22 },
        service: 'ssh',
      })
    else if (kind < 0.95)
      Object.assign(flow, { remote_name: name, remote_name_source: 'dns', sni: name })
    this.flows.push(flow)
    return flow
  }

  #weightOf(flow: Flow): number {
    return NAMES[this.devices.findIndex(({ id }) => id === flow.device_id)]?.[2] ?? 1
  }

  #count(id: string, sent: number, received: number, now_ms: number): void {
    const device = this.devices.find((known) => known.id === id)
    const rate = this.rates.find((known) => known.device_id === id)
    if (device === undefined || rate === undefined) return
    rate.sent_rate += sent
    rate.received_rate += received
    device.sent_bytes += sent
    device.received_bytes += received
    device.last_seen_ms = now_ms
  }

  // Park and Miller: enough for a picture.
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    return this.#seed / 2_147_483_647
  }
}

function infoOf(now_ms: number, loss: Partial<Loss>): Info {
  return {
    type: 'info',
    protocol: 1,
    instance: 'run',
    agent: 'home',
    version: '0.1.0',
    roles: ['agent', 'controller'],
    mode: 'gateway',
    visibility:
      'Sees everything that is routed between the home and the internet, and what devices send to this box.',
    lan: ['192.0.2.0/24', '2001:db8:1::/64'],
    capabilities: { capture: { ok: true, reason: 'AF_PACKET ring on lan0.' } },
    interfaces: [{ name: 'lan0', state: 'up', packets: 1, dropped: 0 }],
    loss: {
      ring_packets: 0,
      name_packets: 0,
      netlink_overruns: 0,
      flows_evicted: 0,
      spool_messages: 0,
      ...loss,
    },
    started_ms: now_ms - 3_600_000,
  }
}
