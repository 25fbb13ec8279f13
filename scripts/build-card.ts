// Builds the dashboard card into panel/build/homespin-card.js: what a release carries for HACS. Fails above its limit of size.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** What the card may weigh on its way to a phone. */
const MOST_BYTES = 250_000

const PANEL = join(import.meta.dirname, '../panel')

await build({
  root: PANEL,
  configFile: join(PANEL, 'vite.card.config.ts'),
  logLevel: 'error',
})
const file = join(PANEL, 'build/homespin-card.js')
const bytes = gzipSync(readFileSync(file), { level: 9 }).length
process.stdout.write(`${file}: ${bytes} bytes gzipped, at most ${MOST_BYTES}\n`)
if (bytes > MOST_BYTES) process.exit(1)
