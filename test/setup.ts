// For mocha, before it loads a test.
import { readFileSync, statfsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { FULL } from './full.ts'

const MEMORY = '/dev/shm'
/** More than all folders of two stages need. */
const ROOM = 3 * 2 ** 30

// Modules are kept compiled, and their types stripped, for mocha and for all that tests start: a small program starts in a fifth
// of the time. Node looks at what a module says, so that a change is never missed.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '../.cache/compile')
enableCompileCache(process.env.NODE_COMPILE_CACHE)

// Folders of tests are in memory, where nobody waits for a disk that others use. In full, everything is as it is at home.
if (process.env.TMPDIR === undefined && !FULL && isRoomInMemory()) process.env.TMPDIR = MEMORY

/** Programs can lie there, and there is room for all. */
function isRoomInMemory(): boolean {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
    const [, , , options = 'noexec'] =
      mounts.find((line) => line.split(' ')[1] === MEMORY)?.split(' ') ?? []
    const { bavail, bsize } = statfsSync(MEMORY)
    return !options.split(',').includes('noexec') && bavail * bsize > ROOM
  } catch {
    return false
  }
}
