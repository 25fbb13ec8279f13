// Incidents that are opened, changed and closed, with their evidence.
import type { Node, NodeAPI } from 'node-red'
import { INCIDENT_FILTER_KEYS, incidentTest } from './act-filter.ts'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { Badge, deviceLabel, joinAgent } from './agent-node.ts'
import { filterOf } from './filter.ts'
import type { IncidentChange, IncidentChangeKind } from './incident-board.ts'
import { LiveFilter } from './live-filter.ts'
import { sendOutput } from './message.ts'

interface IncidentDef extends AgentUserDef {
  tellOpened: boolean
  tellChanged: boolean
  tellClosed: boolean
  /** Tell of those that are open already, when the flow starts. */
  tellPresent: boolean
  devices: string[]
  /** With commas between; empty: all. */
  kinds: string
  severity: string
}

export default function register(RED: NodeAPI): void {
  function HomespinIncident(this: Node, def: IncidentDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const told = kindsOf(def)
    const filter = new LiveFilter(
      RED,
      this,
      {
        devices: { value: def.devices, type: 'raw' },
        kinds: { value: def.kinds, type: 'raw' },
        severity: { value: def.severity, type: 'raw' },
      },
      (values) => incidentTest(values),
      (error) => {
        badge.setFault('filter', error && 'homespin.status.filter')
        // With a message, even an empty one, a catch node hears of it.
        if (error) this.error(error, {})
      },
    )

    const tell = ({ kind, incident }: IncidentChange): void => {
      if (told.has(kind) && filter.current()?.(incident)) {
        const { device_id } = incident
        const device = link && deviceLabel(link, device_id)
        const msg = { topic: device_id, device, event: kind }
        // Other nodes get the same incident, and what comes after them may write into it.
        sendOutput(RED, this, msg, def.output, structuredClone(incident))
      }
      const open = link?.board.incidents().filter((each) => filter.current()?.(each)).length ?? 0
      badge.setLast(RED._('homespin.status.open', { count: open }))
    }
    let hasBegun = false

    const user: JoiningUser = {
      wants: ['incidents'],
      incident: tell,
      state: () => {
        // The first word of the link; what was open before it will not be told again.
        if (hasBegun) return
        hasBegun = true
        for (const incident of link?.board.incidents() ?? []) tell({ kind: 'present', incident })
      },
    }
    const link = joinAgent(RED, this, def, badge, user, { topic: '', device: {}, event: '' })

    this.on('input', (msg, _send, done) => {
      try {
        filter.override(msg.filter === null ? {} : filterOf(msg.filter, INCIDENT_FILTER_KEYS))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  }
  RED.nodes.registerType('homespin-incident', HomespinIncident)
}

function kindsOf(def: IncidentDef): Set<IncidentChangeKind> {
  const kinds = new Set<IncidentChangeKind>()
  if (def.tellOpened) kinds.add('opened')
  if (def.tellChanged) kinds.add('changed')
  if (def.tellClosed) kinds.add('closed')
  if (def.tellPresent) kinds.add('present')
  return kinds
}
