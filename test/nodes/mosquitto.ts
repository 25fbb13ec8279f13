// A real mosquitto for a test: on a free loopback port, with its own configuration and files, gone afterwards.

import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PROGRAM = '/usr/sbin/mosquitto'

export interface MosquittoOptions {
  /** A port to use again; absent: a free one. */
  port?: number
  /** The only user who may come in; absent: everyone may. */
  user?: string
  password?: string
  /** TLS, with a certificate for 127.0.0.1 by a CA of its own. */
  tls?: boolean
  /** More lines for its configuration. */
  config?: string[]
}

export interface Mosquitto {
  port: number
  pid: number
  /** File with the CA's certificate, where TLS was asked for. */
  caFile: string | undefined
  /** What it has logged so far. */
  log: () => string
  /** Ends it and removes its files. */
  stop: () => Promise<void>
}

/** Whether mosquitto is installed. With CI=true a missing one is an error. */
export function hasMosquitto(): boolean {
  if (existsSync(PROGRAM)) return true
  if (process.env.CI === 'true') throw new Error('mosquitto is missing: apt-get install mosquitto')
  return false
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts a mosquitto and waits until it answers. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), 'homespin-mosquitto-'))
  const port = options.port ?? (await freePort())
  const file = (name: string): string => join(directory, name)
  const lines = [
    `listener ${port} 127.0.0.1`,
    'persistence false',
    'log_dest stderr',
    'log_type all',
    `allow_anonymous ${options.user === undefined}`,
    // Started by root it would otherwise become a user who may not read the directory.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(options.config ?? []),
  ]
  if (options.user !== undefined) {
    const args = ['-b', '-c', file('passwords'), options.user, options.password ?? '']
    execFileSync('/usr/bin/mosquitto_passwd', args, { stdio: 'ignore' })
    lines.push(`password_file ${file('passwords')}`)
  }
  if (options.tls) {
    makeCertificates(directory)
    lines.push(
      `cafile ${file('ca.pem')}`,
      `certfile ${file('server.pem')}`,
      `keyfile ${file('server.key')}`,
    )
  }
  writeFileSync(file('mosquitto.conf'), `${lines.join('\n')}\n`)

  const child = spawn(PROGRAM, ['-c', file('mosquitto.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  const stop = async (): Promise<void> => {
    await end(child)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await untilItListens(port, child)
  } catch (cause) {
    await stop()
    throw new Error(`mosquitto did not start:\n${log}`, { cause })
  }
  const pid = child.pid as number
  return { port, pid, caFile: options.tls ? file('ca.pem') : undefined, log: () => log, stop }
}

async function untilItListens(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`)
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await sleep(50)
  }
  throw new Error('it did not listen within 5 s')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await ended
  clearTimeout(timer)
}

function makeCertificates(directory: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('/usr/bin/openssl', args, { cwd: directory, stdio: 'ignore' })
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc']
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  )
  openssl('req', ...key, '-subj', '/CN=127.0.0.1', '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(join(directory, 'san.cnf'), 'subjectAltName=IP:127.0.0.1\n')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    ...signed,
    '-extfile',
    'san.cnf',
    '-out',
    'server.pem',
  )
}
