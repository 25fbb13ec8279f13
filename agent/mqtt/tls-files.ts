// The certificates and keys of a connection.
import { readFileSync } from 'node:fs'

/** PEM files: authorities to trust instead of the system's, and a client's own certificate and key. */
export interface TlsFiles {
  caFile?: string
  certFile?: string
  keyFile?: string
}

/** What is in them, as `node:tls` takes it. Throws an Error that names the setting of one that can't be read. */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles): {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
} {
  return {
    ...(caFile !== undefined && { ca: readPem(caFile, 'mqtt.ca_file') }),
    ...(certFile !== undefined && { cert: readPem(certFile, 'mqtt.cert_file') }),
    ...(keyFile !== undefined && { key: readPem(keyFile, 'mqtt.key_file') }),
  }
}

function readPem(file: string, setting: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Error(`${setting}: can't read ${file} (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    })
  }
}
