// homespin doctor: tries each capability for real, and says what is missing and what to do about it.
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Addon } from '../addon.ts'
import type { Config } from '../config.ts'
import { missingAt } from '../data-folder.ts'
import { targetOf } from '../ssh-target.ts'
import { supervisorAccess } from '../supervisor/access.ts'
import { call } from './client.ts'
import { tryKernel } from './doctor-kernel.ts'
import { tryRouter } from './doctor-router.ts'
import type { Finding } from './finding.ts'
import { LineWriter } from './output.ts'
import { bytes } from './text.ts'

/** Exit code: 0, or 1 if something that the agent needs is missing. */
export async function runDoctor(config: Config, json: boolean): Promise<number> {
  const out = new LineWriter()
  out.start()
  let missing = 0
  const tell = (finding: Omit<Finding, 'type'>): void => {
    if (finding.state === 'missing') missing++
    if (json) out.json({ type: 'finding', ...finding })
    else
      out.line(
        `${{ ok: '✔', missing: '✘', note: '•' }[finding.state]} ${finding.what}: ${finding.reason}`,
      )
  }
  tell(tryNode())
  const addon = await loadAddon(tell)
  if (config.mode === 'remote') {
    for (const finding of await tryRouter(targetOf(config.remote, isApp()))) tell(finding)
  } else if (addon !== undefined) {
    for (const finding of tryInterfaces(addon, config.interfaces)) tell(finding)
    tell(await tryNetlink(addon))
    for (const finding of await tryKernel(addon, interfacesOf(config.interfaces))) tell(finding)
  }
  if (config.mode !== 'remote') tell(tryForwarding())
  for (const finding of tryData(config.data)) tell(finding)
  tell(await tryBroker(config.broker))
  tell(tryPanel())
  tell(await tryAgent(config.data))
  if (!json)
    out.line(
      missing === 0
        ? '\nThis machine can run Homespin.'
        : `\n${missing} missing: see above for what to do.`,
    )
  await out.end()
  return missing === 0 ? 0 : 1
}

function isApp(): boolean {
  return supervisorAccess(process.env) !== undefined
}

function tryNode(): Omit<Finding, 'type'> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 24 || (major === 24 && minor >= 12)
  return {
    what: 'Node.js',
    state: ok ? 'ok' : 'missing',
    reason: ok
      ? `version ${process.versions.node}`
      : `version ${process.versions.node}; 24.12 or newer is needed. From a checkout, npm start brings its own`,
  }
}

async function loadAddon(
  tell: (finding: Omit<Finding, 'type'>) => void,
): Promise<Addon | undefined> {
  try {
    const { addon } = await import('../addon.ts')
    // The addon itself is loaded with its first use.
    addon.createCapture({})
    tell({ what: 'native addon', state: 'ok', reason: 'it is built and loads' })
    return addon
  } catch (error) {
    tell({ what: 'native addon', state: 'missing', reason: (error as Error).message })
    return undefined
  }
}

function interfacesOf(wanted: readonly string[]): readonly string[] {
  if (wanted.length > 0) return wanted
  return Object.keys(networkInterfaces()).filter((name) => name !== 'lo')
}

function tryInterfaces(addon: Addon, wanted: readonly string[]): Omit<Finding, 'type'>[] {
  const names = interfacesOf(wanted)
  if (names.length === 0) {
    return [
      {
        what: 'interfaces',
        state: 'note',
        reason: 'there is none but loopback that is up; captures can still be played',
      },
    ]
  }
  return names.map((name) => {
    const reason = addon.tryInterface(name)
    return reason === undefined
      ? { what: `capture on ${name}`, state: 'ok', reason: 'packets can be taken' }
      : { what: `capture on ${name}`, state: 'missing', reason }
  })
}

