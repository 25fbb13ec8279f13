// Bytes by device and remote, bounded: what has no place of its own counts as `other`.

export interface Bytes {
  sent: number
  received: number
}

/** The key of all remotes that are not kept by name. */
export const OTHER = ''

export interface TallyLimits {
  /** Remotes of one device. */
  maxRemotes: number
  /** Remotes of all devices; beyond it also new devices have `other` alone. */
  maxEntries: number
}

/** Sums of bytes by device and remote. */
export class Tally {
  readonly #limits: TallyLimits
  readonly devices = new Map<string, Map<string, Bytes>>()
  #entries = 0

  constructor(limits: TallyLimits) {
    this.#limits = limits
  }

  get entries(): number {
    return this.#entries
  }

  add(device: string, remote: string, sent: number, received: number): void {
    let remotes = this.devices.get(device)
    if (remotes === undefined) {
      // Devices are bounded where they come from; this holds if they are not.
      if (this.devices.size >= this.#limits.maxEntries) return
      remotes = new Map()
      this.devices.set(device, remotes)
    }
    const bytes = remotes.get(remote)
    if (bytes !== undefined) {
      bytes.sent += sent
      bytes.received += received
    } else if (remote !== OTHER && this.#isFull(remotes)) {
      this.add(device, OTHER, sent, received)
    } else {
      remotes.set(remote, { sent, received })
      this.#entries++
    }
  }

  /** Adds every sum of `other`. */
  merge(other: Tally): void {
    for (const [device, remotes] of other.devices) {
      for (const [remote, { sent, received }] of remotes) this.add(device, remote, sent, received)
    }
  }

  #isFull(remotes: ReadonlyMap<string, Bytes>): boolean {
    return remotes.size >= this.#limits.maxRemotes || this.#entries >= this.#limits.maxEntries
  }
}

/** The `limit` remotes with most bytes, the rest as `OTHER`. */
export function topRemotes(remotes: ReadonlyMap<string, Bytes>, limit: number): [string, Bytes][] {
  const named = [...remotes].filter(([remote]) => remote !== OTHER)
  const other = { ...(remotes.get(OTHER) ?? { sent: 0, received: 0 }) }
  if (named.length > limit) {
    named.sort(([, a], [, b]) => b.sent + b.received - a.sent - a.received)
    for (const [, { sent, received }] of named.splice(limit)) {
      other.sent += sent
      other.received += received
    }
  }
  if (other.sent > 0 || other.received > 0) named.push([OTHER, other])
  return named
}

/** The sum over all remotes. */
export function totalOf(remotes: ReadonlyMap<string, Bytes>): Bytes {
  const total = { sent: 0, received: 0 }
  for (const { sent, received } of remotes.values()) {
    total.sent += sent
    total.received += received
  }
  return total
}

/** As JSON: `[[device, [remote, sent, received, …]], …]`. */
export function encodeTally(tally: Tally): string {
  const devices: [string, (string | number)[]][] = []
  for (const [device, remotes] of tally.devices) {
    const flat: (string | number)[] = []
    for (const [remote, { sent, received }] of remotes) flat.push(remote, sent, received)
    devices.push([device, flat])
  }
  return JSON.stringify(devices)
}

/** Adds what `encodeTally` wrote to `tally`. Throws a SyntaxError or TypeError for what it did not write. */
export function decodeInto(tally: Tally, text: string): void {
  for (const [device, flat] of JSON.parse(text) as [string, (string | number)[]][]) {
    for (let i = 0; i + 2 < flat.length; i += 3) {
      tally.add(String(device), String(flat[i]), Number(flat[i + 1]), Number(flat[i + 2]))
    }
  }
}
