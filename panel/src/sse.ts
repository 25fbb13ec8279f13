// Server-sent events (HTML Living Standard, 9.2.6) from text that comes in pieces. EventSource cannot send an
// Authorization header, so the feed reads the stream itself.

/** One event: its name (`message` where none was given) and its data. */
export interface ServerEvent {
  name: string
  data: string
}

/** The most characters one event may have: a snapshot of a full device table is far below. */
export const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024

/** Takes text as it comes and gives back whole events. Throws when an event is larger than the limit. */
export class EventParser {
  #rest = ''
  #name = ''
  #data: string[] = []
  #size = 0
  #afterCarriageReturn = false

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    // A CR LF pair may be split between two pieces: its LF must not count as a second line end.
    let piece = text
    if (this.#afterCarriageReturn && piece.startsWith('\n')) piece = piece.slice(1)
    if (text !== '') this.#afterCarriageReturn = text.endsWith('\r')
    const lines = piece.split(/\r\n|\n|\r/)
    const last = lines.pop() ?? ''
    for (const line of lines) {
      const event = this.#line(this.#rest + line)
      this.#rest = ''
      if (event !== undefined) events.push(event)
    }
    this.#rest += last
    if (this.#rest.length + this.#size > MAX_EVENT_CHARACTERS) {
      throw new Error('the live feed sent an event that is too large; reload the page')
    }
    return events
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') this.#name = value
    if (field === 'data') {
      this.#data.push(value)
      this.#size += value.length
    }
    return undefined
  }

  #dispatch(): ServerEvent | undefined {
    const event = { name: this.#name || 'message', data: this.#data.join('\n') }
    const isEmpty = this.#data.length === 0
    this.#name = ''
    this.#data = []
    this.#size = 0
    return isEmpty ? undefined : event
  }
}
