// What DHCP says of devices: the name that one gives itself when it asks for an address, and the address that it is given
// (RFC 2131, RFC 2132).

const MAGIC = 0x63825363
const PAD = 0
const HOST_NAME = 12
const KIND = 53
const ACK = 5
const FQDN = 81
const END = 255
/** As long as a DNS label: what is longer is cut, it is for people to read. */
const MAX_NAME = 63

/** Who a DHCP client says it is. */
export interface DhcpClient {
  /** See `macKey`. */
  mac: number
  /** Chosen by the client; the answers have it, too. */
  transaction: number
  name: string | undefined
}

/** What a DHCP server gives a client. */
export interface DhcpLease {
  /** The client's. */
  mac: number
  transaction: number
  /** Four bytes. */
  ip: Buffer
}

/**
 * The client of a DHCPv4 message (from `op` on) and its host name: option 12, else the first label of option 81 (RFC 4702).
 * Undefined where a server speaks, or where the message is none. The name is what the device sent, hostile until it is
 * drawn, without control characters.
 */
export function readDhcpClient(message: Buffer): DhcpClient | undefined {
  if (!isOfEthernet(message, 1)) return undefined
  let host: Buffer | undefined
  let fqdn: Buffer | undefined
  for (const [code, value] of optionsOf(message)) {
    if (code === HOST_NAME) host = value
    // Flags and two codes come before the name; bit 2 of the flags: labels as in DNS.
    else if (code === FQDN && value.length > 3)
      fqdn = value.subarray(((value[0] as number) & 4) === 0 ? 3 : 4)
  }
  const name = clean(host) || clean(fqdn).split('.')[0]
  return {
    mac: clientOf(message),
    transaction: message.readUInt32BE(4),
    name: name === '' ? undefined : name,
  }
}

/** The address that a server confirms to a client (DHCPACK). Undefined for every other message. */
export function readDhcpLease(message: Buffer): DhcpLease | undefined {
  if (!isOfEthernet(message, 2)) return undefined
  for (const [code, value] of optionsOf(message)) {
    if (code !== KIND) continue
    if (value.length !== 1 || value[0] !== ACK) return undefined
    const ip = message.subarray(16, 20)
    return { mac: clientOf(message), transaction: message.readUInt32BE(4), ip }
  }
  return undefined
}

/** `op` 1: BOOTREQUEST, 2: BOOTREPLY; of a client with six bytes of Ethernet address. */
function isOfEthernet(message: Buffer, op: number): boolean {
  if (message.length < 241 || message.readUInt32BE(236) !== MAGIC) return false
  return message[0] === op && message[1] === 1 && message[2] === 6
}

function clientOf(message: Buffer): number {
  return message.readUInt16LE(32) * 4294967296 + message.readUInt32LE(28)
}

function* optionsOf(message: Buffer): Generator<[code: number, value: Buffer]> {
  for (let at = 240; at < message.length; ) {
    const code = message[at] as number
    if (code === END) return
    if (code === PAD) {
      at++
      continue
    }
    const length = message[at + 1] ?? 0
    const value = message.subarray(at + 2, at + 2 + length)
    if (value.length < length) return
    yield [code, value]
    at += 2 + length
  }
}

function clean(bytes: Buffer | undefined): string {
  if (bytes === undefined) return ''
  const text = bytes.toString('utf8').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
  return [...text.trim()].slice(0, MAX_NAME).join('')
}
