// Once more with the right switches: a long-running agent wants little memory, and that is decided when Node starts.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { flushCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** Set in the process that was started again, and taken out of its environment at once. */
const MARK = 'HOMESPIN_LAUNCHED'
const launched = process.env[MARK] !== undefined
delete process.env[MARK]

/**
 * A young generation of at most this many MB: flows go through as bytes, so that little of it is garbage. And no code of the
 * compiler in the middle (V8's Maglev): what runs often is compiled by TurboFan anyway, and the rest can be interpreted.
 */
const SWITCHES = ['--max-semi-space-size=1', '--no-maglev', '--disable-warning=ExperimentalWarning']

/**
 * glibc keeps what is freed in as many arenas as there are threads, and large blocks too once it has seen some: buffers of one
 * second would stay as holes (mallopt(3)).
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '262144',
}

/**
 * Where compiled modules are kept between runs, so that the type stripper need not be loaded. Undefined where no place is
 * this user's alone: what lies there is run.
 */
export function cacheDir(): string | undefined {
  const dir = join(cacheHome(), 'homespin')
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const status = lstatSync(dir)
    const own = status.isDirectory() && status.uid === process.getuid?.()
    return own && (status.mode & 0o022) === 0 ? dir : undefined
  } catch {
    return undefined
  }
}

function cacheHome(): string {
  if (process.getuid?.() === 0) return '/var/cache'
  const cache = process.env.XDG_CACHE_HOME
  return cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache')
}

/** Changes whenever a source does, in a folder that somebody works in as in one that was updated. */
function newestSource(): number {
  const of = (path: string, recursive: boolean): string[] => {
    const folder = join(import.meta.dirname, path)
    return readdirSync(folder, { recursive, encoding: 'utf8' })
      .filter((name) => /\.[jt]s$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name))
  }
  const files = [...of('.', true), ...of('../native', false), ...of('../protocol', false)]
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}

/**
 * Replaces this process by one with less memory (execve: the same process id), unless that was done already or can't be.
 * `load` imports what the agent consists of: done once per version, so that the next process finds it compiled.
 */
export async function relaunch(version: string, load: () => Promise<unknown>): Promise<void> {
  if (launched) return
  const given = process.env.NODE_COMPILE_CACHE
  const dir = given ?? cacheDir()
  if (dir === undefined || typeof process.execve !== 'function') return
  const stamp = join(dir, 'stamp')
  const content = `${version} ${process.version} ${newestSource()}`
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== content) {
    // What was imported before the cache was open (this very file) is not in it: once more, with it open from the start.
    // And with the same switches: what was compiled with others is not taken.
    if (given === undefined) return replace({ NODE_COMPILE_CACHE: dir }, SWITCHES)
    await load()
    flushCompileCache()
    writeStamp(stamp, content)
  }
  replace({ ...MALLOC, NODE_COMPILE_CACHE: dir, [MARK]: '1' }, SWITCHES)
}

/** What the environment says already stands, but for the marks of this file. */
function replace(more: Record<string, string>, switches: readonly string[] = []): never {
  const { execPath, execArgv, argv, env } = process
  const args = [execPath, ...execArgv, ...switches, ...argv.slice(1)]
  return process.execve?.(execPath, args, { ...more, ...env }) as never
}

/** A full disk is no reason not to start. */
function writeStamp(stamp: string, content: string): void {
  try {
    writeFileSync(stamp, content, { mode: 0o600 })
  } catch {
    // The modules are loaded once more next time.
  }
}
