// Homespin's blueprints, saved in Home Assistant over its websocket when a person asks for it.
import { readdir, readFile } from 'node:fs/promises'
import type { Auth, Connection } from 'home-assistant-js-websocket'
import type { RegistryAccess } from './registry.ts'

/** One that is saved: where it is below `blueprints/automation`, what it is called, and whether an earlier one was replaced. */
export interface SavedBlueprint {
  path: string
  name: string
  replaced: boolean
}

const FOLDER = new URL('../../blueprints/automation/homespin/', import.meta.url)
const PLACE = 'homespin'
const FILE = /^[a-z0-9_]{1,64}\.yaml$/
const TIMEOUT_MS = 15_000

/** Saves all of them. Throws an Error with a sentence for people; those before the one that failed are saved then. */
export async function installBlueprints(
  access: RegistryAccess,
  folder: URL = FOLDER,
): Promise<SavedBlueprint[]> {
  const files = (await readdir(folder).catch(() => [])).filter((name) => FILE.test(name)).sort()
  if (files.length === 0)
    throw new Error('the blueprints are no part of this installation: import them by their links')
  const connection = await inTime(connectTo(access), 'Home Assistant does not answer')
  try {
    const saved: SavedBlueprint[] = []
    for (const file of files) {
      const yaml = await readFile(new URL(file, folder), 'utf8')
      const path = `${PLACE}/${file}`
      saved.push({ path, name: nameOf(yaml) ?? file, replaced: await save(connection, path, yaml) })
    }
    return saved
  } finally {
    connection.close()
  }
}

async function connectTo({ url, token }: RegistryAccess): Promise<Connection> {
  const haws = await import('home-assistant-js-websocket')
  const auth = { wsUrl: url, accessToken: token, expired: false } as Auth
  try {
    return await haws.createConnection({ auth, setupRetry: 0 })
  } catch (error) {
    throw new Error(
      error === haws.ERR_INVALID_AUTH
        ? 'Home Assistant refuses the token: make a new one in the profile of an administrator'
        : 'Home Assistant can not be reached: is it running, and is home_assistant.url right?',
      { cause: error },
    )
  }
}

/** Whether one that was there is replaced. */
async function save(connection: Connection, path: string, yaml: string): Promise<boolean> {
  const message = { type: 'blueprint/save', domain: 'automation', path, yaml, allow_override: true }
  try {
    const result = await inTime(
      connection.sendMessagePromise<{ overrides_existing?: boolean }>(message),
      'no answer',
    )
    return result.overrides_existing === true
  } catch (error) {
    const { code, message: why } = error as { code?: unknown; message?: unknown }
    const reason = code === 'unauthorized' ? 'the token is no administrator’s' : String(why ?? code)
    throw new Error(`Home Assistant did not save ${path}: ${reason.slice(0, 300)}`, {
      cause: error,
    })
  }
}

function nameOf(yaml: string): string | undefined {
  return /^ {2}name: "?(.*?)"?$/m.exec(yaml)?.[1]
}

async function inTime<T>(work: Promise<T>, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), TIMEOUT_MS)
  })
  // Whichever comes too late is nobody's any more.
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
