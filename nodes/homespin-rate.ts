// Counts what messages tell, per device or any other key, over a window that slides: a reverse firewall drawn as a flow.
// It asks no agent: what comes in decides alone.
import { createHash } from 'node:crypto'
import type { Node, NodeAPI, NodeDef, NodeMessage, NodeMessageInFlow } from 'node-red'
import type { Look } from './agent-node.ts'
import type { TypedField } from './live-filter.ts'
import { LiveFilter } from './live-filter.ts'
import { canWrite, readProperty, sendOutput, setOutput } from './message.ts'
import type { Crossing } from './sliding-counts.ts'
import { SlidingCounts } from './sliding-counts.ts'

interface RateDef extends NodeDef {
  /** What is counted apart: `msg.topic` is the device with all nodes of ours. */
  key: string
  keyType: string
  /** Messages, amounts added up, or distinct values. */
  count: 'messages' | 'sum' | 'distinct'
  /** The amount or the value. */
  value: string
  valueType: string
  /** Seconds. */
  window: string | number
  windowType: string
  threshold: string | number
  thresholdType: string
  /** Seconds after which a key that is above still is told of again; absent, as in flows of before, or 0: never. */
  again?: string | number
  againType?: string
  output: string
}

/** What goes out at each crossing, and again while a key is above. */
export interface Rate {
  type: 'rate'
  key: string
  above: boolean
  /** It was told of before, and is above still. */
  again?: true
  window_s: number
  /** As in an incident. */
  evidence: {
    what: string
    observed: number
    threshold: number
    weight: number
    flow_ids: string[]
  }
  /** Distinct values that were seen last, at most 20. */
  values?: string[]
}

type Reader = (msg: NodeMessage) => Promise<unknown>
type Counts = { counts: SlidingCounts; windowS: number; threshold: number }

const MAX_TEXT = 256
const EXPIRE_MS = 500
const QUIET: Look = { fill: 'green', shape: 'ring' }
const ABOVE: Look = { fill: 'red', shape: 'dot' }
const FAULT: Look = { fill: 'red', shape: 'dot' }

export default function register(RED: NodeAPI): void {
  function HomespinRate(this: Node, def: RateDef): void {
    RED.nodes.createNode(this, def)
    const keyOf = readerOf(RED, this, { value: def.key || 'topic', type: def.keyType || 'msg' })
    const valueIn =
      def.count === 'messages'
        ? undefined
        : readerOf(RED, this, { value: def.value, type: def.valueType || 'msg' })
    let shown = ''
    const show = (text: string, look: Look): void => {
      if (text === shown) return
      shown = text
      this.status({ ...look, text })
    }
    const writes = canWrite(RED, this, def.output, { topic: '', reason: '' })
    const showCount = (above: number): void => {
      if (!writes) show('homespin.status.output', FAULT)
      else if (above === 0) show('homespin.status.below', QUIET)
      else show(RED._('homespin.status.above', { count: above }), ABOVE)
    }
    /** The device of a key that is above, as the message that crossed told it. */
    const devices = new Map<string, unknown>()
    const settings = new LiveFilter<Counts>(
      RED,
      this,
      {
        window: { value: def.window, type: def.windowType || 'num' },
        threshold: { value: def.threshold, type: def.thresholdType || 'num' },
        again: { value: def.again ?? 0, type: def.againType || 'num' },
      },
      (values) => countsOf(def, values),
      (error) => {
        devices.clear()
        if (!error) return showCount(0)
        show('homespin.status.settings', FAULT)
        // With a message, even an empty one, a catch node hears of it.
        this.error(error, {})
      },
    )
    /** What `msg` is to carry of a crossing, besides what it has. */
    const rateOf = (
      crossing: Crossing,
      { windowS, threshold, counts }: Counts,
      msg: NodeMessage & { device?: unknown; reason?: string },
    ): Rate => {
      const { key, above, again, observed, marks, values } = crossing
      msg.topic = key
      msg.reason = RED._(above ? 'homespin-rate.reason.above' : 'homespin-rate.reason.below', {
        what: whatOf(def),
        observed,
        window: windowS,
        threshold,
      })
      if (above) devices.set(key, structuredClone(deviceIn(msg.device)))
      else {
        if (devices.get(key) !== undefined) msg.device = devices.get(key)
        devices.delete(key)
      }
      showCount(counts.above)
      return {
        type: 'rate',
        key,
        above,
        ...(again && { again }),
        window_s: windowS,
        evidence: { what: whatOf(def), observed, threshold, weight: 1, flow_ids: marks },
        ...(def.count === 'distinct' && { values }),
      }
    }

    const take = async (
      msg: NodeMessageInFlow,
      send: (messages: (NodeMessage | null)[]) => void,
    ): Promise<void> => {
      const now = settings.current()
      if (!now) throw new Error(RED._('homespin-rate.error.settings'))
      const key = textOf(await keyOf(msg))
      if (key === undefined) throw new Error(RED._('homespin-rate.error.key'))
      const value = valueIn ? await valueIn(msg) : 1
      const counted = def.count === 'distinct' ? textOf(value) : amountOf(value)
      // Not every flow has what is counted: ICMP has no ports.
      if (counted === undefined) return
      for (const crossing of now.counts.add(key, counted, flowIdOf(msg), performance.now())) {
        const told = crossing.key === key && crossing.above ? msg : {}
        setOutput(RED, told, def.output, rateOf(crossing, now, told))
        send(crossing.above ? [told, null] : [null, told])
      }
    }

    this.on('input', (msg, send, done) => {
      if ((msg as { reset?: unknown }).reset === true) {
        settings.current()?.counts.clear()
        devices.clear()
        showCount(0)
        done()
        return
      }
      take(msg, send).then(
        () => done(),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      )
    })
    const expire = (): void => {
      const now = settings.current()
      for (const crossing of now?.counts.expire(performance.now()) ?? []) {
        const told = {}
        const rate = rateOf(crossing, now as Counts, told)
        sendOutput(RED, this, told, def.output, rate, () => this.send([null, told]))
      }
    }
    settings.current()
    const timer = setInterval(expire, EXPIRE_MS).unref()
    this.on('close', () => clearInterval(timer))
  }
  RED.nodes.registerType('homespin-rate', HomespinRate)
}

