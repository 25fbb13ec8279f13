// A router that has nothing but nft, tcpdump and a POSIX shell with coreutils: a real sshd in the box of a home, whose sessions
// are shut in a file system with those alone. It is made inside the sshd's own mount namespace and goes with it.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Home } from './home.ts'
import { Program, run, sleep, succeed } from './process.ts'

/** Where it listens: an address of the home, as seen from its LAN. */
export const ROUTER_IP = '192.0.2.1'
export const ROUTER_PORT = 2222

/** Everything that there is on the router. */
const PROGRAMS = ['dash', 'nft', 'tcpdump', 'cat', 'head', 'sleep', 'ls', 'env']

/** Mounts what a system has by itself, and becomes sshd. */
const BEGIN = `set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd /run/router
mount --bind "$0" /run/router
mount --rbind /proc /run/router/proc
mount --rbind /sys /run/router/sys
mount --bind /dev/null /run/router/dev/null
exec /usr/sbin/sshd -D -e -f "$1"`

/** A process that runs in the file system of the router. */
function isShut(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/root`) !== '/'
}

export class RemoteRouter {
  readonly #home: Home
  readonly #port: number
  #sshd: Program | undefined

  constructor(home: Home, port = ROUTER_PORT) {
    this.#home = home
    this.#port = port
  }

  /** The router's public host key, as its owner can read it there. */
  get hostKey(): string {
    return readFileSync(this.#path('host.pub'), 'utf8').trim()
  }

  /** Lets whoever has these public keys in, and nobody else. */
  authorize(...lines: string[]): void {
    writeFileSync(this.#path('authorized'), lines.map((line) => `${line}\n`).join(''))
  }

  /** The file of that name in the home's folder. */
  #path(name: string): string {
    return join(this.#home.folder, name)
  }

  /** Arguments for an agent on the LAN, or with `other` files in place of these. */
  arguments(other: { key?: string; known?: string } = {}): string[] {
    const { key = 'key', known = 'known' } = other
    return [
      ...['--mode', 'remote', '--remote-host', `root@${ROUTER_IP}`],
      ...['--remote-port', String(this.#port)],
      ...['--remote-identity-file', this.#path(key)],
      ...['--remote-known-hosts-file', this.#path(known)],
    ]
  }

  /** Keys, the file system of the router, and what sshd is told. */
  async prepare(): Promise<void> {
    for (const name of ['host', 'key', 'stranger']) {
      await succeed('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', this.#path(name)])
    }
    copyFileSync(this.#path('key.pub'), this.#path('authorized'))
    chmodSync(this.#path('authorized'), 0o600)
    const known = (key: string): string =>
      `[${ROUTER_IP}]:${this.#port} ${readFileSync(this.#path(`${key}.pub`), 'utf8')}`
    writeFileSync(this.#path('known'), known('host'))
    writeFileSync(this.#path('changed'), known('stranger'))
    writeFileSync(this.#path('unknown'), '')
    await this.#makeRoot()
    const lines = [
      `Port ${this.#port}`,
      `ListenAddress ${ROUTER_IP}`,
      `HostKey ${this.#path('host')}`,
      `AuthorizedKeysFile ${this.#path('authorized')}`,
      'ChrootDirectory /run/router',
      'SetEnv PATH=/bin',
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'LogLevel VERBOSE',
    ]
    writeFileSync(this.#path('sshd_config'), `${lines.join('\n')}\n`)
  }

  async start(): Promise<void> {
    const command = ['sh', '-c', BEGIN, this.#path('root'), this.#path('sshd_config')]
    this.#sshd = new Program('ip', this.#home.inside('box', ...command)).start()
    await this.#sshd.until(/Server listening/)
  }

  /** With all its connections, as when a router loses its power; its kernel stays as it is. */
  async stop(): Promise<void> {
    const sshd = this.#sshd
    this.#sshd = undefined
    if (sshd === undefined) return
    for (const pid of await this.pids()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    await sshd.stop('SIGKILL')
  }

  /** Names of the programs that sessions run there now. */
  async running(): Promise<string[]> {
    const pids = await this.pids()
    return pids.flatMap((pid) => {
      try {
        return isShut(pid) ? [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()] : []
      } catch {
        return []
      }
    })
  }

  /** TCP connections to the sshd that stand. */
  async connections(): Promise<number> {
    const filter = ['state', 'established', 'sport', '=', `:${this.#port}`]
    const text = await this.#home.in('box', 'ss', '-Htn', ...filter)
    return text.split('\n').filter(Boolean).length
  }

  /** How many connections there were altogether, since it was started. */
  get accepted(): number {
    return this.#sshd?.stderr.match(/Accepted publickey/g)?.length ?? 0
  }

  /** Of processes in the box that have to do with the sshd. */
  async pids(): Promise<number[]> {
    const { stdout } = await run('ip', ['netns', 'pids', this.#home.inside('box')[2] ?? ''])
    const all = stdout.split('\n').filter(Boolean).map(Number)
    return all.filter((pid) => {
      try {
        const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
        return comm.startsWith('sshd') || isShut(pid)
      } catch {
        return false
      }
    })
  }

  async untilNothingRuns(timeoutMs = 8000): Promise<string[]> {
    const end = Date.now() + timeoutMs
    for (;;) {
      const names = await this.running()
      if (names.length === 0 || Date.now() > end) return names
      await sleep(50)
    }
  }

  /** The programs and the libraries that they name, and nothing else. */
  async #makeRoot(): Promise<void> {
    const root = this.#path('root')
    for (const folder of ['bin', 'proc', 'sys', 'dev', 'etc']) {
      mkdirSync(join(root, folder), { recursive: true, mode: 0o755 })
    }
    chmodSync(root, 0o755)
    writeFileSync(join(root, 'dev/null'), '')
    writeFileSync(join(root, 'etc/resolv.conf'), 'nameserver 198.51.100.2\n')
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\ntcpdump:x:100:100::/:/bin/sh\n')
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\ntcpdump:x:100:\n')
    symlinkSync('/proc/self/fd/0', join(root, 'dev/stdin'))
    for (const name of PROGRAMS) {
      const found = await succeed('sh', ['-c', 'PATH=$PATH:/usr/sbin:/sbin; command -v "$0"', name])
      const file = found.trim()
      copyFileSync(realpathSync(file), join(root, 'bin', name))
      chmodSync(join(root, 'bin', name), 0o755)
      const libraries = (await run('ldd', [file])).stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)
      for (const [, library = ''] of libraries) {
        mkdirSync(join(root, dirname(library)), { recursive: true })
        copyFileSync(realpathSync(library), join(root, library))
        chmodSync(join(root, library), 0o755)
      }
    }
    // Whatever shell root has here, it is that of a router.
    for (const name of ['sh', 'bash']) copyFileSync(join(root, 'bin/dash'), join(root, 'bin', name))
  }
}
