// Serves first packets in a namespace, for the benchmark: `node verdict-child.ts known|asked|busy QUEUE MARK LENGTH MAC REMOTE`.
// `known`: the verdict is remembered; `busy`: and JavaScript works 50 ms of each 60; `asked`: JavaScript decides on each.
import { CONNECTION, CONNECTION_BYTES } from '../native/layout.ts'
import { FirstPackets } from '../native/queue.ts'

const [way, queue, mark, length, mac = '', remote = ''] = process.argv.slice(2)
const maxLength = Number(length)
const maxHeld = Math.floor(maxLength * 0.7)
const first = new FirstPackets({
  queue: Number(queue),
  maxLength,
  maxHeld,
  maxHeldPerDevice: maxHeld,
  deadlineMs: 2000,
  acceptMark: Number(mark),
})
const id = mac.replaceAll(':', '')
first.setDevices([{ id, mac, ips: [], accept: false }])
if (way !== 'asked') {
  for (const port of [7, 9, 10]) {
    first.remember({
      id,
      remote,
      port,
      protocol: 17,
      inbound: false,
      accept: true,
      forMs: 3_600_000,
    })
  }
}
first.start(({ count, connections }) => {
  const view = new DataView(connections)
  for (let i = 0; i < count; i++) {
    first.verdict(view.getFloat64(i * CONNECTION_BYTES + CONNECTION.ID, true), true)
  }
})
if (way === 'busy') {
  setInterval(() => {
    const end = performance.now() + 50
    while (performance.now() < end);
  }, 60)
}
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify(first.counters())}\n`)
  first.stop()
  process.exit(0)
})
process.stdout.write('ready\n')
