// What doctor tries on the router of mode remote, over the connection that the agent would use.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RouterConnection } from '../capture/remote-connection.ts'
import { RemoteKernel } from '../enforce/kernel/remote-kernel.ts'
import { createLog } from '../log.ts'
import type { SshTarget } from '../ssh-target.ts'
import { asRoot } from '../ssh-target.ts'
import { offloadFinding } from './doctor-kernel.ts'
import type { Finding } from './finding.ts'

type Found = Omit<Finding, 'type'>

const LATE_MS = 10_000

/** The connection, nft and tcpdump there. */
export async function tryRouter(target: SshTarget): Promise<Found[]> {
  const log = createLog('error')
  // Of its own: an agent may be running with the data folder.
  const folder = mkdtempSync(join(tmpdir(), 'homespin-doctor-'))
  const connection = new RouterConnection(target, folder, log)
  const what = `router ${target.host}`
  try {
    await connection.start()
    if (connection.away !== undefined) return [{ what, state: 'missing', reason: connection.away }]
    const connected: Found = { what, state: 'ok', reason: 'it can be reached by SSH' }
    return [connected, ...(await tryNft(target, connection)), await tryTcpdump(target, connection)]
  } catch (error) {
    return [{ what, state: 'missing', reason: (error as Error).message }]
  } finally {
    await connection.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function tryNft(target: SshTarget, connection: RouterConnection): Promise<Found[]> {
  const what = 'nft on the router'
  const kernel = new RemoteKernel(target, createLog('error'), connection)
  try {
    await kernel.start()
    const works = 'tables can be made: devices can be blocked there'
    const offload = (await kernel.flowtables()).map(offloadFinding)
    return [{ what, state: 'ok', reason: works }, ...offload]
  } catch (error) {
    const reason = `${(error as Error).message}; is nftables installed?`
    return [{ what, state: 'missing', reason }]
  } finally {
    await kernel.stop()
  }
}

/** Whether it runs; which interfaces it captures shows at the start. */
async function tryTcpdump(target: SshTarget, connection: RouterConnection): Promise<Found> {
  const what = 'tcpdump on the router'
  const child = connection.open(`${asRoot(target)}tcpdump --list-interfaces </dev/null 2>&1`)
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 4096)
  })
  const late = setTimeout(() => child.kill('SIGKILL'), LATE_MS)
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', resolve)
  })
  clearTimeout(late)
  return code === 0
    ? { what, state: 'ok', reason: 'it is there' }
    : {
        what,
        state: 'missing',
        reason: `${said.trim().split('\n').at(-1) ?? ''}: install it (opkg install tcpdump, apt install tcpdump); with remote.sudo this user must be let run it without a password`,
      }
}
