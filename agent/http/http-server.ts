// The page, the REST routes, JSON-RPC and the live feed, on a port and on the socket; no logic of its own.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { ListenAddress } from '../listen.ts'
import { isLoopback, listenNear, urlHost } from '../listen.ts'
import type { Log } from '../log.ts'
import type { Caller, Methods, Role } from '../methods/registry.ts'
import type { AccessRules } from './access.ts'
import { admit, askerOf, ingressUser, refuseOtherSite, refuseSite } from './access.ts'
import { RequestError, sendError, sendFailure, sendJson, setCommonHeaders } from './answer.ts'
import { readJsonBody } from './json-body.ts'
import { answerRpc } from './json-rpc.ts'
import type { LiveFeedOptions } from './live-feed.ts'
import { LiveFeed } from './live-feed.ts'
import { createNodeServer } from './node-server.ts'
import { openApi } from './openapi.ts'
import type { Route } from './rest.ts'
import { numbersOf, queryArguments, routesOf } from './rest.ts'
import type { StaticFile } from './static-files.ts'
import { readStaticFiles, sendFile } from './static-files.ts'
import { listenOnSocket } from './unix-socket.ts'

export interface HttpServerOptions {
  /** Absent: no port, the socket alone. */
  listen?: ListenAddress
  /** Path of the socket, in a folder of its own: that folder becomes 0700. Absent: none. */
  socketPath?: string
  /** Needed where `listen.host` can be reached from other machines. */
  token?: string
  /** Whoever comes with this one may look, and change nothing. Only with `token`. */
  viewToken?: string
  /** Further host names by which the page is opened. */
  names?: readonly string[]
  /** The built page. */
  panelDir: string
  methods: Methods
  /** Of the agent, for OpenAPI. */
  version?: string
  live: LiveFeedOptions
  log: Log
}

const MAX_CONNECTIONS = 128

