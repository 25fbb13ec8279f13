// The way to the running agent: its socket, which only its own user may open.
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { join } from 'node:path'
import { SOCKET } from '../paths.ts'
import { plain } from './text.ts'

/** Asks the agent that keeps its state in `data`. Throws an Error that says what to do when there is none, or when it refuses. */
export async function call(data: string, path: string): Promise<unknown> {
  return await answerOf(await open(data, { path }))
}

/** Calls a method of that agent. Throws an Error with why it does not, or that none answers in time. */
export async function ask(
  data: string,
  method: string,
  args: Record<string, unknown>,
  timeoutMs: number,
): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: args })
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await open(data, { path: '/api/rpc', body, signal })
    return ((await answerOf(response)) as { result: unknown }).result
  } catch (error) {
    if (!signal.aborted) throw error
    const late = `the agent with its data in ${data} does not answer; whether it did it is not known`
    throw new Error(late, { cause: error })
  }
}

async function answerOf(response: IncomingMessage): Promise<unknown> {
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) text += part
  const answer = JSON.parse(text) as { error?: { message?: string } }
  if (answer.error !== undefined || response.statusCode !== 200) {
    const why = answer.error?.message ?? `the agent answered ${response.statusCode}`
    throw new Error(plain(why, 1000))
  }
  return answer
}

/** Events of the live feed, until `signal` says so. Throws an Error where the agent ends it first. */
export async function* live(
  data: string,
  signal: AbortSignal,
): AsyncGenerator<{ name: string; data: unknown }> {
  const response = await open(data, { path: '/api/live', signal })
  response.setEncoding('utf8')
  let rest = ''
  try {
    for await (const part of response) {
      const frames = (rest + part).split('\n\n')
      rest = frames.pop() ?? ''
      for (const frame of frames) {
        const name = /^event: (.*)$/m.exec(frame)?.[1]
        const text = /^data: (.*)$/m.exec(frame)?.[1]
        if (name !== undefined && text !== undefined) yield { name, data: JSON.parse(text) }
      }
    }
  } catch (cause) {
    if (!signal.aborted) throw new Error(stopped(data), { cause })
  }
  if (!signal.aborted) throw new Error(stopped(data))
}

function stopped(data: string): string {
  return `the agent with its data in ${data} has stopped, or let go of this command`
}

interface Ask {
  path: string
  /** Of JSON: then it is sent by `POST`. */
  body?: string
  signal?: AbortSignal
}

async function open(data: string, { path, body, signal }: Ask): Promise<IncomingMessage> {
  const socketPath = join(data, SOCKET)
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' } }
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      socketPath,
      path,
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : post),
    }
    const ask = request(options, resolve)
    ask.on('error', (cause: NodeJS.ErrnoException) =>
      reject(new Error(why(cause.code, data), { cause })),
    )
    ask.end(body)
  })
}

function why(code: string | undefined, data: string): string {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `no agent is running with its data in ${data}. Start one with: homespin start --data ${data}, or name the right --data`
    case 'EACCES':
      return `the agent with its data in ${data} runs as another user: use that user, or sudo`
    default:
      return `the agent with its data in ${data} can't be reached (${code ?? 'unknown error'})`
  }
}
