// Texts that many lines repeat (ids, names, services), each once and as it stands in JSON, for native to copy from.

/** Bytes of the table before it begins anew: a hostile network has endless names. */
const MAX_BYTES = 4 * 1024 * 1024

/** Places of texts. A place is good until `renew`. */
export class TextTable {
  #places = new Map<string, number>()
  #bytes = Buffer.alloc(65536)
  /** 0 is none. */
  #used = 2

  get bytes(): Buffer {
    return this.#bytes
  }

  /** Where `text` is; put there if it is not yet. */
  place(text: string): number {
    return this.#places.get(text) ?? this.#add(text)
  }

  #add(text: string): number {
    const json = JSON.stringify(text)
    const length = Buffer.byteLength(json) - 2
    if (this.#used + length + 2 > this.#bytes.length) {
      const larger = Buffer.alloc((this.#bytes.length + length) * 2)
      this.#bytes.copy(larger)
      this.#bytes = larger
    }
    const place = this.#used
    this.#bytes.writeUInt16LE(length, place)
    this.#bytes.write(json.slice(1, -1), place + 2)
    this.#used = place + 2 + length
    this.#places.set(text, place)
    return place
  }

  /** Between batches: begins anew if it has grown large. */
  renew(): void {
    if (this.#used < MAX_BYTES) return
    this.#places = new Map()
    this.#used = 2
  }
}
