// What devices send and receive: flow by flow, or summed up per device and interval.
import type { Node, NodeAPI } from 'node-red'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { Badge, deviceLabel, joinAgent } from './agent-node.ts'
import { deviceSet, FLOW_FILTER_KEYS, filterOf, flowTest } from './filter.ts'
import type { FlowStep } from './flow-memory.ts'
import type { LinkState } from './link-user.ts'
import { LiveFilter } from './live-filter.ts'
import { sendOutput } from './message.ts'
import { TrafficSummary } from './summary.ts'

/** When a flow makes a message: at its first word, at each change (at most once a second), or at its end. */
type When = 'new' | 'every' | 'closed'

interface TrafficDef extends AgentUserDef {
  mode: 'flows' | 'summary'
  when: When
  /** Length of an interval, in seconds. */
  interval: number | string
  devices: string[]
  direction: string
  remote: string
  remoteType: string
  port: string
  portType: string
  minBytes: string
  minBytesType: string
}

export default function register(RED: NodeAPI): void {
  function HomespinTraffic(this: Node, def: TrafficDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const summary = def.mode === 'summary' ? new TrafficSummary(Date.now(), false) : undefined
    const filter = new LiveFilter(
      RED,
      this,
      {
        devices: { value: def.devices, type: 'raw' },
        direction: { value: def.direction, type: 'raw' },
        remote: { value: def.remote, type: def.remoteType || 'str' },
        port: { value: def.port, type: def.portType || 'str' },
        min_bytes: { value: def.minBytes, type: def.minBytesType || 'num' },
      },
      (values) => ({ passes: flowTest(values), devices: deviceSet(values.devices) }),
      (error) => {
        badge.setFault('filter', error && 'homespin.status.filter')
        // With a message, even an empty one, a catch node hears of it.
        if (error) this.error(error, {})
      },
    )
    let isOnline = false

    const sendFlow = (step: FlowStep): void => {
      const { flow } = step
      const msg = { topic: flow.device_id, device: link && deviceLabel(link, flow.device_id) }
      // Other nodes get the same flow, and what comes after them may write into it.
      sendOutput(RED, this, msg, def.output, structuredClone(flow))
    }

    const user: JoiningUser = {
      wants: ['flow'],
      state: (state: LinkState) => {
        isOnline = state === 'online'
        if (!isOnline) summary?.markIncomplete()
      },
      flows: (steps, complete) => {
        const test = filter.current()
        if (!test || !complete) summary?.markIncomplete()
        const passed = test ? steps.filter((step) => test.passes(step.flow)) : []
        if (summary) {
          for (const step of passed) summary.add(step)
          return
        }
        const told = passed.filter((step) => isTold(step, def.when))
        for (const step of told) sendFlow(step)
        if (told.length > 0) badge.setLast(RED._('homespin.status.flows', { count: told.length }))
      },
    }
    const others = { topic: '', device: {}, ...(summary && { parts: {} }) }
    const link = joinAgent(RED, this, def, badge, user, others)

    const endInterval = (): void => {
      const devices = filter.current()?.devices ?? new Set()
      const sums = summary?.end(Date.now(), devices, isOnline) ?? []
      const id = RED.util.generateId()
      for (const [index, sum] of sums.entries()) {
        const device = link && deviceLabel(link, sum.device_id)
        const parts = { id, index, count: sums.length }
        const msg = { topic: sum.device_id, device, parts }
        sendOutput(RED, this, msg, def.output, sum)
      }
      if (isOnline) badge.setLast(RED._('homespin.status.devices', { count: sums.length }))
    }
    const seconds = Math.min(86400, Math.max(1, Number(def.interval) || 60))
    const timer = summary && link && setInterval(endInterval, seconds * 1000).unref()

    this.on('input', (msg, _send, done) => {
      try {
        filter.override(msg.filter === null ? {} : filterOf(msg.filter, FLOW_FILTER_KEYS))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
    this.on('close', () => clearInterval(timer))
  }
  RED.nodes.registerType('homespin-traffic', HomespinTraffic)
}

/** A flow may begin and end within one batch: it is new and closed at once. */
function isTold(step: FlowStep, when: When): boolean {
  if (when === 'new') return step.isNew
  if (when === 'closed') return step.flow.state === 'closed'
  return true
}
