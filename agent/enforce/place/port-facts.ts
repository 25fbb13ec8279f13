// Where frames go from port to port of a bridge without its processor: in a switch chip (DSA, switchdev), and between stations of
// an access point, in its driver. Read from sysfs, as netlink's events do not tell.
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What sysfs says of one link. */
export interface PortFacts {
  /** Which switch chip it is a port of: links with the same text are ports of one. */
  switchId?: string
  /** It is an access point (or a station) of cfg80211. */
  isRadio?: true
}

/** By name of the link; one that is not there is absent. */
export type AllPortFacts = ReadonlyMap<string, PortFacts>

const SYSFS = '/sys/class/net'

/** Never rejects. `sysfs`: where the links are. */
export async function readPortFacts(
  names: readonly string[],
  sysfs = SYSFS,
): Promise<AllPortFacts> {
  const all = names.map(async (name): Promise<[string, PortFacts]> => {
    // Links without a switch refuse to be read (EOPNOTSUPP).
    const switchId = await readFile(join(sysfs, name, 'phys_switch_id'), 'utf8').catch(() => '')
    const isRadio = await access(join(sysfs, name, 'phy80211')).then(
      () => true as const,
      () => undefined,
    )
    return [name, portFacts(switchId, isRadio)]
  })
  return new Map(await Promise.all(all))
}

export function portFacts(switchId: string, isRadio: boolean | undefined): PortFacts {
  return {
    ...(switchId.trim() === '' ? {} : { switchId: switchId.trim() }),
    ...(isRadio === true ? { isRadio } : {}),
  }
}

/** Ports between which frames do not come by here. */
export interface Shortcuts {
  /** Ports of one switch chip each, two or more. */
  switches: readonly (readonly string[])[]
  /** Access points, whose stations reach each other there unless they are kept apart. */
  radios: readonly string[]
  /** All ports are of one switch: nothing comes by here from one to another. */
  areAll: boolean
}

/** `ports`: of the bridges of a place. Undefined: there is no such way. */
export function shortcutsOf(ports: readonly string[], facts: AllPortFacts): Shortcuts | undefined {
  const byChip = Map.groupBy(ports, (name) => facts.get(name)?.switchId)
  const switches = [...byChip].flatMap(([id, names]) =>
    id !== undefined && names.length > 1 ? [names.toSorted()] : [],
  )
  const radios = ports.filter((name) => facts.get(name)?.isRadio === true).toSorted()
  if (switches.length + radios.length === 0) return undefined
  return { switches, radios, areAll: switches[0]?.length === ports.length }
}

/** In sentences, after which devices this is so. */
export function shortcutSentences({ switches, radios }: Shortcuts): string[] {
  const said = switches.map(
    (names) =>
      `Devices on ${names.join(', ')} reach each other in the switch chip, without this box.`,
  )
  if (radios.length > 0)
    said.push(
      `Stations of ${radios.join(', ')} reach each other in the access point, unless it isolates them.`,
    )
  return said
}
