#!/usr/bin/env node
// The program homespin: arguments, signals and exit codes; nothing else ends the process.
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import type { Parsed } from './cli/arguments.ts'
import type { OrderName } from './cli/order-commands.ts'
import type { Config } from './config.ts'
import { cacheDir, relaunch } from './launch.ts'
import { supervisorAccess } from './supervisor/access.ts'

/** Where an app of Home Assistant finds its options and keeps its state. */
const DATA = '/data'
const HELP = ['--help', '-h']

// Keeps modules compiled between runs: a quicker start that needs less memory.
const cache = process.env.NODE_COMPILE_CACHE === undefined ? cacheDir() : undefined
if (cache !== undefined) enableCompileCache(cache)

const version = (
  JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  try {
    // Before anything is read: the next process would read it again.
    if (argv[0] === 'start' && !argv.some((each) => HELP.includes(each)))
      await relaunch(version, loadStart)
    const { readArguments } = await import('./cli/arguments.ts')
    const parsed = readArguments(argv, version)
    if (typeof parsed === 'string') {
      process.stdout.write(`${parsed}\n`)
      return 0
    }
    return await run(parsed)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`homespin: ${message}\n`)
    if (process.env.HOMESPIN_LOG === 'debug' && error instanceof Error)
      process.stderr.write(`${error.stack}\n`)
    const { UsageError } = await import('./cli/arguments.ts')
    const { ConfigError } = await import('./config.ts')
    return error instanceof UsageError || error instanceof ConfigError ? 2 : 1
  }
}

/** All that the agent consists of. */
async function loadStart(): Promise<void> {
  await Promise.all([
    import('./cli/arguments.ts'),
    import('./config-read.ts'),
    import('./cli/start.ts'),
    import('./mqtt/mqtt-link.ts'),
    import('./home-assistant/discovery.ts'),
    import('./home-assistant/registry.ts'),
    import('./home-assistant/blueprints.ts'),
    import('home-assistant-js-websocket'),
    import('./supervisor/app.ts'),
    import('./supervisor/options.ts'),
  ])
}

async function run(parsed: Parsed): Promise<number> {
  const config = await configOf(parsed)
  const json = parsed.own.json === true
  switch (parsed.command) {
    case 'start': {
      const { runStart } = await import('./cli/start.ts')
      return await runStart({ config, json, orDemo: parsed.own['or-demo'] === true, version })
    }
    case 'replay': {
      const { runReplay } = await import('./cli/replay.ts')
      const { addon } = await import('./addon.ts')
      return await runReplay(
        { files: parsed.operands, json, updates: parsed.own.updates === true, config },
        addon,
      )
    }
    case 'print': {
      const { runPrint } = await import('./cli/print.ts')
      return await runPrint(config.data, json)
    }
    case 'devices': {
      const { runDevices } = await import('./cli/devices.ts')
      return await runDevices(config.data, json)
    }
    case 'doctor': {
      const { runDoctor } = await import('./cli/doctor.ts')
      return await runDoctor(config, json)
    }
    default:
      return await runMethod(parsed.command, parsed.args ?? {}, config, json)
  }
}

/** A command that calls a method of the running agent. */
async function runMethod(
  name: OrderName,
  args: Record<string, unknown>,
  config: Config,
  json: boolean,
): Promise<number> {
  const { data } = config
  if (name === 'panic') {
    const { runPanic } = await import('./cli/panic.ts')
    return await runPanic({ name, args, data, json }, config)
  }
  const { runOrder } = await import('./cli/orders.ts')
  return await runOrder({ name, args, data, json })
}

/** What a command is told. Whoever needs little of the configuration is not stopped by the rest; `panic` by nothing in it. */
async function configOf(parsed: Parsed): Promise<Config> {
  const { loadConfig } = await import('./config-read.ts')
  const named = parsed.own.config ?? process.env.HOMESPIN_CONFIG
  const access = supervisorAccess(process.env)
  const { data = DATA } = parsed.flags
  const file = typeof named === 'string' && named !== '' ? named : undefined
  const { only } = parsed
  if (only !== undefined) {
    const flags = access === undefined ? parsed.flags : { ...parsed.flags, data }
    try {
      return loadConfig(file, process.env, flags, [], only)
    } catch (error) {
      if (parsed.command !== 'panic') throw error
      process.stderr.write(`homespin: ${(error as Error).message}\n`)
      return loadConfig(undefined, {}, { data: flags.data }, [], only)
    }
  }
  const app =
    access === undefined
      ? []
      : (await import('./supervisor/options.ts')).appOptions(String(data), access)
  return loadConfig(file, process.env, parsed.flags, app)
}
