// Rates over the seconds that are kept. Undefined is "not known", zero is "observed and silent"; they never mix.
import type { PanelState, RateFrame } from './store.ts'

/** Bytes per second, seen from a device or from the home. */
export interface Rate {
  sent: number
  received: number
}

/** The rates of one device, or of all of them, second by second, oldest first. */
export function rateSeries(
  frames: readonly (RateFrame | undefined)[],
  deviceId?: string,
): (Rate | undefined)[] {
  return frames.map((frame) => {
    if (frame === undefined) return undefined
    if (deviceId === undefined) return homeRate(frame)
    const rate = frame.rates.get(deviceId)
    return { sent: rate?.sent_rate ?? 0, received: rate?.received_rate ?? 0 }
  })
}

/** The last of a series, if it is known. */
export function currentRate(series: readonly (Rate | undefined)[]): Rate | undefined {
  return series.at(-1)
}

/** Bytes in both directions over the series; unknown seconds count for nothing. */
export function bytesOver(series: readonly (Rate | undefined)[]): number {
  return series.reduce((sum, rate) => sum + (rate ? rate.sent + rate.received : 0), 0)
}

/** How many devices said or heard something in the last ten known seconds. */
export function activeDevices(state: PanelState): number {
  const active = new Set<string>()
  for (const frame of state.frames.slice(-10)) {
    for (const rate of frame?.rates.values() ?? []) {
      if (rate.sent_rate + rate.received_rate > 0) active.add(rate.device_id)
    }
  }
  return active.size
}

function homeRate(frame: RateFrame): Rate {
  let sent = 0
  let received = 0
  for (const rate of frame.rates.values()) {
    sent += rate.sent_rate
    received += rate.received_rate
  }
  return { sent, received }
}
