// The enforcement alone in a process of its own, for inside a namespace: reads one order a line, answers with one line each.
//   {"id":1,"apply":Desired} {"id":2,"actual":true} {"id":3,"blocked":true} {"id":4,"refusal":Order} {"id":5,"stop":"remove"|"keep"}
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Box } from '../../../agent/capture/box.ts'
import { planCapture } from '../../../agent/capture/plan.ts'
import { bootMs } from '../../../agent/clock.ts'
import { KernelEnforcement } from '../../../agent/enforce/enforcement.ts'
import { DockerUser } from '../../../agent/enforce/kernel/docker-user.ts'
import { homespinTables } from '../../../agent/enforce/reconcile/reconciler-tables.ts'
import { createLog } from '../../../agent/log.ts'
import { createNetlink } from '../../../native/index.ts'
import { makeKernel } from './kernels.ts'

interface Config {
  mode: 'gateway' | 'bridge' | 'host'
  interfaces: string[]
  resolvers?: string
  admin?: string[]
  brokers?: string[]
  homeAssistant?: string[]
  kernel: 'program' | 'local'
}

const config = JSON.parse(process.argv[2] as string) as Config
const box = new Box()
const ruleset = homespinTables
const plan = (): ReturnType<typeof planCapture> =>
  planCapture({ ...config, lan: [], promiscuous: false, forwards: true }, box)

const say = (line: unknown): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
const kernel = makeKernel(config.kernel, ruleset.canonical)
const enforcement = new KernelEnforcement(
  {
    brokers: config.brokers ?? [],
    homeAssistant: config.homeAssistant ?? [],
    admin: config.admin ?? [],
    masquerade: false,
    queues: { dns: 4242, first: 4243 },
  },
  {
    kernel,
    ruleset,
    box,
    plan,
    resolvConf: () => readFile(config.resolvers ?? '/dev/null', 'utf8').catch(() => undefined),
    bootMs,
    log: createLog('warn'),
    door: new DockerUser(),
  },
)
enforcement.onChange = (change) => say({ change })
const netlink = createNetlink()
await new Promise<void>((resolve) => {
  netlink.start((events) => {
    for (const event of events) box.apply(event)
    if (events.some((event) => event.kind === 'synchronised')) resolve()
    enforcement.boxChanged()
  })
})
await enforcement.start()
say({ ready: true, capabilities: enforcement.capabilities() })

type Answer = Record<string, unknown>

async function answer(order: Answer): Promise<Answer> {
  if ('apply' in order) {
    const { failed } = await enforcement.apply(order.apply as never)
    return { failed: Object.fromEntries(failed) }
  }
  if ('actual' in order) {
    const found = [...enforcement.actual()].map(([id, one]) => [
      id,
      { ...one, rules: [...one.rules], restrictions: [...one.restrictions] },
    ])
    return { actual: Object.fromEntries(found) }
  }
  if ('blocked' in order) return { blocked: await enforcement.takeBlocked() }
  if ('refusal' in order) return { refusal: enforcement.refusal(order.refusal as never) ?? null }
  if ('cpu' in order) {
    // Its own and its programs' user and system time, in hundredths of a second (proc_pid_stat(5), fields 14 to 17).
    const fields = (await readFile('/proc/self/stat', 'utf8')).split(') ')[1]?.split(' ') ?? []
    return { cpu: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0) }
  }
  if ('dynamic' in order) {
    const changes = order.dynamic as { set: string; key: string; timeoutMs: number }[]
    const common = {
      family: 'inet',
      table: 'homespin',
      interval: false,
      timeout: true,
      counter: true,
      dynamic: true,
    } as const
    await enforcement.writeDynamic(
      changes.map(({ set: name, key, timeoutMs }) => {
        const set = { ...common, name, key: 'ether_addr . ipv4_addr' }
        return { do: 'add', set, key, timeoutMs }
      }),
    )
    return {}
  }
  await enforcement.stop(order.stop === 'remove')
  netlink.stop()
  setImmediate(() => process.exit(0))
  return {}
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as Answer
  answer(order).then(
    (found) => say({ id: order.id, ...found }),
    (error: Error) => say({ id: order.id, error: error.message }),
  )
})
