// Who may ask: against DNS rebinding the Host header, against other sites' pages Origin and Sec-Fetch-Site, and where
// other machines can connect a token.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { isLoopback } from '../listen.ts'
import type { Role } from '../methods/registry.ts'

/** Why a request is refused; becomes an `HttpError`. */
export interface Refusal {
  status: 401 | 403
  code: string
  message: string
}

export interface AccessRules {
  /** The port listened on. */
  port: number
  /** Further host names by which this agent is reached, lower case. */
  names: readonly string[]
  /** Listening beyond loopback: any address literal is then a right Host, as it can't be rebound. */
  wide: boolean
  token?: string
  /** Whoever comes with this one may look, and change nothing. */
  viewToken?: string
}

/** Checks `Host` and `Origin` of any request; undefined where it is let through. */
export function refuseSite(request: IncomingMessage, rules: AccessRules): Refusal | undefined {
  const hosts = request.headersDistinct.host ?? []
  const host = hosts[0]
  if (hosts.length !== 1 || host === undefined || !isOwnHost(host, rules)) {
    return forbidden(
      'wrong_host',
      'this agent is not known by that host name: open it by its address',
    )
  }
  const { origin } = request.headers
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return forbidden('wrong_origin', 'pages of another site may not ask this agent')
  }
  return undefined
}

/** Checks what else the API asks for: no other site behind the request, and a token where there is one; tells who asks. */
export function admit(request: IncomingMessage, rules: AccessRules): { role: Role } | Refusal {
  const foreign = refuseOtherSite(request)
  if (foreign !== undefined) return foreign
  const { token, viewToken } = rules
  if (token === undefined) return { role: 'admin' }
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (given !== undefined && sameSecret(given, token)) return { role: 'admin' }
  if (given !== undefined && viewToken !== undefined && sameSecret(given, viewToken)) {
    return { role: 'view' }
  }
  return { status: 401, code: 'unauthorized', message: 'send the token as Authorization: Bearer' }
}

/** Refuses what a page of another site makes a browser ask. Undefined: it is let through, or the browser does not say. */
export function refuseOtherSite(request: IncomingMessage): Refusal | undefined {
  const site = request.headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined
  return forbidden('wrong_origin', 'pages of another site may not ask this agent')
}

/** Who asks through Home Assistant, as the Supervisor tells it: only where nobody else can be the one that asks. */
export interface IngressUser {
  /** Of Home Assistant; undefined where the session has no user. */
  id: string | undefined
  /** The address that Home Assistant saw; one that is made up protects that address from this very order and no more. */
  address: string | undefined
}

/** Reads `X-Remote-User-Id`, and of `X-Forwarded-For` what stands before Home Assistant's own address. */
export function ingressUser(request: IncomingMessage): IngressUser {
  const ids = request.headersDistinct['x-remote-user-id'] ?? []
  const path = (request.headersDistinct['x-forwarded-for'] ?? []).join(',').split(',')
  const address =
    path
      .at(-2)
      ?.trim()
      .replace(/^::ffff:(?=\d+\.)/, '')
      .replace(/%.*$/, '') ?? ''
  return {
    id: ids.length === 1 ? ids[0] : undefined,
    address: isIP(address) === 0 || isLoopback(address) ? undefined : address,
  }
}

/** The address from which a request comes; undefined where a proxy or this machine itself asks. */
export function askerOf(request: IncomingMessage): string | undefined {
  const address = request.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
  return address === undefined || isLoopback(address) ? undefined : address
}

function isOwnHost(header: string, { port, names, wide }: AccessRules): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/i.exec(header)
  if (match === null) return false
  const name = (match[1] as string).toLowerCase()
  if (Number(match[2] ?? 80) !== port) return false
  if (name === '127.0.0.1' || name === 'localhost' || name === '[::1]') return true
  if (names.includes(name)) return true
  return wide && isIP(name.replace(/^\[|\]$/g, '')) !== 0
}

/** Compares without telling by its time where two secrets begin to differ. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function forbidden(code: string, message: string): Refusal {
  return { status: 403, code, message }
}
