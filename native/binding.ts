// Loads the addon, at first use so that importing types or the layout costs nothing.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { FilledOptions } from './arguments.ts'
import type { Capture, Netlink } from './index.ts'

/** What the addon exports. It trusts its arguments: only `index.ts` calls it. */
export interface Binding {
  Capture: new (options: FilledOptions) => Capture
  Netlink: new () => Netlink
  tryInterface: (name: string) => string | undefined
  flowLines: (
    records: ArrayBuffer,
    notes: Uint32Array,
    count: number,
    run: string,
    texts: Uint8Array,
    into: Uint8Array,
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
