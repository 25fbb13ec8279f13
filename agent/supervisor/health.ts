// Whether the agent of this container answers, for HEALTHCHECK: as little as that takes, since it is asked twice a minute.
import { connect } from 'node:net'

const TIMEOUT_MS = 5000
const path = process.argv[2] ?? '/data/run/agent.sock'

const socket = connect(path, () => socket.write('HEAD /api/info HTTP/1.0\r\nHost: x\r\n\r\n'))
socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('it does not answer')))
socket.once('data', (data) => {
  process.exitCode = /^HTTP\/1\.\d 200 /.test(data.toString('latin1')) ? 0 : 1
  socket.destroy()
})
socket.on('error', (error) => {
  process.stderr.write(`${path}: ${error.message}\n`)
  process.exitCode = 1
})
