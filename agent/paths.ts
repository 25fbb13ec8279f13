// Where things are below the data directory.
import { join } from 'node:path'

/** The socket by which the command line reaches the agent; its folder is for its own user alone. */
export const SOCKET = join('run', 'agent.sock')
