// homespin print: flows, DNS queries and events of the running agent, as they happen.
import type { LiveEvents } from '../../protocol/http.ts'
import { live } from './client.ts'
import { LineWriter } from './output.ts'
import { dnsLine, flowLine, plain } from './text.ts'

/** Further objects of the protocol; for people their events say the same. */
const OBJECTS = ['incident', 'blocked', 'connection', 'journal']

type Said<Name extends keyof LiveEvents> = LiveEvents[Name]

/** Runs until interrupted, or nobody reads any more. Throws an Error when the agent stops. */
export async function runPrint(data: string, json: boolean): Promise<number> {
  const abort = new AbortController()
  const end = (): void => abort.abort()
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  const out = new LineWriter()
  out.start()
  const leftOut = new LeftOut()
  for await (const { name, data: value } of live(data, abort.signal)) {
    if (name === 'flows') {
      const { flows, changed } = value as Said<'flows'>
      for (const flow of flows) {
        if (json) out.json(flow)
        else out.line(flowLine(flow))
      }
      leftOut.add('flows', changed - flows.length)
    } else if (name === 'dns') {
      const { dns, asked } = value as Said<'dns'>
      for (const query of dns) {
        if (json) out.json(query)
        else out.line(dnsLine(query))
      }
      leftOut.add('DNS queries', asked - dns.length)
    } else if (name === 'event' || name === 'device') {
      if (json) out.json(value)
      else if (name === 'event') out.line(plain((value as Said<'event'>).sentence, 200))
    } else if (json && OBJECTS.includes(name)) out.json(value)
    await out.end()
    // It comes after all else of an interval.
    if (name === 'rates') leftOut.tell()
    if (out.closed) break
  }
  abort.abort()
  if (!out.closed) await out.end()
  return 0
}

/** Between two remarks on standard error about what is left out. */
const REMARK_MS = 10_000

/** Counts what the feed leaves out of a busy second, and says so now and then. */
class LeftOut {
  readonly #counts = new Map<string, number>()
  #toldMs = Number.NEGATIVE_INFINITY

  add(what: string, count: number): void {
    if (count > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + count)
  }

  tell(): void {
    const now = performance.now()
    if (this.#counts.size === 0 || now - this.#toldMs < REMARK_MS) return
    this.#toldMs = now
    const counts = [...this.#counts].map(([what, count]) => `${count} ${what}`)
    this.#counts.clear()
    process.stderr.write(
      `homespin: ${counts.join(' and ')} more than this shows of a busy second; over MQTT there are all\n`,
    )
  }
}
