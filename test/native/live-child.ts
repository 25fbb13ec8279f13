// Runs inside a network namespace: captures as it is told by lines of JSON on its standard input, and answers in lines.
import { createInterface } from 'node:readline'
import type { Batch } from '../../native/index.ts'
import { createCapture, createNetlink, tryInterface } from '../../native/index.ts'
import type { FlowRow } from './replay.ts'
import { flowRows, nameRows } from './replay.ts'

export interface Order {
  do: 'capture' | 'interfaces' | 'locality' | 'look' | 'stop' | 'netlink' | 'try' | 'block'
  options?: object
  specs?: []
  locality?: { prefixes: string[]; own: string[] }
  name?: string
  ms?: number
}

export interface Answer {
  error?: string
  refusal?: string | undefined
  counters?: Batch['counters']
  interfaces?: Batch['interfaces']
  flows?: FlowRow[]
  names?: string[]
  events?: object[]
  ended?: boolean
  cpuMs?: number
}

const flows = new Map<number, FlowRow>()
const names: string[] = []
const events: object[] = []
let capture: ReturnType<typeof createCapture> | undefined
let last: Batch | undefined

function drained(): void {
  last = capture?.drain()
  if (!last) return
  for (const row of nameRows(last)) names.push(`${row.kind} ${row.dns?.name ?? row.text}`)
  for (const row of flowRows(last)) flows.set(row.number, row)
}

function state(): Answer {
  const { user, system } = process.cpuUsage()
  return {
    ...(last && { counters: last.counters, interfaces: last.interfaces, ended: last.ended }),
    flows: [...flows.values()],
    names,
    events,
    cpuMs: (user + system) / 1000,
  }
}

function obey(order: Order): Answer {
  switch (order.do) {
    case 'capture':
      capture = createCapture(order.options)
      if (order.locality) capture.setLocality(order.locality)
      capture.setInterfaces(order.specs ?? [])
      capture.start(drained)
      return {}
    case 'interfaces':
      capture?.setInterfaces(order.specs ?? [])
      return {}
    case 'locality':
      if (order.locality) capture?.setLocality(order.locality)
      return {}
    case 'look':
      drained()
      return state()
    case 'stop':
      capture?.stop()
      drained()
      return state()
    case 'netlink':
      createNetlink().start((list) => events.push(...list))
      return {}
    case 'try':
      return { refusal: tryInterface(order.name ?? '') }
    case 'block':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
      return {}
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    let answer: Answer
    try {
      answer = obey(JSON.parse(line) as Order)
    } catch (error) {
      answer = { error: (error as Error).message }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  })
  .on('close', () => process.exit(0))
