// npm start: the agent with its page and broker, and Node-RED beside it, until Ctrl-C.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { readArguments } from '../agent/cli/arguments.ts'
import { loadConfig } from '../agent/config-read.ts'
import { ChildDied, Children } from './children.ts'
import type { NodeRedSettings } from './node-red.ts'
import type { Stage, User } from './unprivileged.ts'
import { giveOne, makeStage, unprivilegedUser } from './unprivileged.ts'

const ROOT = join(import.meta.dirname, '..')
const PACKAGE = '@homespin/node-red-homespin'
const EXAMPLE = 'examples/01 - Watch what a device does.json'
const CONFIG_NODE = 'homespin-agent'
/** Id of the node with an authority, where there is one. */
const TLS_NODE = '7a1b3c5d7e9f0246'
const EDITOR_PORT = 1880
/** Where the user is: npm runs scripts in the checkout. */
const CWD = process.env.INIT_CWD ?? process.cwd()

const HELP = `npm start -- [options]

Runs the agent with an embedded MQTT broker and its page, and Node-RED with the Homespin nodes and a first flow.
Everything listens on 127.0.0.1. The agent captures live on the interfaces that it may (as root, or with CAP_NET_RAW);
where it may none, it plays a demo home of ten devices and their router. Node-RED never runs as root. Ctrl-C ends
all of it.

  --demo                 play the demo home, whatever may be captured
  --data DIR             where state is kept (default: data in the checkout): DIR/agent and DIR/node-red; what is made
                         up, or of a file, never mixes with your home: DIR/agent/demo and DIR/node-red-demo, or …file
  --node-red-port PORT   where the editor listens (default ${EDITOR_PORT}, or the next free port)
  --no-node-red          run the agent alone
  --help                 show this text

All other options go to the agent, for example:
  --mode gateway|bridge|host|mirror   where traffic is seen (default: found out)
  --interface NAME                    interface to capture, may be repeated
  --lan CIDR                          prefix of the home, may be repeated
  --broker mqtt://HOST[:PORT]         use this broker instead of the embedded one
  --http HOST:PORT                    where the page is served
  --agent ID                          id of the agent in MQTT topics (default: home)
All of them: npx homespin start --help`

/** What the agent says when it is ready. */
interface Where {
  page?: string
  broker: string
  agent: string
  prefix: string
  mode: string
  data: string
}

/** How Node-RED gets to the broker. */
interface Broker {
  host: string
  port: string
  tls: boolean
  user: string
  password: string
  /** PEM file of an authority; empty: the system's. */
  ca: string
}

interface Options {
  demo: boolean
  nodeRed: boolean
  data: string
  port: number | undefined
  /** For the agent. */
  rest: string[]
}

function parse(args: readonly string[]): Options | undefined {
  const options: Options = {
    demo: false,
    nodeRed: true,
    data: join(ROOT, 'data'),
    port: undefined,
    rest: [],
  }
  const left = [...args]
  const value = (name: string, inline: string | undefined): string => {
    const given = inline ?? left.shift()
    if (!given) throw new Error(`${name} needs a value. See: npm start -- --help`)
    return given
  }
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const at = arg.indexOf('=')
    const name = at < 0 ? arg : arg.slice(0, at)
    const inline = at < 0 ? undefined : arg.slice(at + 1)
    if (name === '--help' || name === '-h') return undefined
    if (name === '--demo') options.demo = true
    else if (name === '--no-node-red') options.nodeRed = false
    else if (name === '--data') options.data = resolve(CWD, value(name, inline))
    else if (name === '--node-red-port') options.port = portOf(value(name, inline))
    else options.rest.push(arg)
  }
  return options
}

