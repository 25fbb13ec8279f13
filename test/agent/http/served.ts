// A real HttpServer for a test, with a page and methods of its own.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { RequestOptions } from 'node:http'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { HttpServerOptions } from '../../../agent/http/http-server.ts'
import { HttpServer } from '../../../agent/http/http-server.ts'
import type { Caller } from '../../../agent/methods/registry.ts'
import { createRegistry, defineMethod, MethodError } from '../../../agent/methods/registry.ts'
import { info, recordingLog } from '../mqtt/listener.ts'

export interface Served {
  server: HttpServer
  /** Of the page; with a slash at its end. */
  url: string
  port: number
  socketPath: string
  dir: string
  lines: string[]
  callers: Caller[]
}

const cleanUps: (() => Promise<unknown> | unknown)[] = []

/** Stops whatever `serve` has started; for `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
}

export function testMethods(callers: Caller[] = []) {
  return createRegistry([
    defineMethod({
      name: 'get-info',
      role: 'view',
      safe: true,
      description: 'for a test',
      schema: z.strictObject({}),
      handler: () => info('one', 1),
    }),
    defineMethod({
      name: 'get-flows',
      role: 'view',
      safe: true,
      description: 'for a test',
      schema: z.strictObject({
        device: z
          .string()
          .regex(/^[0-9a-f]{12}$/)
          .optional(),
        limit: z.number().int().min(1).max(5000).default(500),
      }),
      handler: (args, caller) => {
        callers.push(caller)
        return { flows: [], total: args.limit }
      },
    }),
    defineMethod({
      name: 'get-devices',
      role: 'view',
      safe: true,
      description: 'for a test',
      schema: z.strictObject({}),
      handler: () => {
        throw new Error('a secret of the inside')
      },
    }),
    defineMethod({
      name: 'get-history',
      role: 'view',
      safe: true,
      description: 'for a test',
      schema: z.looseObject({}),
      handler: () => {
        throw new MethodError('not_found', 'there is no such device')
      },
    }),
  ])
}

/** Starts a server on a free port, or as `more` says. */
export async function serve(more: Partial<HttpServerOptions> = {}): Promise<Served> {
  const dir = mkdtempSync(join(tmpdir(), 'homespin-http-'))
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'panel', 'assets'), { recursive: true })
  writeFileSync(join(dir, 'panel', 'index.html'), '<!doctype html><title>Homespin</title>')
  writeFileSync(
    join(dir, 'panel', 'assets', 'main-BxY12345.js'),
    `export const x = 1\n${'//\n'.repeat(1000)}`,
  )
  writeFileSync(join(dir, 'panel', 'notes.exe'), 'not served')
  writeFileSync(join(dir, 'secret.txt'), 'secret')
  symlinkSync(join(dir, 'secret.txt'), join(dir, 'panel', 'link.txt'))
  const log = recordingLog()
  const callers: Caller[] = []
  const socketPath = join(dir, 'run', 'agent.sock')
  const server = new HttpServer({
    listen: { host: '127.0.0.1', port: 0, fixed: false },
    socketPath,
    panelDir: join(dir, 'panel'),
    methods: testMethods(callers),
    live: { snapshot: () => ({ info: info('one', 1), devices: { devices: [], rates: [] } }) },
    log,
    ...more,
  })
  await server.start()
  cleanUps.push(() => server.stop())
  const url = server.url ?? ''
  const port = url === '' ? 0 : Number(new URL(url).port)
  return { server, url, port, socketPath, dir, lines: log.lines, callers }
}

export interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
  // biome-ignore lint/suspicious/noExplicitAny: tests compare answers field by field.
  json: any
}

/** A request with every header as given: `fetch` would not let a Host through. */
export function ask(options: RequestOptions & { body?: string | Buffer }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => {
        let json: unknown
        try {
          json = JSON.parse(body)
        } catch {}
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, json })
      })
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(options.body)
  })
}

/** Sends bytes as they are and tells all that comes back until the end, or until 300 ms of silence. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    const done = (): void => {
      socket.destroy()
      resolve(heard)
    }
    socket.setTimeout(300, done)
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.write(text)
  })
}
