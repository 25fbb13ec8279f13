// Homespin as an app of Home Assistant: the broker that it is told, the page in the sidebar, and who may act there.
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpServer } from '../http/http-server.ts'
import type { Log } from '../log.ts'
import { ServiceBroker } from './broker.ts'
import type { SupervisorAccess } from './client.ts'
import { SupervisorClient } from './client.ts'
import type { ListenOnDevice } from './ingress.ts'
import { Ingress } from './ingress.ts'
import { Users } from './users.ts'

export interface AppParts {
  access: SupervisorAccess
  listenOnDevice: ListenOnDevice
  /** Whether the broker is the one that the Supervisor names. */
  findsBroker: boolean
  log: Log
}

/** Traffic is not left unseen for longer, because the Supervisor is busy. */
const PATIENCE_MS = 2000

/** Whoever runs an agent as an app has one of these. */
export class App {
  readonly #parts: AppParts
  readonly #client: SupervisorClient
  /** Undefined where a person has named another one. */
  readonly broker: ServiceBroker | undefined
  #ingress: Ingress | undefined

  constructor(parts: AppParts) {
    this.#parts = parts
    this.#client = new SupervisorClient(parts.access)
    if (parts.findsBroker) {
      this.broker = new ServiceBroker({ client: this.#client, log: parts.log })
    }
  }

  /** Asks for the broker, and serves the page as soon as it can; a Supervisor that does not answer is not waited for. */
  async start(http: HttpServer): Promise<void> {
    const { access, listenOnDevice, log } = this.#parts
    const users = new Users({ access, log })
    this.#ingress = new Ingress({
      client: this.#client,
      log,
      listenOnDevice,
      makeServer: () => http.forIngress((userId) => users.roleOf(userId)),
    })
    const both = Promise.all([this.broker?.start(), this.#ingress.start()])
    await Promise.race([both, sleep(PATIENCE_MS, undefined, { ref: false })])
  }

  async stop(): Promise<void> {
    this.broker?.stop()
    await this.#ingress?.stop()
  }
}
