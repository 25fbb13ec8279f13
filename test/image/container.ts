// The file system of the app's image, run as the Supervisor runs it: the host's network, two capabilities, no new privileges,
// and a root that can't be written on. Without a container engine: a mount namespace of its own is enough for that.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, removeFolder } from '../lab/folders.ts'
import { Program, run } from '../lab/process.ts'

const HERE = import.meta.dirname
const FOLDER = process.env.HOMESPIN_IMAGE ?? join(HERE, '../../.cache/image')

/** What an image says of itself, as far as it is read here. */
export interface ImageConfig {
  Env: string[]
  Entrypoint: string[]
  Cmd: string[]
  WorkingDir: string
  Labels: Record<string, string>
  Healthcheck?: { Test: string[] }
}

export interface Image {
  rootfs: string
  config: ImageConfig
  /** What it has above its base. */
  addedMb: number
}

/** Why no image can be built here; undefined: it can. */
export function whyNoImage(): string | undefined {
  if (existsSync(join(FOLDER, 'stamp'))) return undefined
  if (process.getuid?.() !== 0) return 'building an image needs root'
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const missing = ['buildah', 'debootstrap', 'npm'].filter(
    (name) => !folders.some((each) => existsSync(join(each, name))),
  )
  return missing.length > 0 ? `not here: ${missing.join(', ')}` : undefined
}

/** Builds the image of this checkout, unless that was done already; what HOMESPIN_IMAGE names was built elsewhere. */
export async function buildImage(): Promise<Image> {
  if (process.env.HOMESPIN_IMAGE === undefined) await build()
  const config = JSON.parse(readFileSync(join(FOLDER, 'config'), 'utf8')) as ImageConfig
  const [whole = 0, base = 0] = readFileSync(join(FOLDER, 'sizes'), 'utf8').split('\n').map(Number)
  return { rootfs: join(FOLDER, 'rootfs'), config, addedMb: whole - base }
}

async function build(): Promise<void> {
  const ended = await run('bash', [join(HERE, 'build.sh'), FOLDER], { timeoutMs: 1_200_000 })
  if (ended.code !== 0) {
    throw new Error(`test/image/build.sh: ${ended.stdout.slice(-3000)}${ended.stderr.slice(-3000)}`)
  }
}

export interface ContainerOptions {
  image: Image
  /** The namespace of the network that is the host's. */
  network: string
  /** Written as `options.json`. */
  options: object
  env: Record<string, string>
  /** Lines of `/etc/hosts`, as the container engine adds them. */
  hosts?: string
  /** Name of an AppArmor profile that is loaded. */
  profile?: string
  /** The root can be written on, as the Supervisor leaves it: what is kept from that then is the profile's doing. */
  writable?: boolean
}

/**
 * Lays the mounts as a container engine does, gives up every right but two, and becomes the program:
 * sh SCRIPT ROOTFS DATA HOSTS ro|rw PROFILE COMMAND…
 */
const ENTER = `
set -e
rootfs=$1 data=$2 hosts=$3 root=$4 profile=$5; shift 5
mount --bind "$rootfs" "$rootfs"
mount -t proc proc "$rootfs/proc"
mount -t sysfs -o ro sysfs "$rootfs/sys"
# setpriv looks there whether there is AppArmor.
[ -z "$profile" ] || mount -t securityfs securityfs "$rootfs/sys/kernel/security"
mount -t tmpfs -o mode=755 tmpfs "$rootfs/dev"
for each in null zero full random urandom; do
  : > "$rootfs/dev/$each"
  mount --bind "/dev/$each" "$rootfs/dev/$each"
done
mount --bind "$data" "$rootfs/data"
mount --bind "$hosts" "$rootfs/etc/hosts"
cd "$rootfs"
# The paths that a profile names are those of the namespace's root, so it has to become that.
pivot_root . mnt
umount -l /mnt
[ "$root" = rw ] || mount -o remount,bind,ro /
set -- --bounding-set=-all,+net_admin,+net_raw --inh-caps=-all,+net_admin,+net_raw --no-new-privs -- "$@"
[ -z "$profile" ] || set -- --apparmor-profile "$profile" "$@"
exec setpriv "$@"
`

export class Container {
  readonly #options: ContainerOptions
  /** What it keeps, `/data` inside. */
  readonly data: string
  readonly #folder = makeFolder()
  #program: Program | undefined

  constructor(options: ContainerOptions) {
    this.#options = options
    this.data = join(this.#folder, 'data')
  }

  /** Starts it, with other options than the first where they are given. */
  start(options = this.#options.options): void {
    const { image } = this.#options
    mkdirSync(this.data, { recursive: true })
    writeFileSync(join(this.data, 'options.json'), JSON.stringify(options))
    writeFileSync(join(this.#folder, 'hosts'), `127.0.0.1 localhost\n${this.#options.hosts ?? ''}`)
    const { Entrypoint, Cmd } = image.config
    this.#program = new Program('ip', this.#enter(...Entrypoint, ...Cmd), this.#env()).start()
  }

  /** Runs a program of the image beside it, as `docker exec` does; gives its exit code and what it wrote. */
  async exec(...command: string[]): Promise<{ code: number | null; output: string }> {
    const ended = await run('ip', this.#enter(...command), { env: this.#env() })
    return { code: ended.code, output: `${ended.stdout}${ended.stderr}` }
  }

  /** Process id of the agent itself: it becomes what it starts. */
  get pid(): number {
    return this.program.pid
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error('the container was not started')
    return this.#program
  }

  async stop(): Promise<void> {
    try {
      await this.#program?.stop('SIGTERM', 20_000)
    } finally {
      removeFolder(this.#folder)
    }
  }

  #enter(...command: string[]): string[] {
    const { network, image, writable = false, profile = '' } = this.#options
    const root = writable ? 'rw' : 'ro'
    const places = [image.rootfs, this.data, join(this.#folder, 'hosts'), root, profile]
    const shell = ['unshare', '--mount', 'sh', '-c', ENTER, 'sh', ...places, ...command]
    return ['netns', 'exec', network, ...shell]
  }

  /** The image's environment and what the Supervisor adds; nothing of this machine's. */
  #env(): NodeJS.ProcessEnv {
    const own = this.#options.image.config.Env.map((line): [string, string] => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)]
    })
    const all = Object.fromEntries(own)
    const path = `${all.PATH ?? '/usr/local/bin:/usr/bin:/bin'}:/usr/sbin:/sbin`
    return { ...all, PATH: path, ...this.#options.env }
  }
}
