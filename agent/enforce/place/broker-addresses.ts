// The addresses of the broker that this agent talks to, looked up by its name: what may be blocked must not be among them.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** Names behind which many addresses stand, each look-up a few: so many are remembered, those told last. */
const MAX_ADDRESSES = 32

/** All addresses of a name, as getaddrinfo(3) tells them; rejects where there are none now. */
export type LookUp = (host: string) => Promise<readonly string[]>

/** The host of `broker` in the configuration; undefined for the embedded one, and for one on this box that the Supervisor runs. */
export function brokerHost(broker: string): string | undefined {
  if (broker === 'embedded' || broker === 'supervisor') return undefined
  return new URL(broker).hostname.replace(/^\[|\]$/g, '')
}

async function systemLookUp(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

export class BrokerAddresses {
  readonly #host: string | undefined
  readonly #lookUp: LookUp
  #known: string[] = []
  #asking: Promise<readonly string[]> | undefined

  constructor(broker: string, lookUp: LookUp = systemLookUp) {
    this.#host = brokerHost(broker)
    this.#lookUp = lookUp
  }

  /**
   * Those that are known now. Where the name can't be looked up, those of before: a connection to one of them may stand.
   * Never rejects; one look-up at a time, however often it is called.
   */
  async current(): Promise<readonly string[]> {
    const host = this.#host
    if (host === undefined) return []
    if (isIP(host) !== 0) return [host]
    this.#asking ??= this.#ask(host).finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  async #ask(host: string): Promise<readonly string[]> {
    const told = await this.#lookUp(host).catch(() => [])
    const plain = told.map((ip) => ip.replace(/%.*$/, ''))
    this.#known = [...new Set([...plain, ...this.#known])].slice(0, MAX_ADDRESSES)
    return this.#known.toSorted()
  }
}
