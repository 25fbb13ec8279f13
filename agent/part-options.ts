// What parts of the agent are made with, as the configuration says it.
import type { Config } from './config.ts'
import { splitHostPort } from './config.ts'
import type { History } from './history/history.ts'
import type { HttpServer } from './http/http-server.ts'

const DAY_S = 86_400

/** What of the configuration the store of history is made with. */
export function historyOptions(
  config: Config,
): Pick<ConstructorParameters<typeof History>[0], 'dir' | 'kept' | 'topRemotes'> {
  const { minutes_days, hours_days, days_days, max_mb, top_remotes } = config.history
  const kept = {
    minute_s: minutes_days * DAY_S,
    hour_s: hours_days * DAY_S,
    day_s: days_days * DAY_S,
    maxBytes: max_mb * 1_000_000,
  }
  return { dir: config.data, kept, topRemotes: top_remotes }
}

/** The page's tokens and port: asked for, it is that one or none; not asked for, 8080 or the next that is free. */
export function httpOptions(
  config: Config,
): Pick<ConstructorParameters<typeof HttpServer>[0], 'listen' | 'token' | 'viewToken'> {
  const tokens = {
    ...(config.token === undefined ? {} : { token: config.token }),
    ...(config.view_token === undefined ? {} : { viewToken: config.view_token }),
  }
  if (config.http === 'off') return tokens
  const asked = config.http === undefined ? undefined : splitHostPort(config.http)
  return {
    ...tokens,
    listen:
      asked === undefined
        ? { host: '127.0.0.1', port: 8080, fixed: false }
        : { ...asked, fixed: true },
  }
}
