// A process for the tests of crashes: orders and lifts as fast as it can, and tells each that was acknowledged on its
// standard output, as `+ADDRESS` or `-ADDRESS`. What was asked before it was answered is told as `?ADDRESS`.
import { createLog } from '../../../agent/log.ts'
import { Policy } from '../../../agent/policy/policy.ts'
import { block, device, id, ME, RecordingKernel } from './desk.ts'

const devices = new Map(Array.from({ length: 10 }, (_, n) => [id(n + 1), device(n + 1)]))
const policy = new Policy({
  dir: process.argv[2] as string,
  log: createLog('error'),
  enforcement: new RecordingKernel(),
  devices: { get: (one) => devices.get(one), all: () => devices.values(), size: devices.size },
  events: {
    onRules: () => {},
    onGroups: () => {},
    onJournal: () => {},
    onDevices: () => {},
    onEvent: () => {},
  },
  paceMs: 0,
})
await policy.start()

const standing = new Set(policy.rules().map(({ match }) => String(match?.endpoint)))
const run = Date.now().toString(36).slice(-4)

/** Resolves once it has left this process: what is asked is always heard before it can be done. */
function say(line: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${line}\n`, () => resolve()))
}

async function one(endpoint: string): Promise<void> {
  await say(`?${endpoint}`)
  if (standing.has(endpoint)) {
    await policy.lift({ match: { endpoint } }, ME)
    standing.delete(endpoint)
    await say(`-${endpoint}`)
  } else {
    await policy.order(block(1 + (endpoint.length % 10), { endpoint }), { ...ME, reason: run })
    standing.add(endpoint)
    await say(`+${endpoint}`)
  }
}

for (;;) {
  const some = new Set(
    Array.from(
      { length: 5 },
      () => `2001:db8::${(1 + Math.floor(Math.random() * 300)).toString(16)}`,
    ),
  )
  await Promise.all([...some].map(one))
}
