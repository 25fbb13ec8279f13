// A real Node-RED, as its own process, with our package installed as npm would install it.

import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildNodes } from '../../scripts/build-nodes.ts'
import { freePort } from './mosquitto.ts'

const ROOT = join(import.meta.dirname, '../..')
const PACKAGE = '@homespin/node-red-homespin'

export interface NodeRed {
  url: string
  /** What it has logged so far. */
  log: () => string
  /** The flows as they are deployed. */
  flows: () => Record<string, unknown>[]
  stop: () => Promise<void>
}

export interface NodeRedOptions {
  /** Flows to begin with. */
  flows?: object[]
  /** The Node.js that runs it. */
  node?: string
}

/** Packs this package as npm does and unpacks it into `target`. */
export function installPackage(target: string): void {
  buildNodes()
  const scope = join(target, 'node_modules', ...PACKAGE.split('/'))
  mkdirSync(scope, { recursive: true })
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', target]
  const output = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
  const [{ filename }] = JSON.parse(output) as [{ filename: string }]
  execFileSync('tar', ['-xzf', join(target, filename), '-C', scope, '--strip-components=1'])
  symlinkSync(join(ROOT, 'node_modules/mqtt'), join(target, 'node_modules/mqtt'))
}

/** Starts Node-RED on a free loopback port and waits until its flows run. */
export async function startNodeRed(options: NodeRedOptions = {}): Promise<NodeRed> {
  const directory = mkdtempSync(join(tmpdir(), 'homespin-node-red-'))
  installPackage(directory)
  const port = await freePort()
  const flowFile = join(directory, 'flows.json')
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({ dependencies: { [PACKAGE]: '*' } }),
  )
  writeFileSync(flowFile, JSON.stringify(options.flows ?? []))
  writeFileSync(
    join(directory, 'settings.js'),
    `module.exports = ${JSON.stringify(settings(port))}\n`,
  )

  const args = [join(ROOT, 'node_modules/node-red/red.js'), '-u', directory]
  const child = spawn(options.node ?? process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const keep = (chunk: Buffer): void => {
    log += chunk.toString()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const stop = async (): Promise<void> => {
    await end(child)
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  const deadline = performance.now() + 60000
  while (!log.includes('Started flows')) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop()
      throw new Error(`Node-RED did not start:\n${log}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    log: () => log,
    flows: () => JSON.parse(readFileSync(flowFile, 'utf8')) as Record<string, unknown>[],
    stop,
  }
}

function settings(port: number): object {
  return {
    uiHost: '127.0.0.1',
    uiPort: port,
    flowFile: 'flows.json',
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { palette: { allowInstall: false, allowUpload: false } },
    editorTheme: { tours: false, palette: { catalogues: [] }, codeEditor: { lib: 'ace' } },
    logging: { console: { level: 'info', metrics: false, audit: false } },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10000)
  await ended
  clearTimeout(timer)
}
