// What the recorder of a real Home Assistant keeps of a device at its worst: it sends and gets a lot, and misbehaves all the time.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { requires, sleep, until } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'

const REMOTE4 = '203.0.113.9'
/** What the issue allows of a device, in rows a minute. */
const MOST_ROWS = 4
const MINUTES = 2
/** Counters are told once a minute; Core and its recorder may be late, when the machine does other work. */
const COUNTED_MS = 150_000

describe('the recorder of Home Assistant', function () {
  this.timeout(480_000)
  const ha = new HaHome({
    devices: 1,
    args: ['--reverse-firewall-connections', '40', '--reverse-firewall-remotes', '1000'],
  })
  const { core, home } = ha
  const device = home.device(0)

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    await ha.start()
    await ha.meet(0)
    // Core compiles and stores what it needs for the first time.
    ha.probe('wan', 'sink')
    ha.probe('dev1', 'download', REMOTE4)
    ha.probe('dev1', 'burst', REMOTE4, '6000', '600000')
    await ha.untilShown('anomaly', 'on', device.id, 60_000)
  })
  after(() => ha.stop())

  /** When its rows were written, in ms, by entity. */
  async function rows(): Promise<{ entity: string; atMs: number }[]> {
    const entities = await core.entities()
    const names = [...entities].flatMap(([unique, name]) =>
      unique.startsWith(`homespin_lab_${device.id}_`) ? [name] : [],
    )
    const file = join(core.configFolder, 'home-assistant_v2.db')
    const database = new DatabaseSync(file, { readOnly: true })
    try {
      return database
        .prepare(
          `SELECT states_meta.entity_id AS entity, last_updated_ts * 1000 AS atMs FROM states JOIN states_meta USING (metadata_id)
           WHERE states_meta.entity_id IN (SELECT value FROM json_each(?)) ORDER BY last_updated_ts`,
        )
        .all(JSON.stringify(names)) as unknown as { entity: string; atMs: number }[]
    } finally {
      database.close()
    }
  }

  it('keeps at most four rows a minute of it', async () => {
    const downloaded = await ha.entity('downloaded', device.id)
    const last = async (): Promise<number> =>
      (await rows()).findLast(({ entity }) => entity === downloaded)?.atMs ?? 0
    const before = await last()
    const isNext = async (): Promise<true | undefined> =>
      (await last()) > before ? true : undefined
    await until('counters in the recorder', isNext, COUNTED_MS, 500)
    // Between two rounds of counters, so that no round is at the edge of a minute.
    const fromMs = (await last()) + 30_000
    await sleep(fromMs + MINUTES * 60_000 + 5000 - Date.now())
    const kept = (await rows()).filter(({ atMs }) => atMs >= fromMs)
    for (let minute = 0; minute < MINUTES; minute++) {
      const begin = fromMs + minute * 60_000
      const own = kept.filter(({ atMs }) => atMs >= begin && atMs < begin + 60_000)
      const names = own.map(({ entity }) => entity.replace(/^.*\./, ''))
      console.log(`      minute ${minute + 1}: ${own.length} rows (${names.join(', ')})`)
      assert.ok(own.length > 0 && own.length <= MOST_ROWS)
    }
    await ha.untilShown('anomaly', 'on', device.id)
  })
})
