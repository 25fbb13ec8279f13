// Flowtables of others: what carries packets of connections that run past every chain, on a router with flow offloading.

/** One flowtable that some interfaces are in. */
export interface Flowtable {
  /** `inet fw4 ft`: family, table, name. */
  name: string
  /** Of its hook: chains of netdev ingress with a lower number see packets before it takes them. */
  priority: number
  /** Interfaces whose packets it takes. */
  devices: readonly string[]
  /** The network chip carries the packets: no program of this processor sees them. */
  hardware: boolean
}

/** What nft is asked, as text: its JSON does not tell what is for the hardware. */
export const LIST_FLOWTABLES = 'list flowtables\n'

const MOST = 64

/** What the answer says; what can't be understood is left out. */
export function flowtablesIn(text: string): Flowtable[] {
  const found: Flowtable[] = []
  let table = ''
  let now: (Flowtable & { devices: string[] }) | undefined
  for (const line of text.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table
    const name = /^\s*flowtable (\S+) \{/.exec(line)?.[1]
    if (name !== undefined) {
      now = { name: `${table} ${name}`, priority: 0, devices: [], hardware: false }
      continue
    }
    if (now === undefined) continue
    // `filter` is 0 at ingress, the only name that there is.
    const [, sign = '', number] =
      /hook ingress priority (?:filter *)?([-+]?) *(\d+)?/.exec(line) ?? []
    if (number !== undefined) now.priority = Number(`${sign}${number}`)
    const devices = /devices = \{([^}]*)\}/.exec(line)?.[1]
    for (const [, device = ''] of devices?.matchAll(/"?([^\s",]+)"?/g) ?? [])
      now.devices.push(device)
    if (/^\s*flags\b.*\boffload\b/.test(line)) now.hardware = true
    if (!/^\s*\}/.test(line)) continue
    if (now.devices.length > 0 && found.length < MOST) found.push(now)
    now = undefined
  }
  return found
}

/** Those that take packets of some interfaces. */
export function flowtablesOn(all: readonly Flowtable[], names: readonly string[]): Flowtable[] {
  return all.filter(({ devices }) => devices.some((name) => names.includes(name)))
}
