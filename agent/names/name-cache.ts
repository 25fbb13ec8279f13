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

/** What one device knows. */
interface Known {
  addresses: Map<string, Answer | Answer[]>
  /** When it heard something new, by the count of all that is new. */
  newest: number
}

/** Names by device and address, from DNS answers. Programs keep addresses longer than the TTL, so answers are kept until displaced. */
export class NameCache {
  readonly #byDevice = new Map<string, Known>()
  #size = 0
  #news = 0
  /** Who is to be forgotten next, last first: looked up for many at once, as looking takes long. */
  #stale: { device: string; newest: number }[] = []

  /** `device` was told at `timeMs` that `name` is at `ip`. */
  add(device: string, ip: string, name: string, timeMs: number): void {
    let known = this.#byDevice.get(device)
    if (known === undefined) {
      known = { addresses: new Map(), newest: 0 }
      this.#byDevice.set(device, known)
    }
    const { addresses } = known
    const answers = addresses.get(ip)
    if (answers === undefined) {
      known.newest = ++this.#news
      if (addresses.size >= ADDRESSES_PER_DEVICE) {
        addresses.delete(addresses.keys().next().value as string)
        this.#size--
      }
      while (this.#size >= ADDRESSES) this.#forgetStale()
      addresses.set(ip, { name, timeMs })
      this.#size++
      return
    }
    addresses.delete(ip)
    addresses.set(ip, append(answers, name, timeMs))
  }

  /** Forgets the device that heard nothing new for longest. */
  #forgetStale(): void {
    if (this.#stale.length === 0) this.#stale = this.#stalest()
    const { device, newest } = this.#stale.pop() as { device: string; newest: number }
    if (this.#byDevice.get(device)?.newest === newest) this.forget(device)
  }

  /** A quarter of all devices, the stalest at the end. */
  #stalest(): { device: string; newest: number }[] {
    return Array.from(this.#byDevice, ([device, { newest }]) => ({ device, newest }))
      .sort((one, other) => one.newest - other.newest)
      .slice(0, Math.ceil(this.#byDevice.size / 4))
      .reverse()
  }

  /** The name under which `device` knew `ip` at `timeMs`, if it had asked by then. */
  at(device: string, ip: string, timeMs: number): string | undefined {
    const known = this.#byDevice.get(device)?.addresses.get(ip)
    if (known === undefined) return undefined
    if (!Array.isArray(known)) return known.timeMs <= timeMs ? known.name : undefined
    for (let i = known.length - 1; i >= 0; i--) {
      const answer = known[i] as Answer
      if (answer.timeMs <= timeMs) return answer.name
    }
    return undefined
  }

  forget(device: string): void {
    this.#size -= this.#byDevice.get(device)?.addresses.size ?? 0
    this.#byDevice.delete(device)
  }
}

function append(known: Answer | Answer[], name: string, timeMs: number): Answer | Answer[] {
  const all = Array.isArray(known) ? known : [known]
  // After a clock was set back, what lies ahead would hide what is told now until then.
  const isAhead = (all[all.length - 1] as Answer).timeMs > timeMs
  const answers = isAhead ? all.filter((answer) => answer.timeMs <= timeMs) : all
  if (answers[answers.length - 1]?.name === name) return answers
  answers.push({ name, timeMs })
  if (answers.length > ANSWERS) answers.shift()
  return answers
}
