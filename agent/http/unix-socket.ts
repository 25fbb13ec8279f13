// The socket by which commands reach the running agent: only its own user may open it.
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** sun_path less its terminating NUL (linux/un.h). */
const MAX_PATH_BYTES = 107

/**
 * Listens on `path`, in a folder that becomes this user's alone (0700); the socket is 0600.
 * A socket that a dead agent left is removed. Throws an Error with a sentence when another agent answers on it.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new Error(
      `the path of the socket is too long (${path}): choose a shorter data folder with --data`,
    )
  }
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const text =
        error.code === 'EADDRINUSE'
          ? alreadyRunning(path)
          : `can't listen on ${path} (${error.code})`
      reject(new Error(text, { cause: error }))
    })
    server.listen(path, resolve)
  })
  server.removeAllListeners('error')
  chmodSync(path, 0o600)
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new Error(`${path} is in the way: it is no socket; move it elsewhere`)
  if (await answers(path)) throw new Error(alreadyRunning(path))
  unlinkSync(path)
}

/** Whether a process listens on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // A full backlog (EAGAIN) is somebody too.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}

function alreadyRunning(path: string): string {
  return `an agent is already running with this data folder (it answers on ${path}): stop it, or choose another folder with --data`
}
