// mqtt-packet gathers up to 256 MiB before it looks at a packet; this counts the frames' lengths as bytes come in.
import type { Socket } from 'node:net'

/** Follows the fixed headers of an MQTT byte stream (MQTT 3.1.1, 2.2). */
export class FrameLimit {
  readonly #maxBytes: number
  #state: 'type' | 'length' | 'body' = 'type'
  #length = 0
  #shift = 0
  #left = 0

  /** `maxBytes`: the largest remaining length that is let through. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes the next bytes of the stream; false once a frame is longer than allowed or its length is malformed. */
  accept(chunk: Uint8Array): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'body') {
        const step = Math.min(this.#left, chunk.length - at)
        at += step
        this.#left -= step
        if (this.#left === 0) this.#state = 'type'
        continue
      }
      const byte = chunk[at++] as number
      if (this.#state === 'type') {
        this.#state = 'length'
        this.#length = 0
        this.#shift = 0
        continue
      }
      this.#length += (byte & 0x7f) * 2 ** this.#shift
      this.#shift += 7
      if (this.#length > this.#maxBytes) return false
      if ((byte & 0x80) !== 0) {
        if (this.#shift > 21) return false
        continue
      }
      this.#left = this.#length
      this.#state = this.#left === 0 ? 'type' : 'body'
    }
    return true
  }
}

/** Destroys `socket` as soon as a frame longer than `maxBytes` begins. */
export function limitFrames(socket: Socket, maxBytes: number): void {
  const limit = new FrameLimit(maxBytes)
  socket.on('data', (chunk: Buffer) => {
    if (!limit.accept(chunk))
      socket.destroy(new Error(`an MQTT packet is longer than ${maxBytes} bytes`))
  })
}
