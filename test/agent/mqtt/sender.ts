// A process that publishes one file, with a large property: PORT TOPIC FILE.
import { readFileSync } from 'node:fs'
import { connectAsync } from 'mqtt'

const [port, topic = '', file = ''] = process.argv.slice(2)
const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
const properties = { userProperties: { a: 'x'.repeat(60_000) } }
await client.publishAsync(topic, readFileSync(file), { qos: 1, properties })
await client.endAsync()
