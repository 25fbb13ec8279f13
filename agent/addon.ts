// The one place that loads the addon: whoever starts the agent, a replay or the doctor hands its parts on from here.
import * as clockSync from '../native/clock-sync.ts'
import * as gate from '../native/dns-gate.ts'
import * as native from '../native/index.ts'
import * as listen from '../native/listen.ts'
import * as nft from '../native/nft.ts'
import * as queue from '../native/queue.ts'

/** What native offers, as the rest of the agent is given it. */
export type Addon = Pick<
  typeof native,
  'createCapture' | 'createNetlink' | 'tryInterface' | 'flowLines'
> &
  Pick<typeof clockSync, 'clockSynchronised'> &
  Pick<typeof listen, 'listenOnDevice'> &
  Pick<typeof nft, 'createNft' | 'createNftWatch'> & {
    /** Throws a TypeError or RangeError that names the option that is wrong. */
    createDnsGate: (options: gate.DnsGateOptions) => gate.DnsGate
    createFirstPackets: (options: queue.FirstPacketsOptions) => queue.FirstPackets
  }

export const addon: Addon = {
  createCapture: native.createCapture,
  createNetlink: native.createNetlink,
  tryInterface: native.tryInterface,
  flowLines: native.flowLines,
  clockSynchronised: clockSync.clockSynchronised,
  listenOnDevice: listen.listenOnDevice,
  createNft: nft.createNft,
  createNftWatch: nft.createNftWatch,
  createDnsGate: (options) => new gate.DnsGate(options),
  createFirstPackets: (options) => new queue.FirstPackets(options),
}
