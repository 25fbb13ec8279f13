// The websocket to Home Assistant. home-assistant-js-websocket opens one itself, but throws out of its listeners at answers that
// are not what it expects, which would end this process: here such a connection is closed, and made anew.
import type { ConnectionOptions, HaWebSocket } from 'home-assistant-js-websocket'

const TIMEOUT_MS = 10_000
const RETRY_MS = 1000

/** As the library's `createSocket`: signs in, or rejects with one of its error numbers. Given `setupRetry` -1 it goes on trying. */
export async function openSocket(options: ConnectionOptions): Promise<HaWebSocket> {
  const { ERR_CANNOT_CONNECT, ERR_INVALID_AUTH } = await import('home-assistant-js-websocket')
  const { auth, setupRetry } = options
  if (auth === undefined) throw ERR_INVALID_AUTH
  for (let left = setupRetry; ; left--) {
    const answer = await signIn(new GuardedSocket(auth.wsUrl), auth.accessToken)
    if (answer === 'refused') throw ERR_INVALID_AUTH
    if (answer !== 'away') return answer
    if (left === 0) throw ERR_CANNOT_CONNECT
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
  }
}

/** A listener of messages that throws has met something that Home Assistant does not say. */
class GuardedSocket extends WebSocket {
  haVersion = ''

  override addEventListener(type: string, listener: unknown, options?: unknown): void {
    const guarded = (event: MessageEvent): void => {
      try {
        ;(listener as (event: MessageEvent) => void)(event)
      } catch {
        this.close()
      }
    }
    const used = type === 'message' ? guarded : listener
    super.addEventListener(type, used as () => void, options as AddEventListenerOptions)
  }
}

function signIn(socket: GuardedSocket, token: string): Promise<GuardedSocket | 'refused' | 'away'> {
  return new Promise((resolve) => {
    const over = new AbortController()
    const end = (answer: GuardedSocket | 'refused' | 'away'): void => {
      clearTimeout(timer)
      over.abort()
      if (answer !== socket) socket.close()
      resolve(answer)
    }
    const timer = setTimeout(end, TIMEOUT_MS, 'away')
    const { signal } = over
    socket.addEventListener(
      'open',
      () => socket.send(JSON.stringify({ type: 'auth', access_token: token })),
      { signal },
    )
    socket.addEventListener(
      'message',
      ({ data }: MessageEvent) => {
        const { type, ha_version } = parse(data)
        if (type === undefined) end('away')
        if (type === 'auth_invalid') end('refused')
        if (type !== 'auth_ok') return
        socket.haVersion = typeof ha_version === 'string' ? ha_version : '0.0'
        end(socket)
      },
      { signal },
    )
    for (const type of ['close', 'error']) {
      socket.addEventListener(type, () => end('away'), { signal })
    }
  })
}

function parse(data: unknown): Record<string, unknown> {
  try {
    return (JSON.parse(String(data)) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}
