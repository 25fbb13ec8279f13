// What homespin start captures, where that depends on what this user may.
import type { Addon } from '../addon.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'

/**
 * With `--or-demo` and no interface named, a box on which nothing may be captured plays the demo home, and says so. Whoever
 * names an interface wants that one: where it is absent it is waited for, and that is said too.
 */
export function chooseMode(
  config: Config,
  orDemo: boolean,
  addon: Pick<Addon, 'createCapture' | 'tryInterface'>,
  log: Log,
): Config {
  const { mode, interfaces } = config
  if (mode === 'demo' || mode === 'file' || mode === 'remote') return config
  const forbidden = refusal(addon)
  if (forbidden === undefined) {
    for (const name of interfaces) {
      const reason = addon.tryInterface(name)
      if (reason !== undefined) log.warn(`${reason}; waiting for it. Is --interface ${name} right?`)
    }
    return config
  }
  // What then starts says why it can not.
  if (!orDemo || interfaces.length > 0) return config
  log.warn(`playing the demo home, as nothing may be captured here: ${forbidden}`)
  return { ...config, mode: 'demo' }
}

/** Why nothing at all may be captured; undefined where it may. */
function refusal({ createCapture }: Pick<Addon, 'createCapture'>): string | undefined {
  try {
    createCapture({ ringBytes: 65_536 }).setInterfaces([{ name: 'lo', count: 'incoming' }])
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
