// How a router is reached by SSH: never asked for a password, never on the word of an unknown host key, never by words of the
// network; and what its complaints mean.
import { resolve } from 'node:path'

export interface SshTarget {
  /** `user@host`, or a host of ssh's own configuration. */
  host: string
  port?: number
  /** Path of a private key; else what ssh uses by itself. */
  identityFile?: string
  /** Path of a file with the router's host key; else ssh's own. An unknown key is refused either way. */
  knownHostsFile?: string
  /** nft and tcpdump are run by `sudo -n`. */
  sudo?: boolean
  /** It is set up by the options of an app: nobody has a shell there, and ssh has no configuration of its own. */
  app?: boolean
}

/** A connection that others go through (ControlMaster of ssh_config(5)): one TCP connection for all. */
export interface Shared {
  /** Path of its socket. */
  path: string
  /** Whether this one is the connection; else it goes through it, or fails: it never makes one of its own. */
  master: boolean
}

/** The group `remote` of the configuration. */
export interface RemoteKeys {
  host?: string | undefined
  port?: number | undefined
  identity_file?: string | undefined
  known_hosts_file?: string | undefined
  sudo: boolean
}

/** The router of a configuration; paths are made absolute. `app`: it came from the options of one. */
export function targetOf(keys: RemoteKeys, app = false): SshTarget {
  const { host = '', port, identity_file, known_hosts_file, sudo } = keys
  return {
    host,
    sudo,
    ...(app ? { app } : {}),
    ...(port === undefined ? {} : { port }),
    ...(identity_file === undefined ? {} : { identityFile: resolve(identity_file) }),
    ...(known_hosts_file === undefined ? {} : { knownHostsFile: resolve(known_hosts_file) }),
  }
}

/** Why a router can't be reached. */
export interface SshFault {
  /** What to do. */
  sentence: string
  /** It stays so until a person does something. */
  lasting: boolean
}

const CONNECT_SECONDS = 10

/** Where programs of the system are that the path of a plain user leaves out. */
const SYSTEM_PATH = 'PATH=$PATH:/usr/sbin:/sbin'

/** Throws a TypeError or RangeError for a target that is none. */
export function checkTarget({ host, port, identityFile, knownHostsFile }: SshTarget): void {
  if (
    typeof host !== 'string' ||
    !/^([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9_:][A-Za-z0-9._:-]*$/.test(host)
  ) {
    throw new TypeError(`'${host}' is not a host for ssh like root@router.example`)
  }
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65535)) {
    throw new RangeError(`the port for ssh must be from 1 to 65535, not ${port}`)
  }
  for (const path of [identityFile, knownHostsFile]) {
    if (path !== undefined && !isSshPath(path)) {
      throw new TypeError(`the path '${path}' can't be given to ssh; use one without spaces and %`)
    }
  }
}

/** Whether `checkTarget` takes it. */
export function isTarget(target: SshTarget): boolean {
  try {
    checkTarget(target)
    return true
  } catch {
    return false
  }
}

/** ssh takes a file's name apart at white space, and expands % in it. */
export function isSshPath(path: string): boolean {
  return /^[^\s%"'\\]+$/.test(path)
}

/** Arguments for `ssh` that run a program of POSIX sh there; it has no single quotes. */
export function sshArguments(target: SshTarget, program: string, shared?: Shared): string[] {
  const { host, port, identityFile, knownHostsFile, app } = target
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `ConnectTimeout=${CONNECT_SECONDS}`,
    'ServerAliveInterval=5',
    'ServerAliveCountMax=2',
    `ControlPath=${shared?.path ?? 'none'}`,
    `ControlMaster=${shared?.master ? 'yes' : 'no'}`,
    'ControlPersist=no',
    'PermitLocalCommand=no',
    'RemoteCommand=none',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'LogLevel=ERROR',
  ]
  // Where the shared connection is gone, ssh would make one by itself; this can't.
  if (shared?.master === false) options.push('ProxyCommand=exit 1')
  if (knownHostsFile !== undefined) options.push(`UserKnownHostsFile=${knownHostsFile}`)
  if (identityFile !== undefined) options.push(`IdentityFile=${identityFile}`, 'IdentitiesOnly=yes')
  // What root's home or the system has for ssh is none of an app's.
  if (app) options.push('GlobalKnownHostsFile=none', 'IdentityAgent=none', 'UpdateHostKeys=no')
  const args = [
    '-T',
    ...(app ? ['-F', 'none'] : []),
    ...options.flatMap((option) => ['-o', option]),
  ]
  if (port !== undefined) args.push('-p', String(port))
  return [...args, '--', host, `exec sh -c '${SYSTEM_PATH}\n${program}'`]
}

