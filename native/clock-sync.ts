// What the kernel says of its own clock.
import { binding } from './binding.ts'

/** Whether somebody keeps the clock on the wall right (adjtimex(2), STA_UNSYNC); undefined: the kernel does not tell. */
export function clockSynchronised(): boolean | undefined {
  return binding().clockSynchronised()
}
