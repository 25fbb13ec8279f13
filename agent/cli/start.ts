// homespin start: runs the agent until it is told to stop.
import { join } from 'node:path'
import { addon } from '../addon.ts'
import { Agent } from '../agent.ts'
import type { AgentParts, Reachable } from '../agent-parts.ts'
import { wallClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { makeDataFolder, stateFolder } from '../data-folder.ts'
import type { Log } from '../log.ts'
import { createLog } from '../log.ts'
import { noteRouter } from '../router-note.ts'
import { targetOf } from '../ssh-target.ts'
import { supervisorAccess } from '../supervisor/access.ts'
import type { App } from '../supervisor/app.ts'
import { chooseMode } from './mode.ts'

export interface StartCommand {
  config: Config
  json: boolean
  /** Play the demo home where nothing may be captured. */
  orDemo: boolean
  version: string
}

/** Exit code: 0 after SIGINT or SIGTERM. Throws where the agent can't start. */
export async function runStart(command: StartCommand): Promise<number> {
  const log = createLog(command.config.log)
  // It tells what a household does.
  makeDataFolder(command.config.data)
  const stopped = stopSignal(log)
  const { agent, where } = await begin(command, log)
  announce(where, command.json, log)
  await stopped
  log.info('stopping')
  await agent.stop()
  return 0
}

async function begin(command: StartCommand, log: Log): Promise<{ agent: Agent; where: Reachable }> {
  const { version, orDemo } = command
  const app = await appOf(command.config, log)
  const config = chooseMode(command.config, orDemo, addon, log)
  noteRouter(config.data, config.mode === 'remote' ? targetOf(config.remote) : undefined)
  const state = stateFolder(config)
  if (state !== config.data) makeDataFolder(state)
  const parts: AgentParts = {
    config: { ...config, data: state },
    home: config.data,
    version,
    addon,
    clock: wallClock,
    log,
    ...(app === undefined ? {} : { app }),
  }
  const agent = new Agent(parts)
  agent.onEnded = (error) =>
    error === undefined
      ? log.info('the capture has ended; serving what was seen')
      : log.error(`the capture ended: ${error}`)
  return { agent, where: await agent.start() }
}

/** What an app of Home Assistant has besides; only there it is loaded. */
async function appOf({ broker, data, remote }: Config, all: Log): Promise<App | undefined> {
  const access = supervisorAccess(process.env)
  if (access === undefined) return undefined
  const log = all.child('supervisor')
  if (remote.host !== undefined) {
    const { prepareRouterKey } = await import('../supervisor/router-key.ts')
    const { routerHostKey } = await import('../supervisor/options.ts')
    const hostKey = routerHostKey(data)
    await prepareRouterKey({ folder: join(data, 'ssh'), host: remote.host, hostKey, log })
  }
  // Programs that are started have no use for it.
  delete process.env.SUPERVISOR_TOKEN
  const { App } = await import('../supervisor/app.ts')
  const { listenOnDevice } = addon
  return new App({ access, listenOnDevice, findsBroker: broker === 'supervisor', log })
}

function announce(where: Reachable, json: boolean, log: Log): void {
  if (json) process.stdout.write(`${JSON.stringify(where)}\n`)
  log.info(
    `mode ${where.mode}; page ${where.page ?? 'off'}; broker ${where.broker}; data ${where.data}`,
  )
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends at once. */
function stopSignal(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) {
          log.warn('stopped without finishing')
          process.exit(1)
        }
        asked = true
        resolve()
      })
    }
  })
}
