// homespin replay FILE…: captures through the whole pipeline; as lines of JSON, or as a table for people.
import { accessSync, constants } from 'node:fs'
import type { Addon } from '../addon.ts'
import type { Config } from '../config.ts'
import { Locality, parsePrefix } from '../inventory/locality.ts'
import { loadVendors } from '../inventory/vendors.ts'
import { replay } from '../replay.ts'
import { LineWriter } from './output.ts'
import { bytes, deviceTable } from './text.ts'

export interface ReplayCommand {
  files: readonly string[]
  json: boolean
  updates: boolean
  config: Config
}

/** Exit code: 0, or 1 if a file could not be read to its end (what was read is told all the same). */
export async function runReplay(command: ReplayCommand, addon: Addon): Promise<number> {
  const { config } = command
  const locality = new Locality()
  locality.setPrefixes(config.lan.flatMap((text) => parsePrefix(text) ?? []))
  const out = new LineWriter()
  out.start()
  for (const file of command.files) if (file !== '-') checkReadable(file)
  const result = await replay(
    command.files,
    {
      addon,
      locality,
      vendorOf: loadVendors(),
      options: {
        maxFlows: config.flows.max,
        tcpIdleSeconds: config.flows.tcp_idle_s,
        udpIdleSeconds: config.flows.udp_idle_s,
        otherIdleSeconds: config.flows.other_idle_s,
        updates: command.updates,
      },
    },
    {
      ...(command.json ? { write: (lines: Buffer | string) => out.write(lines) } : {}),
      drained: () => out.drained(),
      closed: () => out.closed,
    },
  )
  if (command.json) {
    for (const device of result.devices) out.json(device)
    out.json(result.summary)
  } else {
    const { summary } = result
    out.line(deviceTable(result.devices))
    out.line('')
    out.line(
      `${summary.packets} packets (${summary.malformed} malformed, ${summary.unsupported} of other protocols), ` +
        `${bytes(summary.ip_bytes)} of IP in ${summary.flows} flows of ${summary.devices} devices, ` +
        `${summary.dns_queries} DNS queries, ${(summary.duration_ms / 1000).toFixed(1)} s`,
    )
  }
  await out.end()
  for (const problem of result.problems) process.stderr.write(`homespin: ${problem}\n`)
  return result.problems.length === 0 ? 0 : 1
}

/** Fails before the first file is played if a later one is not there. */
function checkReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch (cause) {
    throw new Error(`${file} can't be read: ${(cause as Error).message}`, { cause })
  }
}
