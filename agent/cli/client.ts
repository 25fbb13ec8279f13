// The way to the running agent: its socket, which only its own user may open.
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { join } from 'node:path'
import { SOCKET } from '../paths.ts'

/** Asks the agent that keeps its state in `data`. Throws an Error that says what to do when there is none, or when it refuses. */
export async function call(data: string, path: string): Promise<unknown> {
  const response = await open(data, path)
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) text += part
  const answer = JSON.parse(text) as { error?: { message?: string } }
  if (response.statusCode !== 200)
    throw new Error(answer.error?.message ?? `the agent answered ${response.statusCode}`)
  return answer
}

/** Events of the live feed, until it ends or `signal` says so. */
export async function* live(
  data: string,
  signal: AbortSignal,
): AsyncGenerator<{ name: string; data: unknown }> {
  const response = await open(data, '/api/live', signal)
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
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function open(data: string, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
  const socketPath = join(data, SOCKET)
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const ask = request({ socketPath, path, ...(signal === undefined ? {} : { signal }) }, resolve)
    ask.on('error', (cause: NodeJS.ErrnoException) =>
      reject(new Error(why(cause.code, data), { cause })),
    )
    ask.end()
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
