// The internet of the lab, run inside its namespace: DNS (53), echo (7) over UDP and TCP, HTTP (80), HTTPS (443).
// `node wan.ts FOLDER` with `key.pem` and `cert.pem` in FOLDER; says `ready`; ends when its standard input does.
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { Server } from 'node:net'
import { createServer as createTcp, isIPv6 } from 'node:net'
import type { WireAnswer } from './dns-wire.ts'
import { A, AAAA, CNAME, decodeDns, encodeDns } from './dns-wire.ts'
import { lookUp, RESOLVER4, RESOLVER6, serverAddresses } from './zone.ts'

const TTL_S = 60

function answerOf(question: Buffer, udp: boolean): Buffer | undefined {
  const asked = decodeDns(question)
  if (asked.response) return undefined
  const entry = lookUp(asked.name.toLowerCase())
  const answers: WireAnswer[] = []
  let owner = asked.name
  for (const alias of entry.cnames) {
    answers.push({ name: owner, type: CNAME, ttl: TTL_S, data: alias })
    owner = alias
  }
  const addresses = asked.type === A ? entry.a : asked.type === AAAA ? entry.aaaa : []
  for (const data of addresses) answers.push({ name: owner, type: asked.type, ttl: TTL_S, data })
  const truncated = udp && entry.truncated
  const { rcode } = entry
  return encodeDns({
    ...asked,
    response: true,
    truncated,
    rcode,
    answers: truncated ? [] : answers,
  })
}

// One socket per address: Node cannot choose the source address of a datagram otherwise.
function serveUdp(address: string, port: number, reply: (message: Buffer) => Buffer | undefined) {
  const six = isIPv6(address)
  const socket = createSocket(six ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
  socket.on('message', (message, from) => {
    const out = reply(message)
    if (out) socket.send(out, from.port, from.address)
  })
  return new Promise<void>((resolve) => socket.bind(port, address, resolve))
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => server.listen({ port, host: '::', backlog: 511 }, resolve))
}

const dnsOverTcp = createTcp((socket) => {
  let have = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    have = Buffer.concat([have, chunk])
    while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
      const size = have.readUInt16BE(0)
      const out = answerOf(have.subarray(2, 2 + size), false)
      have = have.subarray(2 + size)
      if (!out) continue
      const head = Buffer.alloc(2)
      head.writeUInt16BE(out.length)
      socket.write(Buffer.concat([head, out]))
    }
  })
})

const echo = createTcp((socket) => {
  socket.on('error', () => {})
  socket.pipe(socket)
})

/** `GET /bytes/N` is answered with N bytes; a POST's body is counted. */
const web: RequestListener = (request, response) => {
  const asked = /^\/bytes\/(\d{1,8})$/.exec(request.url ?? '')
  let got = 0
  request.on('data', (chunk: Buffer) => {
    got += chunk.length
  })
  request.on('end', () => {
    response.end(asked ? Buffer.alloc(Number(asked[1]), 'x') : `got ${got}\n`)
  })
}

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: wan.ts FOLDER')
const tls = { key: readFileSync(`${folder}/key.pem`), cert: readFileSync(`${folder}/cert.pem`) }
await Promise.all([
  ...[RESOLVER4, RESOLVER6].map((at) => serveUdp(at, 53, (question) => answerOf(question, true))),
  ...serverAddresses().map((at) => serveUdp(at, 7, (message) => message)),
  listen(dnsOverTcp, 53),
  listen(echo, 7),
  listen(createHttp(web), 80),
  listen(createHttps(tls, web), 443),
])
console.log('ready')
process.stdin.resume().on('end', () => process.exit(0))
