// Texts that many places hold, each kept once and known by a number.

/** Gives each text a number for as long as somebody holds it. */
export class KeptTexts {
  readonly #numbers = new Map<string, number>()
  readonly #texts: string[] = []
  readonly #holders: number[] = []
  /** Numbers whose text nobody holds any more. */
  readonly #free: number[] = []

  /** The number of `text`, undefined if nobody holds it. */
  find(text: string): number | undefined {
    return this.#numbers.get(text)
  }

  /** Holds `text` once more. */
  hold(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) {
      ;(this.#holders[known] as number)++
      return known
    }
    const number = this.#free.pop() ?? this.#texts.length
    this.#numbers.set(text, number)
    this.#texts[number] = text
    this.#holders[number] = 1
    return number
  }

  /** One holder less. */
  release(number: number): void {
    ;(this.#holders[number] as number)--
    if (this.#holders[number] !== 0) return
    this.#numbers.delete(this.#texts[number] as string)
    this.#texts[number] = ''
    this.#free.push(number)
  }

  /** The text of a number that is held. */
  text(number: number): string {
    return this.#texts[number] as string
  }
}