/** Serves the page and the API. */
export class HttpServer {
  readonly #options: HttpServerOptions
  /** Where the agent puts what happens. */
  readonly live: LiveFeed
  readonly #routes: ReadonlyMap<string, Route>
  readonly #numbers: ReadonlyMap<string, readonly string[]>
  #files = new Map<string, StaticFile>()
  #servers: Server[] = []
  #rules: AccessRules | undefined
  #url: string | undefined

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.live = new LiveFeed(options.live)
    const methods = options.methods.list()
    this.#routes = routesOf(methods)
    this.#numbers = new Map(methods.map(({ name, schema }) => [name, numbersOf(schema)]))
  }

  /** Listens. Throws an Error with a sentence: open to others without a token, port taken, or an agent already running. */
  async start(): Promise<void> {
    const { listen, token, socketPath, panelDir } = this.#options
    if (listen !== undefined && !isLoopback(listen.host) && (token ?? '').length < 16) {
      throw new Error(
        `http: other machines can reach ${listen.host}, so a token of at least 16 characters is needed: set token (--token), or listen on 127.0.0.1`,
      )
    }
    this.#files = readStaticFiles(panelDir)
    try {
      // The socket first: a second agent with this data folder must not get as far as a port.
      if (socketPath !== undefined) await listenOnSocket(this.#server(this.#onSocket), socketPath)
      if (listen !== undefined) await this.#listenOnPort(listen)
    } catch (error) {
      await this.stop()
      throw error
    }
    this.live.start()
  }

  /** Frees port and socket; ends what is under way. */
  async stop(): Promise<void> {
    this.live.stop()
    const servers = this.#servers.splice(0)
    await Promise.all(
      servers.map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()))
        server.closeAllConnections()
        return closed
      }),
    )
  }

  /** `http://host:port/`; undefined where there is no port. */
  get url(): string | undefined {
    return this.#url
  }

  /**
   * A server that does not listen yet, for Home Assistant's ingress; whoever has it made ends it. `roleOf` tells what a user
   * may. It believes every header: nobody but the Supervisor may ever reach it.
   */
  forIngress(roleOf: (userId: string | undefined) => Promise<Role>): Server {
    return makeServer((request, response) => void this.#onIngress(request, response, roleOf))
  }

  async #listenOnPort(listen: ListenAddress): Promise<void> {
    const { token, viewToken, names = [], log } = this.#options
    const port = await listenNear(this.#server(this.#onPort), listen, 'the page', 'http (--http)')
    const wide = !isLoopback(listen.host)
    const lower = names.map((name) => name.toLowerCase())
    this.#rules = {
      port,
      names: lower,
      wide,
      ...(token !== undefined && { token }),
      ...(viewToken !== undefined && { viewToken }),
    }
    const reachable =
      listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host
    this.#url = `http://${urlHost(reachable)}:${port}/`
    log.info(`listening on ${this.#url}`)
  }

  #server(listener: RequestListener): Server {
    const server = makeServer(listener)
    this.#servers.push(server)
    return server
  }

  readonly #onSocket = (request: IncomingMessage, response: ServerResponse): void => {
    setCommonHeaders(response)
    void this.#answer(request, response, { role: 'admin', via: 'socket' })
  }

  readonly #onPort = (request: IncomingMessage, response: ServerResponse): void => {
    setCommonHeaders(response)
    const rules = this.#rules
    if (rules === undefined) {
      sendError(response, 503, 'unavailable', 'the agent is starting')
      return
    }
    const isApi = request.url?.startsWith('/api/') === true
    const admitted = refuseSite(request, rules) ?? (isApi ? admit(request, rules) : undefined)
    if (admitted !== undefined && 'status' in admitted) {
      if (admitted.status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
      sendError(response, admitted.status, admitted.code, admitted.message)
      return
    }
    // So that a page offers what whoever looks may do.
    if (admitted !== undefined) response.setHeader('Homespin-Role', admitted.role)
    const address = askerOf(request)
    void this.#answer(request, response, {
      role: admitted?.role ?? 'view',
      via: 'http',
      ...(address === undefined ? {} : { address }),
    })
  }

  async #onIngress(
    request: IncomingMessage,
    response: ServerResponse,
    roleOf: (userId: string | undefined) => Promise<Role>,
  ): Promise<void> {
    setCommonHeaders(response)
    const isApi = request.url?.startsWith('/api/') === true
    const refused = isApi ? refuseOtherSite(request) : undefined
    if (refused !== undefined) {
      sendError(response, refused.status, refused.code, refused.message)
      return
    }
    const { id, address } = ingressUser(request)
    const role = isApi ? await roleOf(id) : 'view'
    if (isApi) response.setHeader('Homespin-Role', role)
    if (isApi && role === 'view') response.setHeader('Homespin-Role-Why', 'user')
    const from = address === undefined ? {} : { address }
    await this.#answer(request, response, { role, via: 'http', ...from })
  }

  async #answer(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    try {
      await this.#route(request, response, caller)
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy()
        return
      }
      // What was not read of a body must not be taken for the next request.
      if (!request.complete) response.setHeader('Connection', 'close')
      if (!sendFailure(response, error)) this.#logFault(error)
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    const [path = '', query = ''] = split(request.url ?? '')
    if (path === '/api/rpc') return await this.#rpc(request, response, caller)
    const route = this.#routes.get(path)
    if (route !== undefined) return await this.#ask(request, response, route, query, caller)
    const file = this.#files.get(path)
    if (file === undefined && path !== '/api/live' && path !== '/api/openapi.json') {
      throw path === '/'
        ? new RequestError(
            404,
            'no_page',
            'the page is not built: npm start builds it, and so does npx vite build panel',
          )
        : new RequestError(404, 'not_found', 'there is nothing at this path')
    }
    allow(request, response, ['GET', 'HEAD'])
    if (file !== undefined) return sendFile(request, response, file)
    if (path === '/api/openapi.json') {
      const { methods, version = '0.0.0' } = this.#options
      return sendJson(response, 200, openApi(methods.list(), version))
    }
    if (request.method === 'HEAD') return void response.writeHead(200).end()
    if (!this.live.join(response)) {
      throw new RequestError(503, 'too_many', 'too many pages follow this agent already; close one')
    }
  }

  /** Reads by `GET` with a query, changes by `POST` with a body of JSON. */
  async #ask(
    request: IncomingMessage,
    response: ServerResponse,
    { verb, method }: Route,
    query: string,
    caller: Caller,
  ): Promise<void> {
    allow(request, response, verb === 'GET' ? ['GET', 'HEAD'] : ['POST'])
    if (verb === 'POST' && query !== '') {
      throw new RequestError(
        400,
        'invalid_arguments',
        'send arguments in the body, not in the query',
      )
    }
    const args =
      verb === 'GET'
        ? queryArguments(query, this.#numbers.get(method) ?? [])
        : await readJsonBody(request)
    sendJson(response, 200, await this.#options.methods.call(method, args, caller))
  }

  async #rpc(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    allow(request, response, ['POST'])
    const body = await readJsonBody(request)
    const answer = await answerRpc(body, this.#options.methods, caller, (error) =>
      this.#logFault(error),
    )
    if (answer === undefined) response.writeHead(204).end()
    else sendJson(response, 200, answer)
  }

  #logFault(error: unknown): void {
    this.#options.log.error(
      () => `a request failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`,
    )
  }
}

function makeServer(listener: RequestListener): Server {
  const server = createNodeServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5000 },
    listener,
  )
  server.maxConnections = MAX_CONNECTIONS
  server.maxHeadersCount = 100
  return server
}

function allow(
  request: IncomingMessage,
  response: ServerResponse,
  methods: readonly string[],
): void {
  if (methods.includes(request.method ?? '')) return
  response.setHeader('Allow', methods.join(', '))
  throw new RequestError(405, 'wrong_method', `use ${methods[0]}`)
}

/** Path and query as they were sent: a path is compared, never decoded or resolved. */
function split(url: string): [string, string] {
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}
