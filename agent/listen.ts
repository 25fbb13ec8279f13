// Listening on a port that may be taken, and which addresses count as this machine alone.
import type { Server } from 'node:net'
import { isIP } from 'node:net'

/** Where to listen. */
export interface ListenAddress {
  host: string
  /** 0: any free port. */
  port: number
  /** True: this port or none, as the user asked for it. False: a taken port gives way to the next free one. */
  fixed: boolean
}

/** How many ports above the wanted one are tried. */
const PORTS_TRIED = 100

/**
 * Listens, and tells the port. `what` names the listener in errors, `setting` the key that changes its port.
 * Throws an Error with a sentence when the port is taken and fixed, or may not be used.
 */
export async function listenNear(
  server: Server,
  address: ListenAddress,
  what: string,
  setting: string,
): Promise<number> {
  const last =
    address.fixed || address.port === 0 ? address.port : Math.min(address.port + PORTS_TRIED, 65535)
  for (let port = address.port; ; port++) {
    try {
      return await listenOn(server, address.host, port)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EADDRINUSE' && port < last) continue
      throw new Error(sentenceOf(code, address, last, what, setting), { cause: error })
    }
  }
}

async function listenOn(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off('listening', onListening)
      reject(error)
    }
    const onListening = (): void => {
      server.off('error', onError)
      resolve()
    }
    server.once('error', onError)
    server.once('listening', onListening)
    server.listen({ host, port, exclusive: true })
  })
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : port
}

function sentenceOf(
  code: string | undefined,
  { host, port, fixed }: ListenAddress,
  last: number,
  what: string,
  setting: string,
): string {
  const at = `${urlHost(host)}:${port}`
  if (code === 'EADDRINUSE' && fixed) {
    return `${what}: port ${at} is in use by another program; stop that program or choose another port with ${setting}`
  }
  if (code === 'EADDRINUSE')
    return `${what}: all ports from ${at} to ${last} are in use; choose another with ${setting}`
  if (code === 'EACCES')
    return `${what}: this user may not listen on ${at}; choose a port above 1023 with ${setting}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `${what}: this machine has no address ${host}; correct ${setting}`
  }
  return `${what}: can't listen on ${at} (${code ?? 'unknown error'}); see ${setting}`
}

/** Whether nothing but this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** `host` as it stands in a URL: IPv6 in brackets. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host
}
