// A machine under software emulation: boots for real, is rebooted, and loses its power. What is to be done in it goes over a
// port of its own to a shell there (guest/shell.sh).
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Program, sleep, until } from '../lab/process.ts'
import { baseFolder } from './base.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Programs run 5 to 20 times slower than outside, and others want this machine's cores too. */
const BOOT_MS = 600_000
const RUN_MS = 240_000

export interface MachineOptions {
  /** For its disk, sockets and what its console says. */
  folder: string
  /** The machine sees it as /share, read-only; this repository as /tree. */
  share: string
}

export interface Did {
  code: number
  /** Both streams. */
  output: string
}

/** Arguments that a boot of its own adds. */
function argumentsOf({ folder, share }: MachineOptions, kernel: string): string[] {
  const base = baseFolder()
  return [
    // One processor: with several, the emulation stumbles over code that the kernel patches while another one runs it.
    ...'-accel tcg -cpu max -smp 1 -vga none -nic none -display none -monitor none'.split(' '),
    ...['-m', process.env.HOMESPIN_VM_MB ?? '1024', '-serial', `file:${join(folder, 'console')}`],
    ...['-kernel', join(base, 'vmlinuz'), '-initrd', join(base, 'initrd')],
    ...['-append', `console=ttyS0 root=/dev/vda rw quiet panic=-1 ${kernel}`],
    ...['-drive', `file=${join(folder, 'disk.img')},if=virtio,format=raw`],
    ...['-virtfs', `local,path=${share},mount_tag=share,security_model=none,readonly=on`],
    ...['-virtfs', `local,path=${ROOT},mount_tag=tree,security_model=none,readonly=on`],
    ...['-device', 'virtio-serial', '-device', 'virtserialport,chardev=lab,name=lab'],
    ...['-chardev', `socket,id=lab,path=${join(folder, 'lab')},server=on,wait=off`],
  ]
}

export class Machine {
  readonly #options: MachineOptions
  #program: Program | undefined
  #socket: Socket | undefined
  #next = 0
  #bootId = ''
  readonly #waiting = new Map<number, (did: Did) => void>()

  constructor(options: MachineOptions) {
    this.#options = options
  }

  /** Boots into one script of the shared folder instead of the system, until it has ended and the power is off. */
  async provision(script: string): Promise<void> {
    const program = this.#boot(`init=/vm-init vmcmd=${script}`)
    const late = sleep(BOOT_MS).then(() => undefined)
    const ended = await Promise.race([program.ended, late])
    if (ended === undefined) await program.stop('SIGKILL')
    this.#program = undefined
    if (ended?.code !== 0) throw new Error(`the machine did not end: ${program.stderr}`)
  }

  /** Puts the power on, and waits until it is up. */
  async start(): Promise<void> {
    const program = this.#boot('init=/lib/systemd/systemd')
    const path = join(this.#options.folder, 'lab')
    this.#socket = await until('the way into the machine', () => tryConnect(path))
    createInterface({ input: this.#socket }).on('line', (line) => this.#take(line))
    this.#socket.on('error', () => {})
    program.ended.then(
      () => this.#waiting.clear(),
      () => {},
    )
    await this.#untilUp()
  }

  /** Runs a script of sh there. */
  async do(script: string, timeoutMs = RUN_MS): Promise<Did> {
    const id = ++this.#next
    let timer: NodeJS.Timeout | undefined
    const done = new Promise<Did>((resolve, reject) => {
      this.#waiting.set(id, resolve)
      timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new Error(`the machine did not do in ${timeoutMs} ms: ${script}`))
      }, timeoutMs)
    })
    this.#socket?.write(`${id} ${Buffer.from(script).toString('base64')}\n`)
    return await done.finally(() => clearTimeout(timer))
  }

  /** Runs a script that has to succeed; gives what it wrote. */
  async succeed(script: string, timeoutMs = RUN_MS): Promise<string> {
    const { code, output } = await this.do(script, timeoutMs)
    if (code !== 0) throw new Error(`in the machine: ${script}: exit code ${code}: ${output}`)
    return output
  }

  /** As a person would: services are stopped, the disk is written. Resolves once it is up again. */
  async reboot(): Promise<void> {
    await this.succeed('systemctl reboot --no-block')
    await this.#untilUp()
  }

  /** As of this moment nothing of it runs, and what was not on the disk is lost. */
  async cutPower(): Promise<void> {
    const program = this.#program
    this.#program = undefined
    this.#waiting.clear()
    program?.signal('SIGKILL')
    this.#socket?.destroy()
    await program?.ended
  }

  async stop(): Promise<void> {
    await this.cutPower()
  }

  #boot(kernel: string): Program {
    const args = argumentsOf(this.#options, kernel)
    this.#program = new Program('qemu-system-x86_64', args).start()
    return this.#program
  }

  /** Until a shell answers that is of another boot than the last one. */
  async #untilUp(): Promise<void> {
    await until(
      'the machine to be up',
      async () => {
        const asked = this.do('cat /proc/sys/kernel/random/boot_id', 15_000)
        const { output } = await asked.catch(() => ({ output: this.#bootId }))
        if (output === this.#bootId) return undefined
        this.#bootId = output
        return true
      },
      BOOT_MS,
      500,
    )
  }

  #take(line: string): void {
    const [id, code, text = ''] = line.split(' ')
    const resolve = this.#waiting.get(Number(id))
    this.#waiting.delete(Number(id))
    resolve?.({ code: Number(code), output: Buffer.from(text, 'base64').toString() })
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
  })
}
