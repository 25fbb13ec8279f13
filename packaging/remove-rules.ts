// Leaves nothing of ours in the kernel of this host, whatever left it there. For when Homespin is removed; as root.
import { DockerUser } from '../agent/enforce/kernel/docker-user.ts'
import { runProgram } from '../agent/enforce/kernel/program.ts'
import { homespinTables } from '../agent/enforce/reconcile/reconciler-tables.ts'

async function removed(text: string): Promise<boolean> {
  const { code } = await runProgram('nft', ['-f', '-'], { input: text, timeoutMs: 30_000 })
  return code === 0
}

try {
  await new DockerUser().close()
  // Some kernels have no tables of family bridge.
  if (!(await removed(homespinTables.removal(true)))) await removed(homespinTables.removal(false))
} catch (error) {
  process.stderr.write(`homespin: rules may be left: ${(error as Error).message}\n`)
  process.exitCode = 1
}
