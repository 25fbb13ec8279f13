// Which kernel a test runs on: the native one, or the program nft.
import { addon } from '../../../agent/addon.ts'
import type { Kernel } from '../../../agent/enforce/kernel/kernel.ts'
import { LocalKernel } from '../../../agent/enforce/kernel/local-kernel.ts'
import type { Ruleset } from '../../../agent/enforce/reconcile/reconciler-ruleset.ts'
import { NftProgram } from './nft-program.ts'

export function makeKernel(which: 'program' | 'local', canonical: Ruleset['canonical']): Kernel {
  return which === 'program' ? new NftProgram(canonical) : new LocalKernel(addon)
}
