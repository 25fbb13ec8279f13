// Home Assistant and the Supervisor between a browser and the page: `node ingress-proxy.ts TARGET ID…` serves the page below
// /api/hassio_ingress/<user>/ for each user's id, in a frame at /<user>, as the sidebar shows it. Runs as the Supervisor's address.
import { createServer, request } from 'node:http'

const [target = '', ...users] = process.argv.slice(2)

const server = createServer((asked, response) => {
  const url = asked.url ?? ''
  const framed = /^\/([0-9a-f]{32})$/.exec(url)
  if (framed !== null) {
    response.setHeader('content-type', 'text/html')
    const style = 'border:0;width:100vw;height:100vh;display:block'
    response.end(
      `<!doctype html><body style="margin:0"><iframe style="${style}" src="/api/hassio_ingress/${framed[1]}/"></iframe>`,
    )
    return
  }
  const match = /^\/api\/hassio_ingress\/([0-9a-f]{32})(\/.*)$/.exec(url)
  const id = match?.[1] ?? ''
  if (url === '/favicon.ico') {
    response.writeHead(204).end()
    return
  }
  if (match === null || !users.includes(id)) {
    response.writeHead(401).end()
    return
  }
  const headers = {
    ...asked.headers,
    'x-remote-user-id': id,
    'x-remote-user-name': 'somebody',
    'x-ingress-path': `/api/hassio_ingress/${id}`,
    'x-forwarded-for': `${asked.socket.remoteAddress}, 172.30.32.1`,
  }
  const passed = request(
    new URL(match[2] ?? '/', target),
    { method: asked.method ?? 'GET', headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    },
  )
  passed.on('error', () => response.writeHead(502).end())
  response.on('close', () => passed.destroy())
  asked.pipe(passed)
})
server.listen(8123, '127.0.0.1', () => process.stdout.write('listening\n'))
