// The key with which an app opens its router by SSH, and the router's own: made and asked for here, as nobody has a shell in
// an app. Nothing is trusted that a person has not compared.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Log } from '../log.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 15_000
/** A router that does not answer is asked again so often what its key is. */
const ASK_MS = 30_000
/** The kinds of a host key that are asked for, the one that is shown first. */
const KINDS = ['ssh-ed25519', 'ecdsa-', 'ssh-rsa']
/** As sshd(8) writes a key, without options: kind, base64, and a comment that is dropped. */
const KEY =
  /^(ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa) ([A-Za-z0-9+/=]{16,1024})(?: .*)?$/

export interface RouterKeyParts {
  /** Folder of the keys: `id_ed25519`, `id_ed25519.pub`, `known_hosts`. */
  folder: string
  /** `user@host`, checked. */
  host: string
  /** The router's host key, as a person has copied it; absent: it is asked for and shown, not trusted. */
  hostKey: string | undefined
  log: Log
}

/** The line of known_hosts(5) for a router. Undefined for a text that is no key. */
export function knownHost(host: string, hostKey: string): string | undefined {
  const match = KEY.exec(hostKey.trim())
  const name = host.slice(host.lastIndexOf('@') + 1)
  return match === null ? undefined : `${name} ${match[1]} ${match[2]}\n`
}

/** Makes what is missing, and says what a person has to do with it. Never rejects: the connection says why it fails. */
export async function prepareRouterKey(parts: RouterKeyParts): Promise<void> {
  const { folder, host, hostKey, log } = parts
  const file = join(folder, 'id_ed25519')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (!existsSync(file)) {
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'homespin', '-f', file], {
        timeout: TIMEOUT_MS,
      })
    }
    log.info(`append this line to the authorized_keys of ${host}: restrict ${publicKey(file)}`)
    await trust(parts)
  } catch (error) {
    log.error(`the key for ${host} can not be made: ${(error as Error).message}`)
  }
  if (hostKey === undefined && !(await show(host, log))) askAgain(host, log)
}

function publicKey(file: string): string {
  return readFileSync(`${file}.pub`, 'utf8').trim()
}

async function trust({ folder, host, hostKey, log }: RouterKeyParts): Promise<void> {
  const line = hostKey === undefined ? '' : knownHost(host, hostKey)
  if (line === undefined) {
    log.error(
      'the option Host key of the router (router_host_key) is no key: it looks like ssh-ed25519 AAAA…',
    )
  }
  writeFileSync(join(folder, 'known_hosts'), line ?? '', { mode: 0o600 })
}

/** What ssh-keygen(1) calls the fingerprint of a key: `SHA256:` and base64 without padding. */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64')
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** The one of several keys that is shown: always the same, in whatever order they came. `scanned`: what ssh-keyscan(1) wrote. */
export function keyOf(scanned: string): string | undefined {
  const keys = scanned
    .split('\n')
    .map((line) => line.slice(line.indexOf(' ') + 1).trim())
    .filter((line) => KEY.test(line))
  for (const kind of KINDS) {
    const key = keys.find((each) => each.startsWith(kind))
    if (key !== undefined) return key
  }
  return undefined
}

/** Whether the router has shown its key. */
async function show(host: string, log: Log, isFirst = true): Promise<boolean> {
  const name = host.slice(host.lastIndexOf('@') + 1)
  const { stdout } = await run('ssh-keyscan', ['-T', '5', '-t', 'ed25519,ecdsa,rsa', '--', name], {
    timeout: TIMEOUT_MS,
  }).catch(() => ({ stdout: '' }))
  const key = keyOf(stdout)
  if (key !== undefined) {
    log.warn(
      `${name} shows a host key with the fingerprint ${fingerprint(key)}: compare it with the router's own, then put the key into the option Host key of the router (router_host_key): ${key}`,
    )
  } else if (isFirst) {
    log.warn(
      `${name} does not answer by SSH: is the option Router (SSH) right, and is SSH on there? It is asked again`,
    )
  }
  return key !== undefined
}

function askAgain(host: string, log: Log): void {
  setTimeout(async () => {
    if (!(await show(host, log, false))) askAgain(host, log)
  }, ASK_MS).unref()
}
