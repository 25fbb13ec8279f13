// A history for a test: its own folder, a clock that is set, and traffic.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HistoryOptions } from '../../../agent/history/history.ts'
import { History } from '../../../agent/history/history.ts'
import type { Interval, Traffic } from '../../../agent/interval.ts'
import { NO_FLOWS } from '../../../agent/interval.ts'
import { recordingLog } from '../mqtt/listener.ts'

export interface Made {
  history: History
  dir: string
  lines: string[]
  clock: { at: number; now: () => number }
}

const cleanUps: (() => Promise<unknown> | unknown)[] = []

/** For `afterEach`. */
export async function removeAll(): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
}

export function onRemove(cleanUp: () => Promise<unknown> | unknown): void {
  cleanUps.push(cleanUp)
}

export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'homespin-history-'))
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A started history; it writes when told to, not by its timer. */
export async function make(more: Partial<HistoryOptions> = {}, at = 0): Promise<Made> {
  const dir = more.dir ?? folder()
  const log = recordingLog()
  const clock = { at, now: () => clock.at }
  const history = new History({ clock, log, flushMs: 3_600_000, ...more, dir })
  await history.start()
  cleanUps.push(() => history.stop())
  return { history, dir, lines: log.lines, clock }
}

export function traffic(device: number, remote: string, sent: number, received = 0): Traffic {
  return {
    device_id: `020de00000${device.toString(16).padStart(2, '0')}`,
    remote,
    sent_bytes: sent,
    received_bytes: received,
    sent_packets: 1,
    received_packets: 1,
  }
}

export function second(from_ms: number, rows: Traffic[], more: Partial<Interval> = {}): Interval {
  return {
    from_ms,
    to_ms: from_ms + 1000,
    complete: true,
    flows: NO_FLOWS,
    dns: [],
    traffic: rows,
    ...more,
  }
}
