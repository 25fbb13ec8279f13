// mqtt-packet gathers a whole message before it looks at it. A message that is too large to be an order of ours is cut as it
// comes in, so that it needs no memory, keeps the connection, and can still be refused with an answer.
import type { Socket } from 'node:net'

/** Type of PUBLISH packets (MQTT 5, 2.1.2). */
const PUBLISH = 3
const MAX_TOPIC_BYTES = 1024
const NOTHING = Buffer.alloc(0)

export interface FrameCutOptions {
  /** Packets up to this remaining length go through as they are. */
  maxBytes: number
  /** So much of the payload is left of a larger message. */
  keptBytes: number
  /** MQTT 5: a message has properties; a larger one loses them. */
  hasProperties: boolean
}

/** Follows the packets of an MQTT byte stream, and cuts messages. */
export class FrameCut {
  readonly #options: FrameCutOptions
  /** `pass`: bytes go through. `skip`: they do not. The others gather the begin of a packet. */
  #state: 'head' | 'prefix' | 'pass' | 'skip' = 'head'
  #head: number[] = []
  #prefix: number[] = []
  /** Remaining length of the message that is being cut. */
  #length = 0
  /** Bytes until the next state. */
  #left = 0
  /** What follows: to be passed, then to be skipped. */
  #thenPass = 0
  #thenSkip = 0

  constructor(options: FrameCutOptions) {
    this.#options = options
  }

  /** Takes the next bytes; returns those that go through, undefined where the stream is malformed or too large a packet is no message. */
  take(chunk: Buffer): Buffer | undefined {
    const out: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'pass' || this.#state === 'skip') {
        const end = at + Math.min(this.#left, chunk.length - at)
        if (this.#state === 'pass') out.push(chunk.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#advance()
        continue
      }
      const made =
        this.#state === 'head' ? this.#takeHead(chunk[at++]!) : this.#takePrefix(chunk[at++]!)
      if (made === undefined) return undefined
      if (made.length > 0) out.push(made)
    }
    const [only, second] = out
    return only === undefined ? NOTHING : second === undefined ? only : Buffer.concat(out)
  }

  #advance(): void {
    if (this.#thenPass > 0) {
      this.#state = 'pass'
      this.#left = this.#thenPass
      this.#thenPass = 0
    } else if (this.#thenSkip > 0) {
      this.#state = 'skip'
      this.#left = this.#thenSkip
      this.#thenSkip = 0
    } else this.#state = 'head'
  }

  /** Type and remaining length (MQTT 5, 2.1). */
  #takeHead(byte: number): Buffer | undefined {
    this.#head.push(byte)
    const digits = this.#head.length - 1
    if (digits === 0) return NOTHING
    if ((byte & 0x80) !== 0) return digits < 4 ? NOTHING : undefined
    const length = numberOf(this.#head.slice(1))
    if (length > this.#options.maxBytes) {
      this.#length = length
      this.#prefix = []
      this.#state = 'prefix'
      return this.#head[0]! >> 4 === PUBLISH ? NOTHING : undefined
    }
    const head = Buffer.from(this.#head)
    this.#head = []
    this.#state = 'pass'
    this.#left = length
    if (length === 0) this.#state = 'head'
    return head
  }

  /** Topic, packet id and length of the properties of a message that is cut (MQTT 5, 3.3.2). */
  #takePrefix(byte: number): Buffer | undefined {
    const prefix = this.#prefix
    prefix.push(byte)
    if (prefix.length < 2) return NOTHING
    const topicBytes = prefix[0]! * 256 + prefix[1]!
    if (topicBytes > MAX_TOPIC_BYTES) return undefined
    const type = this.#head[0]!
    const fixed = 2 + topicBytes + ((type & 0x06) === 0 ? 0 : 2)
    const { hasProperties, keptBytes } = this.#options
    if (prefix.length < fixed + (hasProperties ? 1 : 0)) return NOTHING
    if (hasProperties && (byte & 0x80) !== 0) return prefix.length < fixed + 4 ? NOTHING : undefined
    const properties = hasProperties ? numberOf(prefix.slice(fixed)) : 0
    const payload = this.#length - prefix.length - properties
    if (payload < 0) return undefined
    const kept = Math.min(payload, keptBytes)
    const begin = [...prefix.slice(0, fixed), ...(hasProperties ? [0] : [])]
    this.#head = []
    this.#left = properties
    this.#thenPass = kept
    this.#thenSkip = payload - kept
    if (properties > 0) this.#state = 'skip'
    else this.#advance()
    return Buffer.from([type, ...digitsOf(begin.length + kept), ...begin])
  }
}

/** A variable byte integer (MQTT 5, 1.5.5). */
function numberOf(digits: readonly number[]): number {
  return digits.reduceRight((value, digit) => value * 128 + (digit & 0x7f), 0)
}

function digitsOf(value: number): number[] {
  const digits: number[] = []
  let rest = value
  do {
    const digit = rest % 128
    rest = (rest - digit) / 128
    digits.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return digits
}

/** Cuts what `socket` receives, before anyone reads it; destroys it where that can't be done. */
export function cutFrames(socket: Socket, options: FrameCutOptions): void {
  const cut = new FrameCut(options)
  const push = socket.push.bind(socket)
  socket.push = (chunk: Buffer | null): boolean => {
    if (chunk === null) return push(null)
    const kept = cut.take(chunk)
    if (kept !== undefined) return push(kept)
    socket.destroy(new Error(`a packet is malformed, or longer than ${options.maxBytes} bytes`))
    return false
  }
}
