// The name that a device gives itself when it asks for an address (RFC 2131, RFC 2132).

const MAGIC = 0x63825363
const PAD = 0
const HOST_NAME = 12
const FQDN = 81
const END = 255
/** As long as a DNS label: what is longer is cut, it is for people to read. */
const MAX_NAME = 63

/** Who a DHCP client says it is. */
export interface DhcpClient {
  /** See `macKey`. */
  mac: number
  name: string
}

/**
 * The client of a DHCPv4 message (from `op` on) and its host name: option 12, else the first label of option 81 (RFC 4702).
 * Undefined where a server speaks, where no name is told, or where the message is none. The name is what the device
 * sent, hostile until it is drawn, without control characters.
 */
export function readDhcpClient(message: Buffer): DhcpClient | undefined {
  if (message.length < 241 || message.readUInt32BE(236) !== MAGIC) return undefined
  // BOOTREQUEST of an Ethernet client: op 1, hardware type 1, six bytes of address.
  if (message[0] !== 1 || message[1] !== 1 || message[2] !== 6) return undefined
  let host: Buffer | undefined
  let fqdn: Buffer | undefined
  for (let at = 240; at < message.length; ) {
    const code = message[at] as number
    if (code === END) break
    if (code === PAD) {
      at++
      continue
    }
    const length = message[at + 1] ?? 0
    const value = message.subarray(at + 2, at + 2 + length)
    if (value.length < length) break
    if (code === HOST_NAME) host = value
    // Flags and two codes come before the name; bit 2 of the flags: labels as in DNS.
    else if (code === FQDN && length > 3)
      fqdn = value.subarray(((value[0] as number) & 4) === 0 ? 3 : 4)
    at += 2 + length
  }
  const name = clean(host) || clean(fqdn).split('.')[0]
  if (name === undefined || name === '') return undefined
  return { mac: message.readUInt16LE(32) * 4294967296 + message.readUInt32LE(28), name }
}

function clean(bytes: Buffer | undefined): string {
  if (bytes === undefined) return ''
  const text = bytes.toString('utf8').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
  return [...text.trim()].slice(0, MAX_NAME).join('')
}
