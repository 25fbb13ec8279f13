// Runs inside a namespace: our tables as the agent writes them, the DNS gate and first packets behind them.
import { flushCompileCache } from 'node:module'
import { createInterface } from 'node:readline'
import { addon } from '../../../agent/addon.ts'
import { bootMs } from '../../../agent/clock.ts'
import { DnsGating } from '../../../agent/enforce/gate/dns-gate.ts'
import type { GateSurroundings } from '../../../agent/enforce/gate/dns-policy.ts'
import { FirstPacketDesk } from '../../../agent/enforce/gate/first-packets.ts'
import { LocalKernel } from '../../../agent/enforce/kernel/local-kernel.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { homespinTables } from '../../../agent/enforce/reconcile/reconciler-tables.ts'
import { createLog } from '../../../agent/log.ts'
import type { Desired } from '../../../agent/policy/desired.ts'

const place = JSON.parse(process.argv[2] as string) as Place
const log = createLog('warn')
const kernel = new LocalKernel(addon, 'nft', () => [gating.port()])
const gating: DnsGating = new DnsGating({
  gate: addon.createDnsGate,
  sets: homespinTables.sets,
  log,
})
const foreign: string[] = []
let answer: boolean | undefined
let asked = 0
const desk = new FirstPacketDesk(
  { otherwise: 'drop', deadlineMs: 200 },
  {
    packets: addon.createFirstPackets,
    onConnection: ({ id }) => {
      asked++
      if (answer !== undefined) desk.verdict(id, answer)
    },
    nameOf: () => undefined,
    isLocal: () => false,
    run: 'test',
    log,
  },
)
kernel.onForeignChange = ({ by }) => foreign.push(...by.map(({ name }) => name))
await kernel.start()
gating.start(place)
desk.start(place)

let around: Partial<GateSurroundings> = {}
async function apply(desired: Desired, verdict: boolean | undefined): Promise<object> {
  answer = verdict
  gating.apply(desired, { protect: place.own, resolvers: [], local: [], ...around })
  desk.apply(desired)
  const elements = homespinTables.elements(desired, place)
  const needs = homespinTables.needs(elements)
  await kernel.replace(homespinTables.text(place, elements, bootMs(), needs))
  await kernel.addQueueRules(homespinTables.queueRules(place))
  gating.restore()
  return {}
}

// It may be killed, and the next one start in less time.
flushCompileCache()
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as {
    desired?: Desired
    verdict?: boolean
    around?: Partial<GateSurroundings>
  }
  const { desired, verdict } = order
  around = order.around ?? around
  try {
    const done = desired === undefined ? {} : await apply(desired, verdict)
    const reasons = [gating.capability().reason, desk.capability().reason]
    const blocked = desired === undefined ? gating.takeBlocked() : []
    process.stdout.write(`${JSON.stringify({ ...done, reasons, asked, blocked, foreign })}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`)
  }
}
process.exit(0)
