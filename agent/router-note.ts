// Which router an agent acted on last, so that `homespin panic` finds it without the agent and without its configuration.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SshTarget } from './ssh-target.ts'
import { isTarget } from './ssh-target.ts'

const NAME = 'router.json'

/** Notes the router in the data folder; undefined: this agent acts on its own box. A disk that takes nothing is no reason not to start. */
export function noteRouter(data: string, target: SshTarget | undefined): void {
  const path = join(data, NAME)
  try {
    if (target === undefined) rmSync(path, { force: true })
    else writeFileSync(path, `${JSON.stringify(target)}\n`, { mode: 0o600 })
  } catch {
    // Whoever panics is told what the configuration says.
  }
}

/** The router that was noted; undefined: none, or nothing that could be one. */
export function notedRouter(data: string): SshTarget | undefined {
  try {
    const noted = JSON.parse(readFileSync(join(data, NAME), 'utf8')) as SshTarget
    return isTarget(noted) ? noted : undefined
  } catch {
    return undefined
  }
}