function portOf(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--node-red-port must be a port from 0 to 65535, not ${text}`)
  return port
}

/** The agent's command line. `--or-demo` leaves it to the agent whether anything may be captured here. */
function agentCommand({ demo, data, rest }: Options): string[] {
  const mode = demo ? ['--mode', 'demo'] : ['--or-demo']
  const main = join(ROOT, 'agent/main.ts')
  return [
    process.execPath,
    main,
    'start',
    '--json',
    '--data',
    join(data, 'agent'),
    ...mode,
    ...rest,
  ]
}

/** Puts our nodes and, the first time, the first example into Node-RED's directory. */
function furnish(directory: string, stage: Stage, user: User | undefined, broker: Broker): void {
  const link = join(directory, 'node_modules', PACKAGE)
  for (const made of ['node_modules', dirname(join('node_modules', PACKAGE))]) {
    mkdirSync(join(directory, made), { recursive: true })
    giveOne(join(directory, made), user)
  }
  rmSync(link, { recursive: true, force: true })
  symlinkSync(stage.root, link)
  giveOne(link, user)
  nameAsDependency(join(directory, 'package.json'), stage.root, user)
  write(join(directory, 'flows.json'), user, () => firstFlow(broker))
}

/** npm, which the editor's palette runs, removes what is not a dependency. */
function nameAsDependency(path: string, root: string, user: User | undefined): void {
  const fresh = { name: 'homespin-flows', version: '0.0.1', private: true }
  const old: { dependencies?: object } = existsSync(path)
    ? JSON.parse(readFileSync(path, 'utf8'))
    : fresh
  const dependencies = { ...old.dependencies, [PACKAGE]: `file:${root}` }
  writeFileSync(path, `${JSON.stringify({ ...old, dependencies }, null, 2)}\n`)
  giveOne(path, user)
}

function write(path: string, user: User | undefined, content: () => object): void {
  if (existsSync(path)) return
  writeFileSync(path, `${JSON.stringify(content(), null, 2)}\n`, { mode: 0o600 })
  giveOne(path, user)
}

/**
 * The broker that the agent really uses, with what it is given of the configuration to get in: its ready line has no secrets.
 * Throws what the agent would have thrown.
 */
function brokerOf(where: Where, rest: readonly string[]): Broker {
  const url = new URL(where.broker)
  const parsed = readArguments(['start', ...rest], '')
  if (typeof parsed === 'string') throw new Error(parsed)
  const named = parsed.own.config ?? process.env.HOMESPIN_CONFIG
  const file = typeof named === 'string' && named !== '' ? resolve(CWD, named) : undefined
  const keys = ['mqtt.username', 'mqtt.password', 'mqtt.ca_file']
  const { mqtt } = loadConfig(file, process.env, parsed.flags, [], keys)
  const tls = url.protocol === 'mqtts:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (tls ? '8883' : '1883'),
    tls,
    user: mqtt.username ?? '',
    password: mqtt.password ?? '',
    ca: mqtt.ca_file === undefined ? '' : resolve(CWD, mqtt.ca_file),
  }
}

/** The first example, with a config node that finds agent and broker wherever they are this time. */
function firstFlow({ tls, ca }: Broker): object {
  const nodes = JSON.parse(readFileSync(join(ROOT, EXAMPLE), 'utf8')) as Record<string, unknown>[]
  const own = {
    host: '${HOMESPIN_BROKER_HOST}',
    port: '${HOMESPIN_BROKER_PORT}',
    prefix: '${HOMESPIN_PREFIX}',
    agent: '${HOMESPIN_AGENT}',
    usetls: tls,
    tls: ca === '' ? '' : TLS_NODE,
  }
  const all = nodes.map((node) => (node.type === CONFIG_NODE ? { ...node, ...own } : node))
  return ca === ''
    ? all
    : [...all, { id: TLS_NODE, type: 'tls-config', ca, verifyservercert: true }]
}

/** User and password of the first flow's config nodes, by their ids. */
function firstCredentials(): Record<string, object> {
  const nodes = JSON.parse(readFileSync(join(ROOT, EXAMPLE), 'utf8')) as {
    id: string
    type: string
  }[]
  const own = { user: '${HOMESPIN_BROKER_USER}', password: '${HOMESPIN_BROKER_PASSWORD}' }
  return Object.fromEntries(
    nodes.filter(({ type }) => type === CONFIG_NODE).map(({ id }) => [id, own]),
  )
}

async function startNodeRed(
  children: Children,
  options: Options,
  stage: Stage,
  where: Where,
  broker: Broker,
): Promise<string> {
  const settings: NodeRedSettings = {
    userDir: stage.directory,
    port: options.port ?? EDITOR_PORT,
    fixed: options.port !== undefined,
    credentials: firstCredentials(),
  }
  const { PATH, LANG, TZ } = process.env
  // Where its user can reach it: the one that runs this may be below a folder that only root may enter.
  const node = join(stage.root, 'node_modules/.bin/node')
  const ready = await children.start<{ editor: string }>({
    name: 'node-red',
    command: [...stage.become, node, join(stage.root, 'scripts/node-red.ts')],
    cwd: '/',
    // Its own environment: nothing of the shell that started this, sudo's or npm's, is Node-RED's to know.
    env: {
      PATH,
      LANG,
      TZ,
      HOME: stage.directory,
      HOMESPIN_NODE_RED: JSON.stringify(settings),
      HOMESPIN_BROKER_HOST: broker.host,
      HOMESPIN_BROKER_PORT: broker.port,
      HOMESPIN_BROKER_USER: broker.user,
      HOMESPIN_BROKER_PASSWORD: broker.password,
      HOMESPIN_PREFIX: where.prefix,
      HOMESPIN_AGENT: where.agent,
    },
  })
  return ready.editor
}

function show(where: Where, editor: string | undefined, options: Options): void {
  const lines = [
    `Homespin is running${where.mode === 'demo' ? ' and plays a demo home' : `, mode ${where.mode}`}.`,
    `  Page      ${where.page ?? 'off'}`,
    `  Node-RED  ${editor ?? 'off'}`,
    `  MQTT      ${where.broker}`,
    `  Data      ${options.data.startsWith(`${CWD}/`) ? relative(CWD, options.data) : options.data}`,
    'Ctrl-C ends it.',
  ]
  process.stdout.write(`\n${lines.join('\n')}\n\n`)
}

async function main(args: readonly string[]): Promise<number> {
  const options = parse(args)
  if (!options) {
    process.stdout.write(`${HELP}\n`)
    return 0
  }
  const children = new Children()
  let stage: Stage | undefined
  const outcome = new Promise<number>((end) => {
    // npm passes on what the terminal has already sent: the same wish twice is still one.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0))
    children.onDied = (what) => {
      process.stderr.write(`${what}; ending the rest\n`)
      end(1)
    }
  })
  const run = async (): Promise<void> => {
    // Not for root alone: Node-RED's directory is below it, and the agent closes its own.
    mkdirSync(options.data, { recursive: true, mode: 0o755 })
    const where = await children.start<Where>({
      name: 'agent',
      command: agentCommand(options),
      cwd: CWD,
    })
    let editor: string | undefined
    if (options.nodeRed) {
      const user = unprivilegedUser(process.env)
      const broker = brokerOf(where, options.rest)
      const apart = where.mode === 'demo' || where.mode === 'file' ? `-${where.mode}` : ''
      const directory = join(options.data, `node-red${apart}`)
      stage = makeStage(ROOT, directory, user)
      furnish(directory, stage, user, broker)
      editor = await startNodeRed(children, options, stage, where, broker)
    }
    show(where, editor, options)
  }
  const failed = run().then(
    () => outcome,
    (error: Error) => {
      if (!(error instanceof ChildDied)) process.stderr.write(`${error.message}\n`)
      return 1
    },
  )
  const code = await Promise.race([outcome, failed])
  await children.stop()
  stage?.remove()
  return code
}

process.exit(await main(process.argv.slice(2)))
