// Who takes what an agent says while it is measured: the real subscriber of mosquitto, and a page's live feed.
import { HTTP_PORT, MQTT_PORT } from '../test/lab/agent-process.ts'
import { Program, until } from '../test/lab/process.ts'

/**
 * `nobody`; the embedded broker with a subscriber to everything, and a page; or the same with a mosquitto of its own. The
 * subscriber and the page are programs of their own: what they take up is not the agent's.
 */
export type Audience = 'nobody' | 'embedded' | 'external'

/** Not the embedded broker's port, so that nobody takes the one for the other. */
const EXTERNAL_PORT = MQTT_PORT + 1

/** Turns a command into arguments for `ip` that run it where the agent is. */
type Inside = (...command: string[]) => string[]

/** The programs of an audience. */
export class Listeners {
  readonly #audience: Audience
  readonly #inside: Inside
  readonly #running: Program[] = []
  #batches = 0

  constructor(audience: Audience, inside: Inside) {
    this.#audience = audience
    this.#inside = inside
  }

  /** What the agent has to be told of them. */
  get arguments(): { broker: string; args: string[] } {
    if (this.#audience === 'external') {
      return { broker: `mqtt://127.0.0.1:${EXTERNAL_PORT}`, args: ['--mqtt-publish-names'] }
    }
    return { broker: 'embedded', args: ['--mqtt-embedded-port', String(MQTT_PORT)] }
  }

  /** Batches of flows that the subscriber has got. */
  get batches(): number {
    return this.#batches
  }

  /** Before the agent: its broker. */
  startBroker(): void {
    if (this.#audience !== 'external') return
    this.#run('mosquitto', '-p', String(EXTERNAL_PORT))
  }

  /** Once the agent runs: those who listen. Resolves when the subscriber hears. */
  async listen(agent: string): Promise<void> {
    if (this.#audience === 'nobody') return
    const port = String(this.#audience === 'external' ? EXTERNAL_PORT : MQTT_PORT)
    const where = ['-h', '127.0.0.1', '-p', port]
    // Of each message its topic alone: the bench would read hundreds of MB otherwise.
    const topics = this.#run('mosquitto_sub', ...where, '-t', 'homespin/#', '-F', '%t')
    let heard = false
    topics.onLine((topic) => {
      heard = true
      if (topic === `homespin/${agent}/flow`) this.#batches++
    })
    const page = `http://127.0.0.1:${HTTP_PORT}/api/live`
    this.#run('curl', '--silent', '--no-buffer', '--output', '/dev/null', page)
    await until('a subscriber that hears', () => heard || undefined)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((program) => program.stop('SIGTERM', 2000)))
  }

  #run(...command: string[]): Program {
    const program = new Program('ip', this.#inside(...command)).start()
    this.#running.push(program)
    return program
  }
}
