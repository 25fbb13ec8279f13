// A phone with Home Assistant's app, as far as notifications go: it registers as the app does, gets what is pushed to it from a
// server where Core can reach one, and presses buttons by its webhook. `node phone.ts PORT` is that server: a line for each push.
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'
import type { AgentPlace } from '../lab/agent-process.ts'
import { Program, until } from '../lab/process.ts'
import type { Core } from './core.ts'

/** Where pushes go, in a place. */
const PORT = 8125
/** A notification comes within, on a slow machine. */
const PUSH_MS = 45_000

/** What was pushed. */
export interface Push {
  title?: string
  message: string
  data?: { tag?: string; actions?: { action: string; title: string }[] }
}

export class Phone {
  /** In Home Assistant's device registry. */
  deviceId = ''
  readonly #core: Core
  readonly #server: Program
  readonly #pushes: Push[] = []
  #webhook = ''

  constructor(core: Core, place: AgentPlace) {
    this.#core = core
    const args = place.inside(process.execPath, import.meta.filename, String(PORT))
    this.#server = new Program('ip', args)
  }

  async start(): Promise<void> {
    this.#server.start().onLine((line) => {
      if (line !== 'ready') this.#pushes.push(JSON.parse(line) as Push)
    })
    await this.#server.until(/ready/)
    const app = {
      device_id: 'a-test-phone',
      app_id: 'test',
      app_name: 'A test',
      app_version: '1',
      device_name: 'Phone',
      manufacturer: 'Test',
      model: 'Test',
      os_name: 'Test',
      os_version: '1',
      supports_encryption: false,
      app_data: { push_token: 'token', push_url: `http://127.0.0.1:${PORT}/` },
    }
    const headers = {
      authorization: `Bearer ${this.#core.admin.token}`,
      'content-type': 'application/json',
    }
    const options = { method: 'POST', headers, body: JSON.stringify(app) }
    const answer = await fetch(`${this.#core.url}/api/mobile_app/registrations`, options)
    if (!answer.ok) throw new Error(`the phone was not registered: ${await answer.text()}`)
    this.#webhook = ((await answer.json()) as { webhook_id: string }).webhook_id
    this.deviceId = await until('the phone in the registry', async () => {
      const all = await this.#core.call<{ id: string; identifiers: [string, string][] }[]>(
        'config/device_registry/list',
      )
      return all.find(({ identifiers }) => identifiers.some(([of]) => of === 'mobile_app'))?.id
    })
  }

  async stop(): Promise<void> {
    await this.#server.stop('SIGKILL')
  }

  /** The next notification whose message or title matches; those before it are gone. */
  async next(pattern: RegExp): Promise<Push> {
    return await until(
      `a notification like ${pattern}`,
      () => {
        const at = this.#pushes.findIndex(
          ({ title = '', message }) => pattern.test(title) || pattern.test(message),
        )
        return at < 0 ? undefined : this.#pushes.splice(0, at + 1)[at]
      },
      PUSH_MS,
    )
  }

  /** What came that nobody waited for. */
  get unread(): readonly Push[] {
    return this.#pushes
  }

  /** Presses one of a notification's buttons. */
  async press({ data }: Push, title: string): Promise<void> {
    const action = data?.actions?.find((each) => each.title === title)?.action
    if (action === undefined) throw new Error(`there is no button ${title}`)
    const body = JSON.stringify({
      type: 'fire_event',
      data: { event_type: 'mobile_app_notification_action', event_data: { action } },
    })
    const headers = { 'content-type': 'application/json' }
    const url = `${this.#core.url}/api/webhook/${this.#webhook}`
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`${title}: ${answer.status} ${await answer.text()}`)
  }
}

function serve(port: number): void {
  createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => {
      body += piece
    })
    request.on('end', () => {
      console.log(JSON.stringify(JSON.parse(body)))
      response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
    })
  }).listen(port, '127.0.0.1', () => console.log('ready'))
  process.stdin.resume().on('end', () => process.exit(0))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) serve(Number(process.argv[2]))
