// The disk of a whole Debian with its own kernel, made once by the lab's `vm.sh base`; each test works on a copy.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/process.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Makes the disk: debootstrap and a kernel of Debian. Not part of this repository. */
const MAKER = process.env.HOMESPIN_VM_MAKER ?? join(ROOT, '../shared/lab/vm/vm.sh')
const MADE = join(ROOT, '.cache/vm')
/** Besides what the maker puts on it: a service manager, a client of HTTP, and what tests in the machine need. */
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'curl', 'openssl', 'bind9-dnsutils'],
  ...['openssh-server', 'tcpdump', 'mosquitto'],
]
const PARTS = ['disk.img', 'vmlinuz', 'initrd']

/** Where `disk.img`, `vmlinuz` and `initrd` are. */
export function baseFolder(): string {
  return process.env.HOMESPIN_VM ?? MADE
}

function isThere(): boolean {
  return PARTS.every((part) => existsSync(join(baseFolder(), part)))
}

/** Why no machine can be started here; undefined: one can, after `makeBase`. */
export function whyNoMachine(): string | undefined {
  const programs = ['qemu-system-x86_64', ...(isThere() ? [] : ['debootstrap', 'mkfs.ext4'])]
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const missing = programs.filter((name) => !folders.some((each) => existsSync(join(each, name))))
  if (process.arch !== 'x64') return 'the machine is one for x86-64'
  if (missing.length > 0) return `not here: ${missing.join(', ')}`
  if (isThere()) return undefined
  if (process.env.HOMESPIN_VM !== undefined) return `there is no ${PARTS.join(', ')} in HOMESPIN_VM`
  if (process.getuid?.() !== 0) return 'making its disk needs root'
  if (!existsSync(MAKER)) {
    return 'there is no disk of a machine: name the folder of one in HOMESPIN_VM, or what makes it in HOMESPIN_VM_MAKER'
  }
  return undefined
}

/** Makes what is not there; about two minutes. */
export async function makeBase(): Promise<void> {
  if (isThere()) return
  const ended = await run('bash', [MAKER, 'base', MADE, ...PACKAGES], { timeoutMs: 900_000 })
  if (ended.code !== 0) throw new Error(`${MAKER} made no disk: ${ended.stderr.slice(-2000)}`)
}

/** A disk to write on. */
export function copyDisk(to: string): void {
  execFileSync('cp', ['--sparse=always', '--reflink=auto', join(baseFolder(), 'disk.img'), to])
}
