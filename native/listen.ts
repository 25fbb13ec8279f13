// A TCP listener of one interface, checked here; C++ trusts its arguments.
import { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { checkedInterfaceName } from './arguments.ts'
import { binding } from './binding.ts'

/**
 * Listens on an address of this box, for what comes in by one interface alone; gives the descriptor, which the caller
 * owns. Throws an Error with `code` (such as `EADDRINUSE` or `ENODEV`), a TypeError or a RangeError.
 */
export function listenOnDevice(address: string, port: number, device: string): number {
  if (isIP(address) === 0 || address.includes('%')) {
    throw new TypeError(`${JSON.stringify(address)} is not an IP address`)
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`a port must be a whole number from 0 to 65535, not ${port}`)
  }
  const result = binding().listenOnDevice(address, port, checkedInterfaceName(device))
  if (typeof result === 'number') return result
  const code = getSystemErrorName(-result.errno)
  const why = `can't listen on ${address}, port ${port}, of ${device}: ${result.call}: ${code}`
  throw Object.assign(new Error(why), { code })
}
