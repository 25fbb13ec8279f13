// Loaded before a program (`node --import`): measures how long its event loop stands still, and tells the longest since
// the last time on standard error when it gets SIGUSR2: `stall 12.3`, in milliseconds.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
process.on('SIGUSR2', () => {
  process.stderr.write(`stall ${(delay.max / 1e6).toFixed(1)}\n`)
  delay.reset()
})
