// A real Home Assistant Core and its broker for a test: on loopback, onboarded, with the MQTT integration and two users. It runs
// on files of its own over a file system that nothing writes to (core-make.ts), and leaves nothing behind.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentPlace } from '../lab/agent-process.ts'
import { makeFolder, removeFolder } from '../lab/folders.ts'
import { Program, requires, until } from '../lab/process.ts'
import { freePort } from '../nodes/mosquitto.ts'
import { BROKER_PASSWORD, BROKER_USER, Broker } from './broker.ts'
import type { Account } from './core-account.ts'
import { addMqtt, makeAccounts } from './core-account.ts'
import { CORE_PATH, coreRoot, isCoreMade, whyNoCore } from './core-make.ts'
import { CoreSocket } from './core-socket.ts'

/** State of an entity, as Core gives it. */
export interface State {
  entity_id: string
  state: string
  attributes: Record<string, unknown>
  last_changed: string
  last_updated: string
}

export interface CoreOptions {
  /** A namespace where Core and broker run on its loopback, as on a box with Home Assistant. Default: this machine. */
  place?: AgentPlace
  /** See BrokerOptions. */
  persistentBroker?: boolean
  /** Parts of configuration.yaml by their name. */
  packages?: Record<string, string>
  /** More files of the configuration folder. */
  files?: Record<string, string>
}

/** Core's port in a place, where it is nobody else's. */
const PLACED_PORT = 8123
/** A first start on a slow machine. */
const START_MS = 180_000
const STOP_MS = 60_000

const CONFIGURATION = `homeassistant:
  name: A test
  latitude: 0
  longitude: 0
  elevation: 0
  unit_system: metric
  currency: EUR
  country: NL
  time_zone: Europe/Amsterdam
  language: en
  packages: !include_dir_named packages
automation: !include automations.yaml
config:
frontend:
history:
logbook:
mobile_app:
recorder:
  commit_interval: 1
logger:
  default: warning
`

/** What it complains of at each start here, with Homespin or without. */
const AT_EACH_START = /\[haffmpeg\.|\] Skipping pip installation/

/** What Core's server has besides host and port, as it stores it itself. From YAML it takes this for five minutes only. */
const HTTP_REST = {
  cors_allowed_origins: [],
  login_attempts_threshold: -1,
  ip_ban_enabled: true,
  ssl_profile: 'intermediate_v6',
  use_x_frame_options: true,
  created_at: '2026-01-01T00:00:00+00:00',
  error: null,
  error_message: null,
}

/** In a mount namespace of its own: root file system, configuration, then Core. Nothing of it outlives the process. */
const RUN = `set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$1/config"
mount -t tmpfs tmpfs "$1/tmp"
for each in proc sys dev; do mount --rbind "/$each" "$1/$each"; done
exec chroot "$1" env -i PATH="$3" HOME=/tmp LANG=C.UTF-8 python3 -m homeassistant -c /config \\
  --skip-pip --log-no-color --ignore-os-check`

/** For `before`: skips what follows, or with CI=true fails, where Core cannot be started. */
export function requiresCore(context: Mocha.Context): void {
  requires(context, 'root', 'mosquitto', 'ip', 'unshare')
  if (isCoreMade()) return
  const why = `no Home Assistant Core: ${whyNoCore() ?? 'run scripts/setup.sh ha'}`
  if (process.env.CI === 'true') throw new Error(why)
  console.error(`      skipped, ${why}`)
  context.skip()
}

export class Core {
  /** Where this process, and a browser on this machine, reach it: `http://127.0.0.1:PORT`. */
  url = ''
  /** Its port on 127.0.0.1 where it runs. */
  port = 0
  admin!: Account
  /** Is no administrator. */
  user!: Account
  broker!: Broker
  readonly #options: CoreOptions
  #folder = ''
  #program?: Program
  #socket?: CoreSocket
  #heard = 0

  constructor(options: CoreOptions = {}) {
    this.#options = options
  }

