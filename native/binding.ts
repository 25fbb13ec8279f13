// Loads the addon, at first use so that importing types or the layout costs nothing.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { FilledOptions } from './arguments.ts'
import type { NativeDnsGate } from './dns-gate.ts'
import type { FilledDnsGate } from './dns-gate-arguments.ts'
import type { Capture, Netlink } from './index.ts'
import type { NftNews, RawOutcome } from './nft.ts'
import type { Places } from './nft-records.ts'
import type { NativeFirstPackets } from './queue.ts'
import type { FilledFirstPackets } from './queue-arguments.ts'

/** What the addon exports. It trusts its arguments: only the other files of this folder call it. */
export interface Binding {
  Capture: new (options: FilledOptions) => Capture
  Netlink: new () => Netlink
  DnsGate: new (options: FilledDnsGate) => NativeDnsGate
  FirstPackets: new (options: FilledFirstPackets) => NativeFirstPackets
  Nft: new (
    oldKernel: boolean,
  ) => {
    apply: (places: Places, changes: Uint8Array) => Promise<RawOutcome>
    elements: (
      place: Places,
      kind: number,
      keyBytes: number,
    ) => Promise<RawOutcome & { records: ArrayBuffer }>
    shapes: (tables: Places) => Promise<RawOutcome & { shapes: string[] }>
    generation: () => Promise<number>
    /** What, family and interface of each. */
    probe: (trials: (string | number)[]) => Promise<RawOutcome[]>
    port: () => number
  }
  NftWatch: new () => { start: (onNews: (news: NftNews) => void) => void; stop: () => void }
  listenOnDevice: (
    address: string,
    port: number,
    device: string,
  ) => number | { errno: number; call: string }
  clockSynchronised: () => boolean | undefined
  tryInterface: (name: string) => string | undefined
  flowLines: (
    records: ArrayBuffer,
    notes: Uint32Array,
    count: number,
    run: string,
    texts: Uint8Array,
    into: Uint8Array,
    from: number,
  ) => number
  /** Offsets as C++ has them. */
  layout: Record<string, Record<string, number>>
}

const path = fileURLToPath(new URL('./build/Release/homespin_native.node', import.meta.url))
let loaded: Binding | undefined

/** The addon. Throws with what to do when it has not been built. */
export function binding(): Binding {
  if (loaded) return loaded
  if (!existsSync(path)) {
    throw new Error(
      `the native part is not built: run npm start or npm test once, or node-gyp rebuild -C native (${path} is missing)`,
    )
  }
  try {
    loaded = createRequire(import.meta.url)(path) as Binding
  } catch (cause) {
    throw new Error(
      'the native part can not be loaded; build it again with node-gyp rebuild -C native',
      { cause },
    )
  }
  return loaded
}
