// Runs inside a network namespace with one `Kernel`: orders come as lines of JSON on standard input, answers go the same way.
import { createInterface } from 'node:readline'
import { addon } from '../../../agent/addon.ts'
import type {
  ElementChange,
  ForeignChange,
  Kernel,
  QueueRule,
  TableId,
} from '../../../agent/enforce/kernel/kernel.ts'
import { LocalKernel } from '../../../agent/enforce/kernel/local-kernel.ts'
import { RemoteKernel } from '../../../agent/enforce/kernel/remote-kernel.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { createLog } from '../../../agent/log.ts'
import type { SshTarget } from '../../../agent/ssh-target.ts'

export type KernelOrder =
  | { do: 'make'; remote?: SshTarget; program?: string }
  | { do: 'start' | 'stop' | 'seen' }
  | { do: 'replace'; text: string }
  | { do: 'change'; changes: ElementChange[] }
  | { do: 'queue'; rules: QueueRule[] }
  | { do: 'elements'; set: SetSpec }
  | { do: 'shapes'; tables: TableId[] }
  | { do: 'probe'; interfaces: string[] }

/** What came by itself. */
export interface Seen {
  foreign: ForeignChange[]
  aways: (string | null)[]
  away: string | null
}

let kernel: Kernel | undefined
const foreign: ForeignChange[] = []
const aways: (string | null)[] = []

async function carryOut(order: KernelOrder): Promise<unknown> {
  if (order.do === 'make') {
    kernel = order.remote
      ? new RemoteKernel(order.remote, createLog('error'))
      : new LocalKernel(addon, order.program)
    kernel.onForeignChange = (change) => foreign.push(change)
    kernel.onAway = (away) => aways.push(away ?? null)
    return undefined
  }
  if (kernel === undefined) throw new Error('make comes first')
  switch (order.do) {
    case 'start':
      return kernel.start()
    case 'stop':
      return kernel.stop()
    case 'seen':
      return { foreign, aways, away: kernel.away ?? null }
    case 'replace':
      return kernel.replace(order.text)
    case 'change':
      return kernel.change(order.changes)
    case 'queue':
      return kernel.addQueueRules(order.rules)
    case 'elements':
      return Object.fromEntries(await kernel.elements(order.set))
    case 'shapes':
      return Object.fromEntries(await kernel.shapes(order.tables))
    case 'probe': {
      const probes = await kernel.probe(order.interfaces)
      return { ...probes, egress: Object.fromEntries(probes.egress) }
    }
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const begin = performance.now()
    const ms = (): number => performance.now() - begin
    void carryOut(JSON.parse(line) as KernelOrder).then(
      (result) => process.stdout.write(`${JSON.stringify({ result: result ?? null, ms: ms() })}\n`),
      ({ name, message, code, index }: Error & { code?: string; index?: number }) =>
        process.stdout.write(`${JSON.stringify({ error: { name, message, code, index } })}\n`),
    )
  })
  // Its own end is what the test looks at: nothing may keep it.
  .on('close', () => void kernel?.stop())
