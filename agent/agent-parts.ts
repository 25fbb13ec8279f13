// What an agent is made with, and where it can be reached once it runs.
import type { Mode } from '../protocol/messages.ts'
import type { Addon } from './addon.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { FirstPacketDesk } from './enforce/gate/first-packets.ts'
import type { Log } from './log.ts'
import type { VerdictDesk } from './methods/changes.ts'
import type { App } from './supervisor/app.ts'

export interface AgentParts {
  /** `data` is where this home is kept. */
  config: Config
  /** The folder that commands name, in which they find the socket. Default: `config.data`. */
  home?: string
  version: string
  addon: Addon
  clock: Clock
  log: Log
  /** Where this runs as an app of Home Assistant. */
  app?: App
}

/** Where the running agent can be reached. */
export interface Reachable {
  page: string | undefined
  broker: string
  /** Id and prefix of its topics. */
  agent: string
  prefix: string
  mode: Mode
  data: string
}

/** Verdicts about first packets, as the methods give them. */
export function verdictsOf(first: FirstPacketDesk): VerdictDesk {
  return {
    decide: (id, verdict, rememberS = 0) =>
      first.verdict(id, verdict === 'accept', rememberS * 1000) === 'decided',
  }
}

/** Time and chance in base 36: no two starts of an agent have the same. */
export function newInstance(nowMs: number): string {
  const chance = Math.floor(Math.random() * 46656)
  return `${nowMs.toString(36)}${chance.toString(36).padStart(3, '0')}`
}
