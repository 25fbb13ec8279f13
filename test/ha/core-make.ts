// A real Home Assistant Core with its frontend, as a file system to start it in: unpacked from its own image where there is
// Docker, else made of Debian and pip. `node test/ha/core-make.ts` makes it (3 minutes, once); scripts/setup.sh does that.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run, succeed } from '../lab/process.ts'

/** The version that tests are made for. */
const CORE_VERSION = '2026.11.0'
const IMAGE = `homeassistant/home-assistant:${CORE_VERSION}`

/** The Debian suite whose Python is new enough for it (3.14.2). */
const SUITE = 'testing'
/** g++ and headers: a few packages have no wheel for so new a Python. libturbojpeg0: loaded by the camera integration. */
const PACKAGES = 'ca-certificates python3 python3-venv python3-dev g++ libturbojpeg0'.split(' ')
/** Integrations that tests set up besides those that Core always loads; that of MQTT imports hassio's packages. */
const INTEGRATIONS = 'config hassio history isal logbook mobile_app mqtt recorder'.split(' ')
/** Where Core is in a file system made of Debian; in the image it is on the path. */
const VENV = '/srv/core'
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

const ROOT = join(import.meta.dirname, '../..')

/** The folder that keeps it; HOMESPIN_HA names another one, so that several checkouts can share it. */
function coreFolder(): string {
  return process.env.HOMESPIN_HA ?? join(ROOT, '.cache/ha')
}

/** The file system that Core is started in, by chroot(2). */
export function coreRoot(): string {
  return join(coreFolder(), 'root')
}

/** PATH in there. */
export const CORE_PATH = `${VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`

/** Whether it is there, as this file would make it. */
export function isCoreMade(): boolean {
  return read(join(coreFolder(), 'made')) === recipe()
}

/** Why it cannot be made here; undefined: it can, or it is there. */
export function whyNoCore(): string | undefined {
  if (process.getuid?.() !== 0) return 'Home Assistant Core is started in a chroot: that needs root'
  if (isCoreMade() || hasDocker() || hasProgram('debootstrap')) return undefined
  return 'neither Docker nor debootstrap is here to make Home Assistant Core with'
}

/** Makes it, unless it is there. */
async function make(): Promise<void> {
  const why = whyNoCore()
  if (why !== undefined) throw new Error(why)
  if (isCoreMade()) return
  const root = coreRoot()
  mkdirSync(coreFolder(), { recursive: true })
  const fromImage = hasDocker() && (await unpackImage(root))
  if (!fromImage) {
    await makeDebian(root)
    await installCore(root)
  }
  // Core asks for no name outside: each question is to end at once.
  writeFileSync(join(root, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n')
  mkdirSync(join(root, 'config'), { recursive: true })
  writeFileSync(join(coreFolder(), 'made'), recipe())
}

/** Changes with all that what is made depends on. */
function recipe(): string {
  const script = readFileSync(join(import.meta.dirname, 'requirements.py'))
  const parts = [IMAGE, SUITE, PACKAGES, INTEGRATIONS, VENV, script].map(String)
  return `${createHash('sha256').update(parts.join('\n')).digest('hex')}\n`
}

async function unpackImage(root: string): Promise<boolean> {
  step(`unpacking ${IMAGE}`)
  const pulled = await run('docker', ['pull', '-q', IMAGE], { timeoutMs: 900_000 })
  if (pulled.code !== 0) {
    step(`it cannot be had: ${pulled.stderr.trim()}`)
    return false
  }
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root)
  const archive = join(coreFolder(), 'image.tar')
  const container = (await succeed('docker', ['create', IMAGE])).trim()
  try {
    await succeed('docker', ['export', '-o', archive, container], { timeoutMs: 900_000 })
  } finally {
    await run('docker', ['rm', container])
  }
  await succeed('tar', ['-x', '-C', root, '-f', archive], { timeoutMs: 900_000 })
  rmSync(archive)
  return true
}

async function makeDebian(root: string): Promise<void> {
  const done = join(coreFolder(), 'debian')
  const wanted = `${SUITE} ${PACKAGES.join(' ')}\n`
  if (existsSync(root) && read(done) === wanted) return
  rmSync(done, { force: true })
  rmSync(root, { recursive: true, force: true })
  step(`Debian ${SUITE} with Python`)
  const include = `--include=${PACKAGES.join(',')}`
  await show('debootstrap', ['--variant=minbase', include, SUITE, root, await debianMirror()])
  rmSync(join(root, 'var/cache/apt/archives'), { recursive: true, force: true })
  writeFileSync(done, wanted)
}

/** The archive of Debian that this machine's apt is set up with. */
async function debianMirror(): Promise<string> {
  const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)'
  const { stdout } = await run('apt-get', ['indextargets', '--format', format])
  const line = stdout.split('\n').find((each) => each.startsWith('Debian|Debian|'))
  const mirror = line?.split('|')[2]?.replace(/\/$/, '')
  if (!mirror) throw new Error("this machine's apt has no archive of Debian: see sources.list(5)")
  return mirror
}

