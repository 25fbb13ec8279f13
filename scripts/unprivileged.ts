// Node-RED runs whatever its flows say, so it never runs as root: how it is run as somebody else.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Who Node-RED runs as. */
export interface User {
  uid: number
  gid: number
}

/** What Node-RED reads of the checkout besides node_modules. */
const READ = [
  'package.json',
  'dist',
  'examples',
  'scripts/node-red.ts',
  'agent/listen.ts',
  'agent/http/access.ts',
] as const

/** Begins the names of folders in the place for temporary files. */
const STAGE = 'homespin-node-red-'

const NOBODY: User = { uid: 65_534, gid: 65_534 }

/** Undefined where this process is not root; else who it was before sudo, or nobody. */
export function unprivilegedUser(env: NodeJS.ProcessEnv): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const uid = Number(env.SUDO_UID)
  const gid = Number(env.SUDO_GID)
  return uid > 0 && gid > 0 && Number.isInteger(uid + gid) ? { uid, gid } : NOBODY
}

/** Where `user` finds the checkout and its directory, and the command that becomes that user. */
export interface Stage {
  /** The checkout, as the user sees it. */
  root: string
  /** The user's directory, as the user sees it. */
  directory: string
  /** Stands before the command that is run as `user`. */
  become: readonly string[]
  /** Removes what was made for it. */
  remove: () => void
}

/** Makes `directory` the user's own, and a place where that user can read the checkout at `root`. Throws an Error where that fails. */
export function makeStage(root: string, directory: string, user: User | undefined): Stage {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!user) return { root, directory, become: [], remove: () => {} }
  give(directory, user)
  const become = [
    'setpriv',
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--pdeathsig',
    'TERM',
    '--',
  ]
  if (canUse(root, directory, become)) return { root, directory, become, remove: () => {} }
  return privateStage(root, directory, become)
}

/** Everything in `directory` belongs to `user`, also after a run as somebody else. */
function give(directory: string, user: User): void {
  chmodSync(directory, 0o700)
  chownSync(directory, user.uid, user.gid)
  const find = ['find', directory, '-xdev', '!', '-uid', String(user.uid)]
  const own = ['-exec', 'chown', '-h', `${user.uid}:${user.gid}`, '{}', '+']
  run([...find, ...own])
}

function canUse(root: string, directory: string, become: readonly string[]): boolean {
  const readable = [...READ, 'node_modules/node-red/package.json'].flatMap((path) => [
    ...['-r', join(root, path)],
    '-a',
  ])
  const test = ['test', ...readable, '-w', directory]
  return spawnSync(become[0] ?? '', [...become.slice(1), ...test], { timeout: 10_000 }).status === 0
}

/**
 * For a checkout that the user can't reach (below a home directory, or made with a strict umask): a folder with copies of
 * the little that is read, and in a mount namespace of its own node_modules and the user's directory bound into it.
 */
function privateStage(root: string, directory: string, become: readonly string[]): Stage {
  removeStale()
  const stage = mkdtempSync(join(tmpdir(), `${STAGE}${process.pid}-`))
  const remove = (): void => rmSync(stage, { recursive: true, force: true })
  try {
    for (const path of READ) {
      mkdirSync(dirname(join(stage, path)), { recursive: true })
      cpSync(join(root, path), join(stage, path), { recursive: true })
    }
    for (const path of ['node_modules', 'user']) mkdirSync(join(stage, path))
    run(['chmod', '-R', 'a+rX', stage])
    const bind = 'mount --bind "$1/node_modules" "$2/node_modules" && mount --bind "$3" "$2/user"'
    const shell = ['sh', '-c', `${bind} && shift 3 && exec "$@"`, 'sh', root, stage, directory]
    const enter = ['unshare', '--mount', '--propagation', 'private', '--', ...shell, ...become]
    const check = ['test', '-r', join(stage, 'node_modules/node-red/package.json')]
    const seen = spawnSync(enter[0] ?? '', [...enter.slice(1), ...check], { timeout: 10_000 })
    if (seen.status !== 0) {
      const why = seen.stderr?.toString().trim()
      throw new Error(
        `Node-RED does not run as root, and another user can't read ${root}${why ? ` (${why})` : ''}. Move the checkout to a place that everybody may read, or run this as an ordinary user`,
      )
    }
    return { root: stage, directory: join(stage, 'user'), become: enter, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** Stages of runs that were killed before they could remove them. */
function removeStale(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(STAGE) ? Number.parseInt(name.slice(STAGE.length), 10) : Number.NaN
    if (!(pid > 0) || existsSync(`/proc/${pid}`)) continue
    const path = join(tmpdir(), name)
    const { uid } = lstatSync(path)
    if (uid === 0) rmSync(path, { recursive: true, force: true })
  }
}

/** Gives a file or link that root made in the user's directory to the user. */
export function giveOne(path: string, user: User | undefined): void {
  if (user) lchownSync(path, user.uid, user.gid)
}

function run(command: readonly string[]): void {
  const done = spawnSync(command[0] ?? '', command.slice(1), { timeout: 60_000 })
  if (done.status !== 0) throw new Error(`${command[0]} failed: ${done.stderr?.toString().trim()}`)
}
