// A program that is run to its end: no shell, text on its standard input, bounded output and time.
import { spawn } from 'node:child_process'

const MOST_ERROR_TEXT = 65_536
/** More than that ends the program. */
const MOST_OUTPUT = 1 << 20

export interface ProgramResult {
  /** Exit code; undefined: it was ended by a signal or by the time limit. */
  code: number | undefined
  stdout: string
  stderr: string
  /** It gave no end within its time. */
  late: boolean
}

export interface ProgramOptions {
  input: string
  timeoutMs: number
  /** Told once it runs. */
  onPid?: (pid: number) => void
}

/** Where a service's PATH may leave out what only root uses. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

/** Rejects with what spawn says where it can't be started (`ENOENT`: there is no such program). */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { input, timeoutMs, onPid } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH, LC_ALL: 'C' },
    })
    if (child.pid !== undefined) onPid?.(child.pid)
    const out: Buffer[] = []
    let outBytes = 0
    let stderr = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > MOST_OUTPUT) child.kill('SIGKILL')
      else out.push(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MOST_ERROR_TEXT) stderr += text.slice(0, MOST_ERROR_TEXT - stderr.length)
    })
    // It may end without having read everything; its exit says why.
    child.stdin.on('error', () => {})
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? undefined, stdout: Buffer.concat(out).toString(), stderr, late })
    })
    child.stdin.end(input)
  })
}
