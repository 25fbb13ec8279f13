// What of a device's orders this place leaves open, in sentences for people: by how the box stands, and by what was seen.
import type { Capability } from '../../../protocol/messages.ts'
import type { DesiredDevice } from '../../policy/desired.ts'
import { offloadUncovered } from './offload.ts'
import type { Place } from './place.ts'
import { shortcutSentences } from './port-facts.ts'
import { within } from './protected.ts'

/** Whether anything is ordered for it that could be gone round. */
function isShut({ level, restrictions, matches }: DesiredDevice): boolean {
  const isClosed = level !== undefined && level.level !== 'observe'
  return isClosed || matches.length > 0 || Object.keys(restrictions).length > 0
}

/** Whether what it asks names for matters: at `local_only` nothing of the internet is open anyway. */
export function needsNames({ restrictions, matches }: DesiredDevice): boolean {
  const { allow_list, no_dns_no_connect } = restrictions
  const byName = matches.some(({ domain }) => domain !== undefined)
  return byName || allow_list !== undefined || no_dns_no_connect !== undefined
}

/** Whether browsers have to be told by DNS not to go round it (the canary name use-application-dns.net). */
function needsCanary({ restrictions }: DesiredDevice): boolean {
  return restrictions.no_encrypted_dns !== undefined
}

/** Of `no_encrypted_dns` where no name can be answered. */
function withoutCanary(why: string): string {
  return `Browsers are not asked to leave encrypted DNS (${why}): only port 853 and known resolvers are closed.`
}

function isGlobal(address: string): boolean {
  return address.includes(':') && !/^(?:fe[89ab]|ff|f[cd]|::)/i.test(address)
}

/** By addresses that the device or this box has, or that others were heard to advertise or to have. */
function usesIpv6(place: Place, device: DesiredDevice): boolean {
  return place.usesIpv6 === true || [...device.ips, ...place.lan].some(isGlobal)
}

function oneArmed(place: Place, device: DesiredDevice): string[] {
  const routed = usesIpv6(place, device)
    ? 'Only IPv4 that this box routes is covered; IPv6 and other routers go round it.'
    : 'Only what this box routes is covered; other routers go round it.'
  const names =
    'Names that it asks its router or another machine of its own network for are not gated.'
  return needsNames(device) || needsCanary(device) ? [routed, names] : [routed]
}

/** Whether the way to other devices of the home is to be closed. */
function closesHome(place: Place, { level, matches }: DesiredDevice): boolean {
  const closed = level?.level === 'full' || level?.level === 'internet_only'
  const home = (prefix: string): boolean => place.lan.some((lan) => within(prefix, lan))
  const blocks = matches.some(
    ({ action, prefix }) => action === 'block' && prefix !== undefined && home(prefix),
  )
  return closed || blocks
}

/** Of orders on names where the gate does not serve. */
export function uncoveredNames(
  gate: Capability | undefined,
  device: DesiredDevice,
): string | undefined {
  const isNeeded = needsNames(device) || needsCanary(device)
  return gate?.ok === false && isNeeded ? `Names are not gated: ${gate.reason}` : undefined
}

/** What is open for a device though ordered, by where this box stands; undefined: nothing. */
export function uncoveredAt(place: Place, device: DesiredDevice): string | undefined {
  if (!isShut(device)) return undefined
  const said = place.position === 'one_armed' ? oneArmed(place, device) : []
  // Behind which port it is comes and goes.
  if (place.shortcuts !== undefined && closesHome(place, device))
    said.push(...shortcutSentences(place.shortcuts))
  said.push(...offloadUncovered(place, device))
  const asks = device.restrictions.ask !== undefined
  if (place.features.queue === undefined) {
    if (needsNames(device)) said.push('Names are not gated: the kernel queues no packets.')
    if (asks) said.push('Connections are not asked about: the kernel queues no packets.')
    if (needsCanary(device)) said.push(withoutCanary('the kernel queues no packets'))
  } else if (place.position === 'bridge' && place.bridgeNetfilter !== true) {
    const why = 'bridged packets pass no queue here (net.bridge.bridge-nf-call-iptables)'
    if (needsNames(device)) said.push(`Only names that it asks this box for are gated: ${why}.`)
    if (asks) said.push(`Only connections to this box are asked about: ${why}.`)
    if (needsCanary(device)) said.push(withoutCanary(`unless they ask this box, as ${why}`))
  }
  return said.length === 0 ? undefined : said.join(' ')
}
