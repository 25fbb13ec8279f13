// Leaves nothing of ours in the kernel of this host, whatever left it there. For when Homespin is removed; as root.
import { DockerUser } from '../agent/enforce/kernel/docker-user.ts'
import { runProgram } from '../agent/enforce/kernel/program.ts'
import { homespinTables } from '../agent/enforce/reconcile/reconciler-tables.ts'

let left = false

/** What one step leaves is no reason to leave the next. */
async function step(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    left = true
    process.stderr.write(`homespin: rules may be left: ${(error as Error).message}\n`)
  }
}

async function remove(bridge: boolean): Promise<void> {
  const input = homespinTables.removal(bridge)
  const { code, stderr } = await runProgram('nft', ['-f', '-'], { input, timeoutMs: 30_000 })
  if (code !== 0) throw new Error(stderr.trim() || `nft ended with code ${code}`)
}

// Some kernels have no tables of family bridge.
await step(() => remove(true).catch(() => remove(false)))
await step(() => new DockerUser().close())
if (left) process.exitCode = 1