  /** Its configuration folder; `www` in it is served as /local. */
  get configFolder(): string {
    return join(this.#folder, 'config')
  }

  /** Starts broker and Core, makes the users, sets up MQTT; resolves when Core runs. About 10 s. */
  async start(): Promise<void> {
    const { place, persistentBroker } = this.#options
    this.#folder = makeFolder()
    try {
      this.port = place ? PLACED_PORT : await freePort()
      this.url = `http://127.0.0.1:${place ? await place.door(this.port) : this.port}`
      this.broker = new Broker({
        folder: this.#sub('broker'),
        ...(place ? { place } : {}),
        ...(persistentBroker === undefined ? {} : { persistent: persistentBroker }),
      })
      await this.broker.start()
      this.#configure()
      await this.#run()
      Object.assign(this, await makeAccounts(this.url))
      await this.#connect()
      await addMqtt(this.url, this.admin.token, this.#signedIn(), {
        broker: '127.0.0.1',
        port: this.broker.port,
        username: BROKER_USER,
        password: BROKER_PASSWORD,
      })
    } catch (error) {
      const said = this.log.slice(-3000)
      await this.stop()
      throw new Error(`Home Assistant Core did not start: ${error}\n${said}`, { cause: error })
    }
  }

  /** Ends both and removes their files. */
  async stop(): Promise<void> {
    await this.stopCore()
    await this.broker?.stop()
    if (this.#folder) removeFolder(this.#folder)
  }

  /** Ends Core alone, as its service manager would or, with SIGKILL, as a power cut. */
  async stopCore(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#socket?.stop()
    await this.#program?.stop(signal, STOP_MS)
  }

  /** Starts it again with what it had; resolves when it runs. */
  async startCore(): Promise<void> {
    await this.#run()
    await this.#connect()
  }

  async restart(): Promise<void> {
    await this.stopCore()
    await this.startCore()
  }

  /** Asks over a websocket as administrator. */
  call<T = unknown>(type: string, args: object = {}): Promise<T> {
    return this.#signedIn().call<T>(type, args)
  }

  /** Events of a subscription as administrator, `subscribe_events` for one; gives the function that ends it. */
  subscribe(
    type: string,
    args: object,
    listener: (event: unknown) => void,
  ): Promise<() => Promise<void>> {
    return this.#signedIn().subscribe(type, args, listener)
  }

  /** A connection of its own with a token; whoever asks stops it. */
  connect(token: string): Promise<CoreSocket> {
    return new CoreSocket(this.url, token).start()
  }

  /** Does what a click in the frontend does: `act('switch', 'turn_off', 'switch.lamp_internet_access')`. */
  act(
    domain: string,
    service: string,
    entity_id?: string,
    service_data: object = {},
  ): Promise<unknown> {
    const target = entity_id === undefined ? {} : { target: { entity_id } }
    return this.call('call_service', { domain, service, service_data, ...target })
  }

  /** Makes up a state of an entity that nothing else is behind. */
  async setState(entity_id: string, state: string): Promise<void> {
    const headers = {
      authorization: `Bearer ${this.admin.token}`,
      'content-type': 'application/json',
    }
    const body = JSON.stringify({ state })
    const answer = await fetch(`${this.url}/api/states/${entity_id}`, {
      method: 'POST',
      headers,
      body,
    })
    if (!answer.ok) throw new Error(`${entity_id}: ${answer.status} ${await answer.text()}`)
  }

  async states(): Promise<Map<string, State>> {
    const states = await this.call<State[]>('get_states')
    return new Map(states.map((state) => [state.entity_id, state]))
  }

  /** Waits until an entity is there and, where a test of it is given, passes it. */
  untilState(
    entity_id: string,
    isIt: (state: State) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<State> {
    const look = async (): Promise<State | undefined> => {
      const state = (await this.states()).get(entity_id)
      return state && isIt(state) ? state : undefined
    }
    return until(`${entity_id} in Home Assistant`, look, timeoutMs, 100)
  }

  /** Ids of the entities by their unique id. */
  async entities(): Promise<Map<string, string>> {
    const list = await this.call<{ unique_id: string; entity_id: string; platform: string }[]>(
      'config/entity_registry/list',
    )
    const ours = list.filter(({ platform }) => platform === 'mqtt')
    return new Map(ours.map(({ unique_id, entity_id }) => [unique_id, entity_id]))
  }

  /** Process id of Core itself: what starts it becomes it. */
  get pid(): number {
    if (this.#program === undefined) throw new Error('Core was not started')
    return this.#program.pid
  }

  /** All that Core logged since it was made. */
  get log(): string {
    return this.#program?.stderr ?? ''
  }

  /** What it logged as warning or worse since the last call, each with the lines that belong to it. */
  complaints(): string[] {
    const lines = this.log.split('\n')
    const records: string[] = []
    for (const line of lines) {
      if (/^\d{4}-\d\d-\d\d \S+ [A-Z]+ \(/.test(line)) records.push(line)
      else if (records.length > 0 && line !== '') records[records.length - 1] += `\n${line}`
    }
    const fresh = records.slice(this.#heard)
    this.#heard = records.length
    const bad = fresh.filter((record) => / (WARNING|ERROR|CRITICAL) \(/.test(record))
    return bad.filter((record) => !AT_EACH_START.test(record))
  }

  #configure(): void {
    const config = this.configFolder
    for (const each of ['packages', 'www', '.storage'])
      mkdirSync(join(config, each), { recursive: true })
    const files: Record<string, string> = {
      'configuration.yaml': CONFIGURATION,
      'automations.yaml': '[]\n',
      '.storage/http': stored('http', 3, {
        stable: { server_host: ['127.0.0.1'], server_port: this.port, ...HTTP_REST },
        pending: null,
        yaml_migration_done: true,
      }),
      // The step core_config adds integrations that ask services outside.
      '.storage/onboarding': stored('onboarding', 4, {
        done: ['core_config', 'analytics', 'integration'],
      }),
    }
    for (const [name, text] of Object.entries(this.#options.packages ?? {}))
      files[`packages/${name}.yaml`] = text
    for (const [name, text] of Object.entries({ ...files, ...this.#options.files })) {
      mkdirSync(dirname(join(config, name)), { recursive: true })
      writeFileSync(join(config, name), text)
    }
  }

  async #run(): Promise<void> {
    this.#program ??= this.#make()
    const program = this.#program.start()
    let over = false
    program.ended.then(
      () => {
        over = true
      },
      () => {
        over = true
      },
    )
    const answers = async (): Promise<true | undefined> => {
      if (over) throw new Error('it ended')
      const asked = fetch(`${this.url}/manifest.json`, { signal: AbortSignal.timeout(5000) })
      return (await asked.catch(() => undefined))?.ok ? true : undefined
    }
    await until('Home Assistant Core', answers, START_MS, 100)
  }

  #make(): Program {
    const args = [coreRoot(), this.configFolder, CORE_PATH]
    const command: [string, ...string[]] = ['unshare', '--mount', 'sh', '-c', RUN, 'core', ...args]
    const { place } = this.#options
    const [program, ...rest] = place ? ['ip', ...place.inside(...command)] : command
    return new Program(program, rest)
  }

  async #connect(): Promise<void> {
    this.#socket = await this.connect(this.admin.token)
    const isRunning = async (): Promise<true | undefined> => {
      const { state } = await this.call<{ state: string }>('get_config')
      return state === 'RUNNING' ? true : undefined
    }
    await until('Home Assistant Core to run', isRunning, START_MS, 100)
  }

  #signedIn(): CoreSocket {
    if (!this.#socket) throw new Error('Core was not started')
    return this.#socket
  }

  #sub(name: string): string {
    const folder = join(this.#folder, name)
    if (!existsSync(folder)) mkdirSync(folder)
    return folder
  }
}

/** A file of Core's own store. */
function stored(key: string, version: number, data: object): string {
  return JSON.stringify({ version, minor_version: 1, key, data })
}
