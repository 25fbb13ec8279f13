// What the program nft says on standard error → a `KernelError`.
import { KernelError } from './kernel.ts'
import type { ProgramResult } from './program.ts'

/** strerror of the C library, in the C locale. */
const WORDS: readonly (readonly [words: string, code: string])[] = [
  ['Operation not permitted', 'EPERM'],
  ['Permission denied', 'EPERM'],
  ['Too many open files in system', 'ENFILE'],
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['interval overlaps', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol error', 'EPROTO'],
  ['No buffer space available', 'ENOBUFS'],
  ['Message too long', 'EMSGSIZE'],
  ['command not found', 'NO_NFT'],
  ['not found', 'NO_NFT'],
]

/** Shown to people: the first lines are about the cause, the rest repeats the ruleset. */
const MOST_WORDS = 600

/** The line of the text that nft complains about, from 1. */
export function lineOf(stderr: string): number | undefined {
  const line = /^(?:\/dev\/stdin|-|<stdin>):(\d+):/m.exec(stderr)?.[1]
  return line === undefined ? undefined : Number(line)
}

/** Of a run that failed; `index`: of the change that did, by its line. */
export function nftError(
  { code, stderr, late }: ProgramResult,
  index: (line: number) => number | undefined = () => undefined,
): KernelError {
  if (late) return new KernelError('ETIMEDOUT', 'nft did not end in time')
  const text = stderr.trim()
  const line = lineOf(stderr)
  const found = WORDS.find(([words]) => text.includes(words))
  const message = text === '' ? `nft ended with code ${code}` : text.slice(0, MOST_WORDS)
  return new KernelError(
    found?.[1] ?? 'EINVAL',
    message,
    line === undefined ? undefined : index(line),
  )
}

/** Of a program that could not be started. */
export function startError(program: string, cause: unknown): KernelError {
  const { code, message } = cause as NodeJS.ErrnoException
  return code === 'ENOENT'
    ? new KernelError('NO_NFT', `the program ${program} is missing; install it`, undefined, {
        cause,
      })
    : new KernelError(code ?? 'EIO', `${program} can't be started: ${message}`, undefined, {
        cause,
      })
}

/** A text that only an nft takes that knows sets of parts of a packet that no protocol names. */
export const TAILS_TRIAL = `table inet homespin_probe {
 set s {
  typeof @ll,80,16
  elements = { 1 }
 }
 chain c {
  @ll,80,16 != @s accept
 }
}
`
