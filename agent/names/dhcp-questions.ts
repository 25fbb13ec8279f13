// Clients that wait for a DHCP server: an address is believed only as the answer to a device's own question, or anybody could
// give any device any address.

/** A server that takes longer is asked anew. */
const WAIT_MS = 30_000
/** Clients that wait at once; of more the first goes. */
const MAX_CLIENTS = 1024

/** Remembers the latest transaction of each client. */
export class DhcpQuestions {
  readonly #clients = new Map<number, { transaction: number; timeMs: number }>()

  /** The device with this MAC asked. */
  asked(mac: number, transaction: number, timeMs: number): void {
    this.#clients.delete(mac)
    if (this.#clients.size >= MAX_CLIENTS) {
      this.#clients.delete(this.#clients.keys().next().value as number)
    }
    this.#clients.set(mac, { transaction, timeMs })
  }

  /** Whether the device with this MAC waits for an answer with this transaction; after it, it does no more. */
  answered(mac: number, transaction: number, timeMs: number): boolean {
    const question = this.#clients.get(mac)
    if (question?.transaction !== transaction) return false
    this.#clients.delete(mac)
    return Math.abs(timeMs - question.timeMs) <= WAIT_MS
  }
}
