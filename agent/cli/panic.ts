// homespin panic: releases everything, also where the agent does not run or does not answer, here or on a router.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { DISABLE } from '../paths.ts'
import { notedRouter } from '../router-note.ts'
import type { SshTarget } from '../ssh-target.ts'
import { targetOf } from '../ssh-target.ts'
import type { OrderLine } from './orders.ts'
import { runOrder } from './orders.ts'
import type { Kernel } from './release-alone.ts'
import { heldAgain, ownKernel, removeTables, routerKernel } from './release-alone.ts'

/** Whoever panics does not wait for long. */
const AGENT_TIMEOUT_MS = 5000
/** An agent puts tables back within a second, over SSH a little later. */
const PUT_BACK_MS = 1500

/** What of the configuration says where tables may be. */
export type PanicConfig = Pick<Config, 'mode' | 'remote'>

/** Asks the agent; where there is none, or it hangs or can't, does it by `nft` and the file switch. Exit code 0: nothing is held. */
export async function runPanic(line: OrderLine, config: PanicConfig): Promise<number> {
  try {
    if ((await runOrder({ ...line, timeoutMs: AGENT_TIMEOUT_MS })) === 0) return 0
    return await releaseAlone(line, config, 'the agent did not release everything')
  } catch (error) {
    return await releaseAlone(line, config, (error as Error).message)
  }
}

async function releaseAlone(
  { data, json }: OrderLine,
  config: PanicConfig,
  why: string,
): Promise<number> {
  const kernels = kernelsOf(config, notedRouter(data))
  const problems = [setSwitch(data), ...kernels.map(removeTables)].filter(isSentence)
  if (problems.length === 0) {
    await sleep(PUT_BACK_MS)
    problems.push(...kernels.map(heldAgain).filter(isSentence))
  }
  const done = problems.length === 0
  if (json) process.stdout.write(`${JSON.stringify({ released: done, by: 'nft', problems })}\n`)
  process.stderr.write(`homespin: ${why}\n`)
  if (done) {
    const where = kernels.map((kernel) => kernel.where).join(' and ')
    process.stderr.write(
      `homespin: so the tables of ${where} were removed with nft, and ${join(data, DISABLE)} was made: nothing is held until that file is removed\n`,
    )
  }
  for (const problem of problems) process.stderr.write(`homespin: ${problem}\n`)
  return done ? 0 : 1
}

function isSentence(problem: string | undefined): problem is string {
  return problem !== undefined
}

/** In mode remote the router's. `noted`: where an agent with this data folder acted last, whatever is configured now. */
function kernelsOf({ mode, remote }: PanicConfig, noted: SshTarget | undefined): Kernel[] {
  const configured = mode === 'remote' ? targetOf(remote) : undefined
  const routers = new Map([noted, configured].flatMap((one) => (one ? [[one.host, one]] : [])))
  return routers.size === 0 ? [ownKernel()] : [...routers.values()].map(routerKernel)
}

/** While the file is there no agent holds anything. */
function setSwitch(data: string): string | undefined {
  const path = join(data, DISABLE)
  try {
    writeFileSync(path, 'made by homespin panic; remove this file to have rules held again\n', {
      mode: 0o600,
    })
    return undefined
  } catch (error) {
    return `${path} can't be made (${(error as NodeJS.ErrnoException).code}): an agent that starts will hold its rules again`
  }
}
