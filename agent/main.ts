#!/usr/bin/env node
// The program homespin: arguments, signals and exit codes; nothing else ends the process.
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import type { Parsed } from './cli/arguments.ts'
import type { Config } from './config.ts'
import { cacheDir, relaunch } from './launch.ts'

// Keeps modules compiled between runs: a quicker start that needs less memory.
const cache = cacheDir()
if (process.env.NODE_COMPILE_CACHE === undefined && cache !== undefined) enableCompileCache(cache)

const version = (
  JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  const { readArguments, UsageError } = await import('./cli/arguments.ts')
  const { ConfigError } = await import('./config.ts')
  try {
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
    return error instanceof UsageError || error instanceof ConfigError ? 2 : 1
  }
}

async function run(parsed: Parsed): Promise<number> {
  const config = await configOf(parsed)
  const json = parsed.own.json === true
  switch (parsed.command) {
    case 'start': {
      await relaunch(version, () => import('./cli/start.ts'))
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
  }
}

async function configOf(parsed: Parsed): Promise<Config> {
  const { loadConfig } = await import('./config-read.ts')
  const named = parsed.own.config ?? process.env.HOMESPIN_CONFIG
  return loadConfig(
    typeof named === 'string' && named !== '' ? named : undefined,
    process.env,
    parsed.flags,
  )
}
