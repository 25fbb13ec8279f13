// Where a broker is: its URL taken apart, and the way to one that may come, go and move while the agent runs.

/** A broker and who this agent is there. */
export interface BrokerAt {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`. */
  url: string
  user?: string
  password?: string
}

/** Somebody else's word for where the broker is. */
export interface BrokerFinder {
  /** What is known now; asked before each try to connect. Undefined: there is none yet, and it is waited for. */
  find: () => BrokerAt | undefined
  /** Called when the answer changes, so that a connection to the old one is given up. */
  onChange: () => void
}

export interface Endpoint {
  host: string
  port: number
  tls: boolean
  user?: string
  password?: string
  /** For people and logs: no password. */
  shown: string
}

/** The parts of a broker's URL. Throws an Error with a sentence for anything but `mqtt://` and `mqtts://`. */
export function parseBrokerUrl(text: string): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const tls = url?.protocol === 'mqtts:' || url?.protocol === 'ssl:'
  if (
    url === undefined ||
    url.hostname === '' ||
    !(tls || url.protocol === 'mqtt:' || url.protocol === 'tcp:')
  ) {
    throw new Error(
      'broker must be embedded or a URL such as mqtt://192.0.2.1:1883 or mqtts://broker.example:8883',
    )
  }
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    tls,
    ...(url.username !== '' && { user: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    shown: `${tls ? 'mqtts' : 'mqtt'}://${url.hostname}:${port}`,
  }
}