/** What begins a command there that needs more rights. */
export function asRoot(target: SshTarget): string {
  return target.sudo ? 'sudo -n ' : ''
}

/** What ssh complained of, in words that say what to do. `said`: its standard error. */
export function sshFault(target: SshTarget, said: string): SshFault {
  if (target.app) return appFault(target, said)
  const { host, port, knownHostsFile, identityFile } = target
  const name = host.slice(host.indexOf('@') + 1)
  const file = knownHostsFile ?? '~/.ssh/known_hosts'
  const at = port === undefined || port === 22 ? name : `[${name}]:${port}`
  const reached = `${host} can't be reached by SSH:`
  const lasting = (rest: string): SshFault => ({ sentence: `${reached} ${rest}`, lasting: true })
  if (said.includes('REMOTE HOST IDENTIFICATION HAS CHANGED')) {
    return lasting(
      `it shows another host key than the one in ${file}: somebody may be in between. If the router was set up anew, remove the old key (ssh-keygen -R '${at}' -f ${file}) and add the new one`,
    )
  }
  if (said.includes('Host key verification failed')) {
    return lasting(
      `its host key is not known. Compare it with what the router itself shows (ssh-keygen -lf of its public host key) and add it: ssh-keyscan ${port === undefined ? '' : `-p ${port} `}${name} >> ${file}`,
    )
  }
  if (/UNPROTECTED PRIVATE KEY|bad permissions/.test(said)) {
    return lasting(`the key ${identityFile ?? ''} is open to others: chmod 600 it`)
  }
  if (/Identity file .* not accessible|Load key/.test(said)) {
    return lasting(
      `the key ${identityFile ?? ''} can't be read: make one with ssh-keygen -t ed25519 -N '' -f FILE, and name it as remote.identity_file`,
    )
  }
  if (said.includes('Permission denied')) {
    return lasting(
      `it refuses the key. Add its public half to the authorized_keys of that user there (OpenWrt: /etc/dropbear/authorized_keys); a key with a passphrase can't be used, as nobody is there to type it`,
    )
  }
  return passingFault(target, said, 'remote.host')
}

function passingFault({ host }: SshTarget, said: string, setting: string): SshFault {
  const last = said.trim().split('\n').at(-1)?.trim().slice(0, 300)
  const why = /Could not resolve hostname/.test(said)
    ? `its name is not known; is ${setting} right?`
    : last || 'the connection ended'
  return { sentence: `${host} can't be reached by SSH: ${why}`, lasting: false }
}

/** The same where options are all that a person has. */
function appFault(target: SshTarget, said: string): SshFault {
  const lasting = (rest: string): SshFault => ({
    sentence: `${target.host} can't be reached by SSH: ${rest}`,
    lasting: true,
  })
  if (said.includes('REMOTE HOST IDENTIFICATION HAS CHANGED')) {
    return lasting(
      'it shows another host key than the one in the option Host key of the router (router_host_key): somebody may be in between. If the router was set up anew, empty that option, save, and take the new key from the log',
    )
  }
  if (said.includes('Host key verification failed')) {
    return lasting(
      "its host key is not known. The log shows it with its fingerprint: compare that with the router's own, put the key into the option Host key of the router (router_host_key), and save",
    )
  }
  if (/Identity file .* not accessible|Load key|UNPROTECTED PRIVATE KEY/.test(said)) {
    return lasting("this app's own key can't be read: see what the log says of it at the start")
  }
  if (said.includes('Permission denied')) {
    return lasting(
      "it refuses this app's key. Append the line of the log that begins with restrict to the authorized keys of that user on the router (OpenWrt: System, Administration, SSH-Keys)",
    )
  }
  return passingFault(target, said, 'the option Router (SSH)')
}
