// homespin panic: releases everything, also where the agent does not run or does not answer.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DISABLE } from '../paths.ts'
import type { OrderLine } from './orders.ts'
import { runOrder } from './orders.ts'

/** Families in which we may have a table, all of one name. */
const FAMILIES = ['inet', 'netdev', 'bridge']
const TABLE = 'homespin'
const NFT_TIMEOUT_MS = 10_000
/** Whoever panics does not wait for long. */
const AGENT_TIMEOUT_MS = 5000

/** Asks the agent; where there is none, or it hangs or can't, does it by `nft` and the file switch. Exit code 0: nothing is held. */
export async function runPanic(line: OrderLine): Promise<number> {
  try {
    if ((await runOrder({ ...line, timeoutMs: AGENT_TIMEOUT_MS })) === 0) return 0
    return releaseAlone(line, 'the agent did not release everything')
  } catch (error) {
    return releaseAlone(line, (error as Error).message)
  }
}

function releaseAlone({ data, json }: OrderLine, why: string): number {
  const problems = [setSwitch(data), removeTables()].filter((problem) => problem !== undefined)
  const done = problems.length === 0
  if (json) process.stdout.write(`${JSON.stringify({ released: done, by: 'nft', problems })}\n`)
  process.stderr.write(`homespin: ${why}\n`)
  if (done) {
    process.stderr.write(
      `homespin: so the tables were removed with nft, and ${join(data, DISABLE)} was made: nothing is held until that file is removed\n`,
    )
  }
  for (const problem of problems) process.stderr.write(`homespin: ${problem}\n`)
  return done ? 0 : 1
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

/** Our tables and nothing else, in one transaction; adding each first makes deleting sure to find it. */
function removeTables(): string | undefined {
  const problems = FAMILIES.flatMap((family) => {
    const text = `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`
    const { status, error, stderr } = spawnSync('nft', ['-f', '-'], {
      input: text,
      timeout: NFT_TIMEOUT_MS,
      encoding: 'utf8',
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    if (status === 0) return []
    // A kernel without this family has no table of it.
    if (/not supported/i.test(stderr ?? '')) return []
    const reason = error?.message ?? stderr.split('\n')[0] ?? ''
    return [`nft can't remove table ${family} ${TABLE}: ${reason}`]
  })
  return problems.length === 0 ? undefined : `${problems.join('; ')}. Try: sudo homespin panic`
}
