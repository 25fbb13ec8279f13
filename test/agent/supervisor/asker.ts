// One request from where it is run, with any headers and from any of its addresses; prints what came of it as JSON.
import { request } from 'node:http'

export interface Asked {
  host: string
  port: number
  path: string
  method?: string
  headers?: Record<string, string>
  body?: string
  /** Source address. */
  from?: string
}

export interface Answered {
  status?: number
  headers?: Record<string, string>
  body?: string
  /** Why there was no answer. */
  error?: string
}

if (import.meta.main) {
  const { from, body, ...options } = JSON.parse(process.argv[2] ?? '{}') as Asked
  const tell = (answered: Answered): void => {
    process.stdout.write(JSON.stringify(answered))
    process.exit(0)
  }
  const source = from === undefined ? {} : { localAddress: from }
  const asking = request({ ...options, ...source, agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (part: string) => {
      text += part
    })
    const headers = response.headers as Record<string, string>
    response.on('end', () => tell({ status: response.statusCode ?? 0, headers, body: text }))
  })
  asking.on('error', (error: NodeJS.ErrnoException) => tell({ error: error.code ?? error.message }))
  setTimeout(() => tell({ error: 'TIMEOUT' }), Number(process.env.ASK_MS ?? 10_000))
  asking.end(body)
}
