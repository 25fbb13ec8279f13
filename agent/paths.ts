// Where things are below the data directory.
import { join } from 'node:path'

/** The socket by which the command line reaches the agent; its folder is for its own user alone. */
export const SOCKET = join('run', 'agent.sock')

/** Sockets of the one connection to a router. Keys of an app are in another folder. */
export const SSH_SOCKETS = join('run', 'ssh')

/** While this file is there, nothing is held. */
export const DISABLE = 'DISABLE'

/** What the kernel took last, as text for `nft -f` before the network comes up after a boot. */
export const BOOT_RULES = 'boot.nft'
