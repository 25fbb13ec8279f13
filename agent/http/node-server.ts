// Node's HTTP server without the rest of `node:http`: importing that reads all that it exports, and so loads fetch, web
// sockets, HTTP/2 and TLS, 12 MB of which the agent uses nothing.
import type { RequestListener, Server, ServerOptions } from 'node:http'

interface ServerModule {
  Server: new (options: ServerOptions, listener: RequestListener) => Server
}

/** As `createServer` of `node:http`. */
export function createNodeServer(options: ServerOptions, listener: RequestListener): Server {
  // Node's own file for it, which later versions may keep to themselves.
  const alone = process.getBuiltinModule('node:_http_server') as ServerModule | undefined
  const { Server } = alone ?? process.getBuiltinModule('node:http')
  return new Server(options, listener)
}
