// `source ADDRESS`: 1 000 datagrams a second. `sink`: counts them, with their times, and answers what begins with `?`. Each
// line of input is answered by a count. `try ADDRESS`: ends with 0 once it was answered, with 1 after half a second.
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'

const [role, address = ''] = process.argv.slice(2)
const PORT = 9000
const socket = createSocket(role === 'sink' || isIPv6(address) ? 'udp6' : 'udp4')
let count = 0
let times: number[] = []

function answerCounts(): void {
  createInterface({ input: process.stdin }).on('line', () => {
    process.stdout.write(`${JSON.stringify({ count, times })}\n`)
    times = []
  })
  process.stdout.write('ready\n')
}

function sink(): void {
  socket.on('message', (data, from) => {
    if (data[0] === 0x3f) return socket.send(data, from.port, from.address, () => {})
    count++
    if (times.length < 100_000) times.push(Date.now())
  })
  socket.bind(PORT, '::', answerCounts)
}

function source(): void {
  answerCounts()
  const began = performance.now()
  setInterval(() => {
    const due = performance.now() - began
    // After a pause of this process it goes on at its rate.
    for (let n = 0; count < due && n < 50; n++) {
      socket.send(String(count), PORT, address, () => {})
      count++
    }
  }, 1)
}

function tryOnce(): void {
  socket.on('message', () => process.exit(0))
  const send = (): void => socket.send('?', PORT, address, () => {})
  send()
  setInterval(send, 100)
  setTimeout(() => process.exit(1), 500)
}

socket.on('error', () => {})
if (role === 'sink') sink()
else if (role === 'source') socket.bind(0, source)
else tryOnce()
