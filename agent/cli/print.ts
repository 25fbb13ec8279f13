// homespin print: flows and events of the running agent, as they happen.
import type { LiveEvents } from '../../protocol/http.ts'
import { live } from './client.ts'
import { LineWriter } from './output.ts'
import { flowLine, plain } from './text.ts'

/** Further objects of the protocol; for people their events say the same. */
const OBJECTS = ['incident', 'blocked', 'connection', 'journal']

/** Runs until interrupted, the agent stops, or nobody reads any more. */
export async function runPrint(data: string, json: boolean): Promise<number> {
  const abort = new AbortController()
  const end = (): void => abort.abort()
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  const out = new LineWriter()
  out.start()
  for await (const { name, data: value } of live(data, abort.signal)) {
    if (name === 'flows') {
      for (const flow of (value as LiveEvents['flows']).flows) {
        if (json) out.json(flow)
        else out.line(flowLine(flow))
      }
    } else if (name === 'event' || name === 'device') {
      if (json) out.json(value)
      else if (name === 'event') out.line(plain((value as LiveEvents['event']).sentence, 200))
    } else if (json && OBJECTS.includes(name)) out.json(value)
    await out.end()
    if (out.closed) break
  }
  abort.abort()
  if (abort.signal.reason !== undefined && !out.closed) await out.end()
  return 0
}
