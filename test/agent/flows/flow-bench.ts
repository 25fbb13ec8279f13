// A flow reader with a home around it, and what it told.
import { AddressText } from '../../../agent/address.ts'
import { EndsResolver } from '../../../agent/flows/ends.ts'
import { FlowReader } from '../../../agent/flows/flow-reader.ts'
import { TrafficSums } from '../../../agent/flows/traffic.ts'
import { Inventory } from '../../../agent/inventory/inventory.ts'
import type { Prefix } from '../../../agent/inventory/locality.ts'
import { Locality, parsePrefix } from '../../../agent/inventory/locality.ts'
import { NameCache } from '../../../agent/names/name-cache.ts'
import type { Flow } from '../../../protocol/messages.ts'
import type { RecordOf } from './flow-records.ts'
import { flowRecords } from './flow-records.ts'

export const A = '02:00:00:00:00:0a'
export const B = '02:00:00:00:00:0b'
export const ROUTER = '02:00:00:00:00:fe'
export const A_ID = '02000000000a'
export const B_ID = '02000000000b'
export const ROUTER_ID = '0200000000fe'

export class FlowBench {
  readonly locality = new Locality()
  readonly inventory: Inventory
  readonly names = new NameCache()
  readonly traffic = new TrafficSums()
  readonly reader: FlowReader
  /** What was told of flows that began. */
  readonly begun: [device: string, remote: string, port: number, flow: number][] = []

  /** The prefixes of the home, or an inventory of one's own. */
  constructor(...home: [{ inventory: Inventory }] | string[]) {
    const [first] = home
    const own = typeof first === 'object' ? first.inventory : undefined
    this.inventory = own ?? new Inventory({ vendorOf: () => undefined })
    const lan = home.filter((each) => typeof each === 'string')
    const prefixes = lan.length === 0 ? ['192.0.2.0/24', '2001:db8:1::/64'] : lan
    this.locality.setPrefixes(prefixes.map((text) => parsePrefix(text) as Prefix))
    this.reader = new FlowReader({
      run: 'r',
      text: new AddressText(),
      names: this.names,
      ends: new EndsResolver(this.locality, this.inventory),
      traffic: this.traffic,
      onBegun: (...flow) => this.begun.push(flow),
    })
  }

  /** The records of one batch, as flows. */
  read(...records: readonly RecordOf[]): Flow[] {
    const flows: Flow[] = []
    this.reader.read(flowRecords(...records), records.length, (view) => flows.push(view.flow()))
    return flows
  }

  /** Bytes and packets of a device so far: sent, received. */
  counted(id: string): [number, number, number, number] | undefined {
    const entry = this.inventory.get(id)
    return entry && [entry.sentBytes, entry.receivedBytes, entry.sentPackets, entry.receivedPackets]
  }
}
