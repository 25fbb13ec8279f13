// Before a backup: what was written lately goes from the write-ahead logs, which a backup leaves out, into the databases.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const WAIT_MS = 10_000
const data = process.argv[2] ?? '/data'

for (const name of readdirSync(data).filter((each) => each.endsWith('.db'))) {
  try {
    const database = new DatabaseSync(join(data, name), { timeout: WAIT_MS })
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
  } catch (error) {
    // A backup of the rest is better than none.
    process.stderr.write(`${name}: ${(error as Error).message}\n`)
  }
}
