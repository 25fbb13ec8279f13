// The real program, run to its end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export const PROGRAM = join(import.meta.dirname, '../../../agent/main.ts')
export const GENERATOR = join(import.meta.dirname, '../../../agent/demo/main.ts')

export interface Result {
  code: number | null
  out: string
  err: string
}

export interface RunOptions {
  input?: Buffer
  env?: NodeJS.ProcessEnv
  /** Stop reading after so many bytes of standard output. */
  readBytes?: number
  timeoutMs?: number
}

/** The environment without anything that configures Homespin. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HOMESPIN_')),
  )
}

/** Runs `node SCRIPT ARGS…`. Rejects when it has not ended in time. */
export async function run(
  script: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...plainEnvironment(), ...options.env },
  })
  const late = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 20_000)
  const out: Buffer[] = []
  let read = 0
  child.stdout.on('data', (part: Buffer) => {
    out.push(part)
    read += part.length
    if (options.readBytes !== undefined && read >= options.readBytes) child.stdout.destroy()
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    err += part
  })
  // Who ends early does not read the rest.
  child.stdin.on('error', () => {})
  if (options.readBytes === undefined || options.input !== undefined) child.stdin.end(options.input)
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(late)
  if (signal === 'SIGKILL') throw new Error(`${args.join(' ')} did not end in time; ${err}`)
  return { code, out: Buffer.concat(out).toString(), err }
}

/** `homespin ARGS…` */
export async function homespin(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return await run(PROGRAM, args, options)
}