async function installCore(root: string): Promise<void> {
  // Names and trust as on this machine: pip is to get through as it does here.
  for (const file of ['/etc/resolv.conf', '/etc/hosts', CERTIFICATES]) {
    if (existsSync(file)) cpSync(file, join(root, file), { dereference: true })
  }
  const env = await pipEnvironment()
  const inside = (...command: string[]): Promise<void> =>
    show('chroot', [root, ...command], { ...env, PATH: CORE_PATH, HOME: '/root', LANG: 'C.UTF-8' })
  const pip = [`${VENV}/bin/pip`, 'install', '--progress-bar=off', '--root-user-action=ignore']
  step(`Home Assistant Core ${CORE_VERSION}`)
  await inside('python3', '-m', 'venv', VENV)
  await inside(...pip, `homeassistant==${CORE_VERSION}`)
  step('what its integrations need')
  cpSync(join(import.meta.dirname, 'requirements.py'), join(root, 'srv/requirements.py'))
  const list = `${VENV}/bin/python /srv/requirements.py ${INTEGRATIONS.join(' ')}`
  const limits = `${VENV}/lib/python3*/site-packages/homeassistant/package_constraints.txt`
  await inside('sh', '-c', `${list} >/srv/requirements.txt`)
  await inside('sh', '-c', `${pip.join(' ')} -c ${limits} -r /srv/requirements.txt`)
}

/** Index, proxies, trust and time limits as pip has them here, as its environment in there. */
export async function pipEnvironment(): Promise<Record<string, string>> {
  const keys = ['index-url', 'extra-index-url', 'trusted-host', 'proxy', 'default-timeout']
  const { stdout } = await run('python3', ['-m', 'pip', 'config', 'list'])
  const found = stdout.split('\n').flatMap((line) => {
    const [, key, value] = /^[^=]*?\.([a-z-]+)='(.*)'$/.exec(line) ?? []
    if (key === undefined || value === undefined || !keys.includes(key)) return []
    return [[`PIP_${key.toUpperCase().replaceAll('-', '_')}`, value]]
  })
  const proxies = Object.entries(process.env).filter(([key]) =>
    /^(https?|no)_proxy$|^PIP_(EXTRA_)?INDEX_URL$/i.test(key),
  )
  const own = [
    ['PIP_CERT', CERTIFICATES],
    ['PIP_NO_CACHE_DIR', '1'],
  ]
  return Object.fromEntries([...found, ...proxies, ...own]) as Record<string, string>
}

function hasDocker(): boolean {
  // Without a server it prints an empty version, whatever its exit code.
  const asked = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'])
  return asked.status === 0 && /\d/.test(asked.stdout?.toString() ?? '')
}

function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(join(folder, name)))
}

/** Runs a program with all that it says shown. */
function show(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const { status, signal, error } = spawnSync(command, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status === 0) return Promise.resolve()
  const how = error?.message ?? signal ?? `exit code ${status}`
  return Promise.reject(new Error(`${command} ended with ${how}`))
}

function step(what: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${what}`)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await make()
