// Devices that are new, changed, gone or back; and the device that a message asks for.
import type { Node, NodeAPI } from 'node-red'
import type { Device } from '../protocol/messages.ts'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { agentOf, Badge, joinAgent } from './agent-node.ts'
import type { DeviceChange, DeviceChangeKind } from './inventory.ts'
import { evaluate } from './live-filter.ts'
import { sendOutput, setOutput } from './message.ts'

interface DeviceDef extends AgentUserDef {
  tellNew: boolean
  tellChanged: boolean
  /** Gone, and back again. */
  tellGone: boolean
  /** Tell of the devices that are there already, when the flow starts. */
  tellPresent: boolean
  devices: string[]
  /** The device that an input message asks for: id, MAC, address or name. */
  target: string
  targetType: string
}

export default function register(RED: NodeAPI): void {
  function HomespinDevice(this: Node, def: DeviceDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const kinds = kindsOf(def)
    const only = new Set(Array.isArray(def.devices) ? def.devices : [])
    const wants = kinds.size > 0 ? (['event'] as const) : []

    const tell = (change: DeviceChange): void => {
      const { device, kind } = change
      if (!kinds.has(kind) || (only.size > 0 && !only.has(device.id))) return
      const msg = {
        topic: device.id,
        event: kind,
        ...(change.changed && { changed: change.changed }),
      }
      sendOutput(RED, this, msg, def.output, structuredClone(device))
      badge.setLast(`homespin.status.${kind}`)
    }
    let isTold = false

    const user: JoiningUser = {
      wants,
      device: tell,
      state: () => {
        // The first word of the link; what was there before it will not be told again.
        if (isTold) return
        isTold = true
        for (const device of link?.inventory.devices() ?? []) {
          if (device.present) tell({ kind: 'present', device })
        }
      },
    }
    const link = joinAgent(RED, this, def, badge, user, { topic: '', event: '' })

    this.on('input', (msg, send, done) => {
      const target = { value: def.target || 'payload', type: def.targetType || 'msg' }
      evaluate(RED, this, target, msg, (error, wanted) => {
        try {
          if (error) throw error
          const device = deviceOf(RED, def, wanted)
          msg.topic = device.id
          msg.event = 'asked'
          setOutput(RED, msg, def.output, structuredClone(device))
          send(msg)
          done()
        } catch (cause) {
          done(cause as Error)
        }
      })
    })
  }
  RED.nodes.registerType('homespin-device', HomespinDevice)
}

function kindsOf(def: DeviceDef): Set<DeviceChangeKind> {
  const kinds = new Set<DeviceChangeKind>()
  if (def.tellNew) kinds.add('new')
  if (def.tellChanged) kinds.add('changed')
  if (def.tellGone) kinds.add('gone').add('back')
  if (def.tellPresent) kinds.add('present')
  return kinds
}

/** Throws an Error, in words for the reader of a flow, where not exactly one device is meant. */
function deviceOf(RED: NodeAPI, def: AgentUserDef, wanted: unknown): Device {
  const { link, fault } = agentOf(RED, def)
  if (!link) throw new Error(RED._(`homespin.error.${fault}`))
  if (typeof wanted !== 'string' || wanted.trim() === '') {
    throw new Error(RED._('homespin-device.error.target'))
  }
  const [device, ...others] = link.inventory.find(wanted)
  // Cut, because what is asked for may come from anywhere and ends in a log.
  const shown = { wanted: wanted.slice(0, 80), count: others.length + 1 }
  if (!device) throw new Error(RED._('homespin-device.error.unknown', shown))
  if (others.length > 0) throw new Error(RED._('homespin-device.error.ambiguous', shown))
  return device
}
