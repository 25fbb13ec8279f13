// The home, as Home Assistant's registries have it. The frontend keeps no unique ids: they are asked for once for each set of
// entities that Homespin has. Any user may.
import { shownText } from '../display-name.ts'
import type { Hass } from './hass.ts'
import type { Home } from './home.ts'
import { homeOf, ourEntityIds } from './home.ts'

/** How long until a refused question is asked again. */
const RETRY_MS = 10_000

interface Entry {
  entity_id: string
  unique_id: string
}

const MOST_AT_ONCE = 500

/** Tells the home whenever the registries change, until `stop()`. */
export class HomeReader {
  readonly #onHome: (home: Home) => void
  readonly #onFailure: (reason: string) => void
  #hass: Hass | undefined
  #ids: ReadonlyMap<string, string> | undefined
  #asked: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(onHome: (home: Home) => void, onFailure: (reason: string) => void) {
    this.#onHome = onHome
    this.#onFailure = onFailure
  }

  /** Reads the registries that `hass` carries. */
  read(hass: Hass): void {
    this.#hass = hass
    const entityIds = ourEntityIds(hass)
    const asked = entityIds.join()
    if (asked !== this.#asked) void this.#ask(hass, entityIds, asked)
    else if (this.#ids !== undefined) this.#onHome(homeOf(hass, this.#ids))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#hass = undefined
    this.#asked = undefined
  }

  async #ask(hass: Hass, entityIds: readonly string[], asked: string): Promise<void> {
    this.#asked = asked
    clearTimeout(this.#timer)
    try {
      const ids = await loadUniqueIds(hass, entityIds)
      if (asked !== this.#asked || this.#hass === undefined) return
      this.#ids = ids
      this.#onHome(homeOf(this.#hass, ids))
    } catch (error) {
      if (asked !== this.#asked) return
      const { message } = (error ?? {}) as { message?: string }
      this.#onFailure(shownText(message, String(error)))
      this.#timer = setTimeout(() => {
        this.#asked = undefined
        if (this.#hass !== undefined) this.read(this.#hass)
      }, RETRY_MS)
    }
  }
}

async function loadUniqueIds(
  hass: Pick<Hass, 'callWS'>,
  entityIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>()
  for (let at = 0; at < entityIds.length; at += MOST_AT_ONCE) {
    const entries = await hass.callWS<Readonly<Record<string, Entry | null>>>({
      type: 'config/entity_registry/get_entries',
      entity_ids: entityIds.slice(at, at + MOST_AT_ONCE),
    })
    for (const entry of Object.values(entries)) {
      if (entry !== null) ids.set(entry.entity_id, entry.unique_id)
    }
  }
  return ids
}
