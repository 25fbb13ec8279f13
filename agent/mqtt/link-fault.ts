// Why a broker can't be used, as a sentence that says what to do.

/** `key` stays the same while the cause does, so that it is logged once. */
export interface LinkFault {
  key: string
  sentence: string
}

/** The broker speaks an older MQTT: 1 in a CONNACK of 3.1.1, 132 in one of 5. */
export function refusesVersion(error: Error | undefined): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 1 || code === 132
}

/** What `error` means for the connection to `where` (a URL without password). */
export function linkFault(error: Error | undefined, where: string): LinkFault {
  if (error === undefined) return { key: 'closed', sentence: `${where} closed the connection` }
  const code = (error as { code?: unknown }).code
  const key = String(code ?? error.message)
  const known = typeof code === 'number' ? refusal(code, where) : failure(String(code), where)
  return { key, sentence: known ?? `no connection to ${where}: ${error.message}` }
}

/** CONNACK and DISCONNECT codes (MQTT 3.1.1, 3.2.2.3; MQTT 5, 2.4). */
function refusal(code: number, where: string): string | undefined {
  switch (code) {
    case 2:
    case 133:
      return `${where} refuses the client id`
    case 4:
    case 134:
      return `${where} refuses the user name or the password: correct mqtt.username and mqtt.password`
    case 5:
    case 135:
      return `${where} does not let this user in: check mqtt.username and mqtt.password, and the broker's access list`
    case 3:
    case 136:
    case 137:
    case 139:
      return `${where} is busy or shutting down`
    case 138:
      return `${where} has banned this client: see the broker's log`
    case 142:
      return `${where} gave this session to another client with the same id`
    case 149:
      return `${where} finds a packet too large: raise the broker's largest packet size to 65 KiB`
    default:
      return undefined
  }
}

function failure(code: string, where: string): string | undefined {
  switch (code) {
    case 'HOMESPIN_NO_BROKER':
      return 'there is no MQTT broker yet: install the app Mosquitto broker in Home Assistant, or name a broker in the options of Homespin'
    case 'ECONNREFUSED':
      return `nothing listens at ${where}: is the broker running, and are host and port of broker right?`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name of ${where} can't be resolved: correct broker, or use the broker's address`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'HOMESPIN_TIMEOUT':
      return `${where} does not answer: is the broker up, and does a firewall stand between?`
    case 'HOMESPIN_KEEPALIVE':
      return `${where} no longer answers`
    case 'ECONNRESET':
    case 'EPIPE':
      return `${where} cut the connection`
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the certificate of ${where} is signed by an authority that is not known here: name its file with mqtt.ca_file`
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${where} has expired, or this machine's clock is wrong`
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${where} is not valid yet: is this machine's clock right?`
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${where} is for another host name: use the name that stands in it`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return `${where} does not speak TLS on that port: use mqtt://, or the broker's TLS port`
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
      return `${where} wants a client certificate: name its files with mqtt.cert_file and mqtt.key_file`
    default:
      return undefined
  }
}