/** Throws a RangeError where the settings make no window. */
function countsOf(def: RateDef, values: Record<string, unknown>): Counts {
  const windowS = numberOf(values.window, 'window')
  const threshold = numberOf(values.threshold, 'threshold')
  const againMs =
    1000 * numberOf(values.again === '' ? 0 : values.again, 'time to tell again after')
  const counting = def.count === 'distinct' ? 'distinct' : 'sum'
  const counts = new SlidingCounts({ counting, windowMs: windowS * 1000, threshold, againMs })
  return { counts, windowS, threshold }
}

function numberOf(value: unknown, what: string): number {
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value)
  if (typeof value === 'boolean' || value === null || !Number.isFinite(number)) {
    throw new RangeError(`the ${what} must be a number`)
  }
  return number
}

/** JSONata is compiled once: thousands of messages may come a second. */
function readerOf(RED: NodeAPI, node: Node, { value, type }: TypedField): Reader {
  const text = String(value ?? '')
  if (type !== 'jsonata') return async (msg) => readProperty(RED, msg, text)
  let expression: ReturnType<typeof RED.util.prepareJSONataExpression>
  try {
    expression = RED.util.prepareJSONataExpression(text, node)
  } catch (error) {
    return () => Promise.reject(error)
  }
  return (msg) =>
    new Promise((resolve, reject) => {
      RED.util.evaluateJSONataExpression(expression, msg, (error, result) => {
        if (error) reject(error)
        else resolve(result)
      })
    })
}

/** Text of bounded length; a longer one is told apart by its hash. Undefined: nothing, or no text. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string' || value === '') return undefined
  if (value.length <= MAX_TEXT) return value
  return `sha256:${createHash('sha256').update(value).digest('hex')}`
}

function amountOf(value: unknown): number | undefined {
  const amount = typeof value === 'number' ? value : Number.NaN
  return Number.isFinite(amount) && amount >= 0 ? amount : undefined
}

function flowIdOf(msg: NodeMessage): string | undefined {
  const { payload } = msg as { payload?: { type?: unknown; id?: unknown } | null }
  if (typeof payload !== 'object' || payload === null || payload.type !== 'flow') return undefined
  return typeof payload.id === 'string' && payload.id.length <= 64 ? payload.id : undefined
}

/** Id and name of `msg.device`, and nothing else that may hang there. */
function deviceIn(device: unknown): { id: string; name: string } | undefined {
  if (typeof device !== 'object' || device === null) return undefined
  const { id, name } = device as { id?: unknown; name?: unknown }
  return typeof id === 'string' && typeof name === 'string' ? { id, name } : undefined
}

/** What was counted, in a word: a property is called by its last part. */
function whatOf(def: RateDef): string {
  if (def.count === 'messages') return 'messages'
  return def.valueType === 'jsonata' ? def.count : def.value.slice(0, 64)
}
