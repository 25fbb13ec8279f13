// Who may ask: against DNS rebinding the Host header, against other sites' pages Origin and Sec-Fetch-Site, and where
// other machines can connect a token.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

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

/** Checks what else the API asks for: no other site behind the request, and the token where there is one. */
export function refuseApi(request: IncomingMessage, rules: AccessRules): Refusal | undefined {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return forbidden('wrong_origin', 'pages of another site may not ask this agent')
  }
  if (rules.token === undefined) return undefined
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (given !== undefined && sameSecret(given, rules.token)) return undefined
  return { status: 401, code: 'unauthorized', message: 'send the token as Authorization: Bearer' }
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
