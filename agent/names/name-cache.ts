// By which name each device knows an address: what it was answered itself, never what another device was.

/** Answers remembered of one address: a flow takes the one that was current when it began. */
const ANSWERS = 8
/** Addresses remembered per device, and of all together; the oldest go first, and the device that heard nothing new for longest. */
const ADDRESSES_PER_DEVICE = 2048
const ADDRESSES = 131072

interface Answer {
  name: string
  timeMs: number
}

/** Names by device and address, from DNS answers. Programs keep addresses longer than the TTL, so answers are kept until displaced. */
export class NameCache {
  readonly #byDevice = new Map<string, Map<string, Answer | Answer[]>>()
  #size = 0

  /** `device` was told at `timeMs` that `name` is at `ip`. */
  add(device: string, ip: string, name: string, timeMs: number): void {
    let addresses = this.#byDevice.get(device)
    if (addresses === undefined) addresses = new Map()
    const known = addresses.get(ip)
    if (known === undefined) {
      // At the end of the order: the last to be forgotten.
      this.#byDevice.delete(device)
      this.#byDevice.set(device, addresses)
      this.#makeRoom(addresses)
      addresses.set(ip, { name, timeMs })
      this.#size++
      return
    }
    addresses.delete(ip)
    addresses.set(ip, append(known, name, timeMs))
  }

  #makeRoom(addresses: Map<string, unknown>): void {
    if (addresses.size >= ADDRESSES_PER_DEVICE) {
      addresses.delete(addresses.keys().next().value as string)
      this.#size--
    }
    while (this.#size >= ADDRESSES) {
      const [device, oldest] = this.#byDevice.entries().next().value as [
        string,
        Map<string, unknown>,
      ]
      this.#size -= oldest.size
      this.#byDevice.delete(device)
    }
  }

  /** The name under which `device` knew `ip` at `timeMs`, if it had asked by then. */
  at(device: string, ip: string, timeMs: number): string | undefined {
    const known = this.#byDevice.get(device)?.get(ip)
    if (known === undefined) return undefined
    if (!Array.isArray(known)) return known.timeMs <= timeMs ? known.name : undefined
    for (let i = known.length - 1; i >= 0; i--) {
      const answer = known[i] as Answer
      if (answer.timeMs <= timeMs) return answer.name
    }
    return undefined
  }

  forget(device: string): void {
    this.#size -= this.#byDevice.get(device)?.size ?? 0
    this.#byDevice.delete(device)
  }
}

function append(known: Answer | Answer[], name: string, timeMs: number): Answer | Answer[] {
  const answers = Array.isArray(known) ? known : [known]
  const last = answers[answers.length - 1] as Answer
  if (last.name === name) return known
  answers.push({ name, timeMs })
  if (answers.length > ANSWERS) answers.shift()
  return answers
}
