// Folders of one test process, named with its pid, so that a later run removes those of a process that is no more.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME = /^homespin-lab-(\d+)-/

/** Makes an empty folder. Whoever asked removes it. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), `homespin-lab-${process.pid}-`))
}

/** Removes one of these folders, and what is mounted on it. */
export function removeFolder(folder: string): void {
  const isMounted = readFileSync('/proc/mounts', 'utf8').includes(` ${folder} `)
  if (isMounted) execFileSync('umount', ['-l', folder])
  rmSync(folder, { recursive: true, force: true })
}

/** Removes those of test processes that are no more, and ends what still works in them. */
export function removeOldFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = NAME.exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    const folder = join(tmpdir(), name)
    for (const worker of processesOf(folder)) process.kill(worker, 'SIGKILL')
    removeFolder(folder)
  }
}

/** Processes that were given a folder on their command line. */
function processesOf(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return args.some((arg) => arg === folder || arg.startsWith(`${folder}/`))
    } catch {
      // It ended meanwhile.
      return false
    }
  })
}
