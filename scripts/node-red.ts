// Node-RED as Homespin runs it: on 127.0.0.1 alone, and only for pages of its own. Started by start.ts; settings come as JSON in
// HOMESPIN_NODE_RED. Says where it is in one line of JSON on standard output; its log goes to standard error.
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { refuseSite } from '../agent/http/access.ts'
import { listenNear } from '../agent/listen.ts'

/** What start.ts hands over. */
export interface NodeRedSettings {
  userDir: string
  port: number
  /** The user named the port: no other one will do. */
  fixed: boolean
  /** Credentials of the first flow by the ids of their nodes, such as `${NAME}` of the environment. */
  credentials: Record<string, object>
}

type Handler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

/** The part of Node-RED that is used here. */
interface NodeRed {
  init: (server: ReturnType<typeof createServer>, settings: object) => void
  start: () => Promise<void>
  stop: () => Promise<void>
  httpAdmin: Handler
  httpNode: Handler
  events: { once: (event: string, then: () => void) => void }
}

/** Levels of Node-RED's log: https://nodered.org/docs/user-guide/runtime/logging */
const WARN = 30
const HOST = '127.0.0.1'

/** The key that credentials of flows are kept under; one of its own for each user directory. */
function credentialSecret(userDir: string): string {
  const path = join(userDir, 'credential-secret')
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600 })
  return readFileSync(path, 'utf8')
}

/** Where there are none yet: of those nodes that there are, as Node-RED itself keeps them (runtime/lib/nodes/credentials.js). */
function keepFirst(userDir: string, secret: string, credentials: Record<string, object>): void {
  const path = join(userDir, 'flows_cred.json')
  const flows = join(userDir, 'flows.json')
  if (existsSync(path) || !existsSync(flows)) return
  const text = readFileSync(flows, 'utf8')
  const wanted = Object.entries(credentials).filter(([id]) => text.includes(`"${id}"`))
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(secret).digest(), iv)
  const plain = JSON.stringify(Object.fromEntries(wanted))
  const $ = iv.toString('hex') + cipher.update(plain, 'utf8', 'base64') + cipher.final('base64')
  writeFileSync(path, JSON.stringify({ $ }), { mode: 0o600 })
}

function logLine(message: { level: number; msg: unknown; type?: string; name?: string }): void {
  const who = message.type ? `[${message.type}${message.name ? `:${message.name}` : ''}] ` : ''
  const text = message.msg instanceof Error ? message.msg.message : String(message.msg)
  process.stderr.write(`${message.level <= WARN ? 'warning: ' : ''}${who}${text}\n`)
}

async function main(): Promise<void> {
  if (process.getuid?.() === 0) throw new Error('Node-RED does not run as root here')
  const { userDir, port, fixed, credentials } = JSON.parse(
    process.env.HOMESPIN_NODE_RED ?? '',
  ) as NodeRedSettings
  delete process.env.HOMESPIN_NODE_RED
  const red = createRequire(import.meta.url)('node-red') as NodeRed

  const inside = createServer((request, response) =>
    red.httpAdmin(request, response, () => red.httpNode(request, response)),
  )
  const refuse = (request: IncomingMessage): string | undefined =>
    refuseSite(request, { port: bound, names: [], wide: false })?.message
  const outside = createServer((request, response) => {
    const why = refuse(request)
    if (why === undefined) inside.emit('request', request, response)
    else response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`)
  })
  outside.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (refuse(request) === undefined && inside.emit('upgrade', request, socket, head)) return
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  const bound = await listenNear(
    outside,
    { host: HOST, port, fixed },
    'Node-RED',
    '--node-red-port',
  )

  const secret = credentialSecret(userDir)
  keepFirst(userDir, secret, credentials)
  red.init(inside, {
    uiHost: HOST,
    uiPort: bound,
    userDir,
    flowFile: 'flows.json',
    flowFilePretty: true,
    credentialSecret: secret,
    httpAdminRoot: '/',
    httpNodeRoot: '/',
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false },
    logging: {
      console: { level: 'off' },
      homespin: { level: 'info', metrics: false, audit: false, handler: () => logLine },
    },
  })
  const started = new Promise<void>((resolve) => red.events.once('flows:started', resolve))
  await red.start()
  await started
  process.stdout.write(`${JSON.stringify({ editor: `http://${HOST}:${bound}/` })}\n`)

  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      outside.close()
      outside.closeAllConnections()
      void red.stop().finally(() => process.exit(0))
    })
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
})
