// What the agent's own entities show. Pure.
import type { Visibility } from '../../protocol/home-assistant.ts'
import { OPEN } from '../../protocol/home-assistant.ts'
import type { Info } from '../../protocol/messages.ts'
import type { RuleView } from '../../protocol/policy.ts'
import type { Controls } from './component.ts'
import { fitting, plain } from './plain.ts'

/** What else the agent's state is made of. */
export interface AgentFacts {
  devices: number
  /** What holds for devices that nobody has accepted. */
  defaultPolicy: string
  /** Sentences of what is wrong with the announcements themselves. */
  problems: readonly string[]
}

/** Capabilities that are a problem where they are not there; what a mode can't do by its nature is none. */
const WATCHED = ['rules', 'instance', 'capture', 'store'] as const

/** Below the 16384 bytes of attributes that Home Assistant's recorder keeps. */
const MAX_PROBLEM_BYTES = 12_000

/** State of the agent's entities. */
export function agentState(info: Info, facts: AgentFacts): string {
  const { loss } = info
  const problems = [...problemsOf(info), ...facts.problems].map((text) => plain(text, 300))
  return JSON.stringify({
    visibility: visibilityOf(info),
    visibility_attributes: {
      agent: info.agent,
      mode: info.mode,
      sentence: plain(info.visibility, 500),
      controls: plain(info.capabilities.enforce?.reason ?? '', 500),
    },
    devices: facts.devices,
    loss: loss.ring_packets + loss.name_packets,
    loss_attributes: { ...loss },
    problem: problems.length === 0 ? 'OFF' : 'ON',
    problem_attributes: { problems: fitting(problems.slice(0, 20), MAX_PROBLEM_BYTES) },
    default_policy: facts.defaultPolicy,
  })
}

/**
 * What Home Assistant may control here: what this mode can hold, as far as orders are taken from it. `last`: levels that could
 * be held before; during a fault that passes, these are still there to be controlled, later.
 */
export function controlsOf(
  info: Info,
  orders: { commands: 'none' | 'safe' | 'all'; isSigned: boolean; haControls: string },
  last: readonly string[] = [],
): Controls {
  const taken = orders.commands !== 'none' && (!orders.isSigned || orders.haControls === 'unsigned')
  if (!taken) return { levels: [], away: false, orders: false }
  const { enforce, levels } = info.capabilities
  const canHold = enforce?.ok === true && levels?.ok === true
  if (canHold) return { levels: levels.values ?? [], away: false, orders: true }
  const fault = enforce?.ok === true ? levels : enforce
  return fault?.passing === true && last.length > 0
    ? { levels: last, away: true, orders: true }
    : { levels: [], away: false, orders: true }
}

/** The level that new devices are held to, or none. `options`: those that there are. */
export function defaultPolicyOf(rules: readonly RuleView[], options: readonly string[]): string {
  const rule = rules.findLast(
    ({ action, subject, state }) =>
      action === 'quarantine' && 'new_devices' in subject && state !== 'failed',
  )
  const level = rule?.level ?? OPEN
  return options.includes(level) ? level : 'None'
}

function visibilityOf({ mode, visibility, capabilities }: Info): Visibility {
  if (mode === 'demo') return 'file'
  if (mode !== 'gateway') return mode
  const isOneArmed =
    /\bone-armed\b/.test(capabilities.enforce?.reason ?? '') || visibility.startsWith('IPv4 of the')
  return isOneArmed ? 'gateway_one_armed' : 'gateway_two_armed'
}

function problemsOf({ capabilities, interfaces }: Info): string[] {
  const failed = WATCHED.map((name) => capabilities[name]).filter((one) => one?.ok === false)
  const down = interfaces.filter(({ state }) => state === 'down').map(({ name }) => name)
  return [
    ...failed.map((one) => one?.reason ?? ''),
    ...(down.length === 0 ? [] : [`Not captured, waited for: ${down.join(', ')}.`]),
  ]
}