async function tryNetlink(addon: Addon): Promise<Omit<Finding, 'type'>> {
  const netlink = addon.createNetlink()
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the kernel did not answer')), 3000)
      netlink.start((events) => {
        if (!events.some((event) => event.kind === 'synchronised')) return
        clearTimeout(late)
        resolve()
      })
    })
    return {
      what: 'netlink',
      state: 'ok',
      reason: 'links, addresses and neighbours can be followed',
    }
  } catch (error) {
    return {
      what: 'netlink',
      state: 'missing',
      reason: `${(error as Error).message}; a sandbox may forbid AF_NETLINK sockets: allow them (systemd: RestrictAddressFamilies)`,
    }
  } finally {
    netlink.stop()
  }
}

function tryForwarding(): Omit<Finding, 'type'> {
  const on = read('/proc/sys/net/ipv4/ip_forward') === '1'
  return {
    what: 'forwarding',
    state: on ? 'ok' : 'note',
    reason: on
      ? 'this machine routes IPv4: mode gateway sees what passes through it'
      : 'this machine does not route: mode host sees its own traffic only; mode mirror or bridge sees more. To route: sysctl -w net.ipv4.ip_forward=1',
  }
}

/** In the folder itself or, as that is made by the start and not here, in the nearest one that there is. */
function tryData(data: string): Omit<Finding, 'type'>[] {
  const [first] = missingAt(data)
  const place = first === undefined ? data : dirname(first)
  const probe = join(place, `.doctor-${process.pid}`)
  try {
    mkdirSync(probe, { mode: 0o700 })
    const database = new DatabaseSync(join(probe, 'sqlite'))
    database.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)')
    database.close()
    const { bavail, bsize } = statfsSync(place)
    const free = bavail * bsize
    return [
      {
        what: 'data directory',
        state: 'ok',
        reason:
          first === undefined
            ? `${data} can be written and holds a database`
            : `${data} can be made, and will hold a database`,
      },
      free > 500_000_000
        ? { what: 'disk', state: 'ok', reason: `${bytes(free)} free` }
        : {
            what: 'disk',
            state: 'note',
            reason: `${bytes(free)} free; history takes up to 200 MB: make room, or lower history.max_mb`,
          },
    ]
  } catch (error) {
    return [
      {
        what: 'data directory',
        state: 'missing',
        reason: `${data} can't be used: ${(error as Error).message}. Name another with --data`,
      },
    ]
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

async function tryBroker(broker: string): Promise<Omit<Finding, 'type'>> {
  if (broker === 'embedded')
    return { what: 'broker', state: 'ok', reason: 'the embedded one will be started' }
  if (broker === 'supervisor')
    return { what: 'broker', state: 'ok', reason: 'the one that Home Assistant names is awaited' }
  const url = new URL(broker)
  const port = Number(url.port) || (url.protocol === 'mqtts:' ? 8883 : 1883)
  const problem = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port, timeout: 3000 })
    const done = (text?: string): void => {
      socket.destroy()
      resolve(text)
    }
    socket.on('connect', () => done())
    socket.on('timeout', () => done('it does not answer'))
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  })
  return problem === undefined
    ? {
        what: 'broker',
        state: 'ok',
        reason: `${broker} takes connections; whether it takes the password shows at the start`,
      }
    : {
        what: 'broker',
        state: 'note',
        reason: `${broker} can't be reached (${problem}); the agent will wait for it. Is it running, and is --broker right?`,
      }
}

function tryPanel(): Omit<Finding, 'type'> {
  const built = existsSync(new URL('../../panel/dist/index.html', import.meta.url))
  return built
    ? { what: 'page', state: 'ok', reason: 'it is built' }
    : {
        what: 'page',
        state: 'note',
        reason: 'it is not built, so only the API is served: npx vite build panel',
      }
}

async function tryAgent(data: string): Promise<Omit<Finding, 'type'>> {
  try {
    const info = (await call(data, '/api/info')) as { mode: string; visibility: string }
    return {
      what: 'agent',
      state: 'ok',
      reason: `running in mode ${info.mode}: ${info.visibility}`,
    }
  } catch {
    return { what: 'agent', state: 'note', reason: 'none is running with this data directory' }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
