// What a new Home Assistant is asked to do over its own API before it can be used: its first user, a second one who is no
// administrator, their tokens, and the MQTT integration.
import { until } from '../lab/process.ts'
import { CoreSocket } from './core-socket.ts'

/** A user of Core, with all that signs them in. */
export interface Account {
  name: string
  password: string
  /** Long-lived: for `Authorization: Bearer`, a websocket, or the agent's configuration. */
  token: string
  /** For a browser: `localStorage.setItem('hassTokens', JSON.stringify(this))` on Core's origin signs it in. */
  hassTokens: object
}

interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
}

export interface BrokerAddress {
  broker: string
  port: number
  username: string
  password: string
}

interface Field {
  name: string
  required?: boolean
  default?: unknown
  /** Of a part of the form that can be folded. */
  schema?: Field[]
}

interface Step {
  type: string
  flow_id: string
  errors?: object
  data_schema?: Field[]
}

const ADMIN = { name: 'admin', password: 'admin-password' }
const NORMAL = { name: 'normal', password: 'normal-password' }
/** Asked for without a proposal. */
const NO_TLS = { set_client_cert: false, set_ca_cert: 'off' }
const MQTT_MS = 30_000

/** Makes both users of a Core that has none. */
export async function makeAccounts(url: string): Promise<{ admin: Account; user: Account }> {
  const client_id = `${url}/`
  const first = { name: 'Admin', username: ADMIN.name, password: ADMIN.password }
  const made = await post<{ auth_code: string }>(url, '/api/onboarding/users', {
    json: { ...first, client_id, language: 'en' },
  })
  const tokens = await tokensOf(url, made.auth_code)
  const socket = await new CoreSocket(url, tokens.access_token).start()
  try {
    const second = { name: 'Normal', group_ids: ['system-users'], local_only: false }
    const { user } = await socket.call<{ user: { id: string } }>('config/auth/create', second)
    await socket.call('config/auth_provider/homeassistant/create', {
      user_id: user.id,
      username: NORMAL.name,
      password: NORMAL.password,
    })
  } finally {
    socket.stop()
  }
  return {
    admin: await account(url, ADMIN, tokens),
    user: await account(url, NORMAL, await signIn(url, NORMAL)),
  }
}

/** Sets up Core's MQTT integration as a person would, by its form, and waits until it is connected. */
export async function addMqtt(
  url: string,
  token: string,
  socket: CoreSocket,
  to: BrokerAddress,
): Promise<void> {
  const path = '/api/config/config_entries/flow'
  let step = await post<Step>(url, path, { token, json: { handler: 'mqtt' } })
  for (let page = 0; step.type === 'form' && page < 5; page++) {
    if (Object.keys(step.errors ?? {}).length > 0)
      throw new Error(`the MQTT integration says ${JSON.stringify(step.errors)}`)
    const json = filled(step.data_schema ?? [], { ...to, ...NO_TLS })
    step = await post<Step>(url, `${path}/${step.flow_id}`, { token, json })
  }
  if (step.type !== 'create_entry')
    throw new Error(`the MQTT integration was not set up: ${JSON.stringify(step)}`)
  const isLoaded = async (): Promise<true | undefined> => {
    const entries = await socket.call<{ state: string }[]>('config_entries/get', { domain: 'mqtt' })
    return entries[0]?.state === 'loaded' ? true : undefined
  }
  await until('the MQTT integration', isLoaded, MQTT_MS)
}

/** A form with what is given, and with what it proposes where it asks for more. */
function filled(fields: readonly Field[], given: Record<string, unknown>): object {
  const entries = fields.flatMap(({ name, required, default: usual, schema }) => {
    if (schema) return [[name, filled(schema, given)]]
    const value = given[name] ?? (required ? usual : undefined)
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(entries) as object
}

/** A new session, as one who types name and password gets it. */
async function signIn(url: string, who: { name: string; password: string }): Promise<Tokens> {
  const client_id = `${url}/`
  const flow = await post<{ flow_id: string }>(url, '/auth/login_flow', {
    json: { client_id, handler: ['homeassistant', null], redirect_uri: client_id },
  })
  const done = await post<{ type: string; result: string }>(
    url,
    `/auth/login_flow/${flow.flow_id}`,
    {
      json: { client_id, username: who.name, password: who.password },
    },
  )
  if (done.type !== 'create_entry') throw new Error(`${who.name} could not sign in`)
  return await tokensOf(url, done.result)
}

function tokensOf(url: string, code: string): Promise<Tokens> {
  const form = { grant_type: 'authorization_code', code, client_id: `${url}/` }
  return post<Tokens>(url, '/auth/token', { form })
}

async function account(
  url: string,
  who: { name: string; password: string },
  tokens: Tokens,
): Promise<Account> {
  const socket = await new CoreSocket(url, tokens.access_token).start()
  const asked = { client_name: 'a test', lifespan: 30 }
  const token = await socket.call<string>('auth/long_lived_access_token', asked)
  socket.stop()
  const expires = Date.now() + tokens.expires_in * 1000
  const hassTokens = { ...tokens, expires, hassUrl: url, clientId: `${url}/` }
  return { ...who, token, hassTokens }
}

async function post<T>(
  url: string,
  path: string,
  body: { json?: object; form?: Record<string, string>; token?: string },
): Promise<T> {
  const headers: Record<string, string> = {}
  if (body.json) headers['content-type'] = 'application/json'
  if (body.token !== undefined) headers.authorization = `Bearer ${body.token}`
  const text = body.json ? JSON.stringify(body.json) : new URLSearchParams(body.form)
  const answer = await fetch(url + path, { method: 'POST', headers, body: text })
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}
