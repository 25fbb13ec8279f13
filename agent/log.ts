// Log lines on standard error: level, room, message. Standard output belongs to what a command prints.

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A message, or a function that makes it: called only where the level is on. */
export type LogMessage = string | (() => string)

export interface Log {
  error(message: LogMessage): void
  warn(message: LogMessage): void
  info(message: LogMessage): void
  debug(message: LogMessage): void
  /** The same log under a room's name. */
  child(room: string): Log
}

/** A log that writes lines of `level` and above. */
export function createLog(
  level: LogLevel,
  write: (line: string) => void = writeToStderr,
  room = '',
): Log {
  const highest = LOG_LEVELS.indexOf(level)
  const at =
    (of: LogLevel) =>
    (message: LogMessage): void => {
      if (LOG_LEVELS.indexOf(of) > highest) return
      const text = typeof message === 'string' ? message : message()
      write(
        `${new Date().toISOString()} ${of.padEnd(5)} ${room === '' ? '' : `${room}: `}${oneLine(text)}\n`,
      )
    }
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (name) => createLog(level, write, room === '' ? name : `${room}/${name}`),
  }
}

/** Text from the network must not forge a line or steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')
}

function writeToStderr(line: string): void {
  process.stderr.write(line)
}
