// Which names devices ask for, and what they are answered.
import type { Node, NodeAPI } from 'node-red'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { Badge, deviceLabel, joinAgent } from './agent-node.ts'
import { DNS_FILTER_KEYS, dnsTest, filterOf } from './filter.ts'
import { LiveFilter } from './live-filter.ts'
import { sendOutput } from './message.ts'

interface DnsDef extends AgentUserDef {
  devices: string[]
  domain: string
  domainType: string
  qtype: string
  qtypeType: string
  only: string
}

export default function register(RED: NodeAPI): void {
  function HomespinDns(this: Node, def: DnsDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const filter = new LiveFilter(
      RED,
      this,
      {
        devices: { value: def.devices, type: 'raw' },
        name: { value: def.domain, type: def.domainType || 'str' },
        qtype: { value: def.qtype, type: def.qtypeType || 'str' },
        only: { value: def.only, type: 'raw' },
      },
      (values) => dnsTest(values),
      (error) => {
        badge.setFault('filter', error && 'homespin.status.filter')
        // With a message, even an empty one, a catch node hears of it.
        if (error) this.error(error, {})
      },
    )

    const user: JoiningUser = {
      wants: ['dns'],
      dns: (queries) => {
        const test = filter.current()
        const told = test ? queries.filter(test) : []
        for (const dns of told) {
          const msg = { topic: dns.device_id, device: link && deviceLabel(link, dns.device_id) }
          // Other nodes get the same query, and what comes after them may write into it.
          sendOutput(RED, this, msg, def.output, structuredClone(dns))
        }
        if (told.length > 0) badge.setLast(RED._('homespin.status.queries', { count: told.length }))
      },
    }
    const link = joinAgent(RED, this, def, badge, user, { topic: '', device: {} })

    this.on('input', (msg, _send, done) => {
      try {
        filter.override(msg.filter === null ? {} : filterOf(msg.filter, DNS_FILTER_KEYS))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  }
  RED.nodes.registerType('homespin-dns', HomespinDns)
}
