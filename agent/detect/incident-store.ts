// Incidents in a file of their own: open ones survive a restart, closed ones are kept for a season.
import type { Incident } from '../../protocol/act.ts'
import { INCIDENT_ID } from '../../protocol/topics.ts'
import type { Schema } from '../history/database.ts'
import { GuardedDatabase } from '../history/guarded-database.ts'
import type { Log } from '../log.ts'

const SCHEMA: Schema = {
  version: 1,
  sql: `CREATE TABLE incident (id TEXT PRIMARY KEY, device_id TEXT NOT NULL, state TEXT NOT NULL,
          opened_ms INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX incident_opened ON incident (opened_ms)`,
  checkpointPages: 64,
}

/** Closed incidents that are kept; the oldest go. */
const MAX_INCIDENTS = 10_000

/** Which incidents. */
export interface IncidentQuery {
  device?: string
  state?: Incident['state']
  limit: number
}

/** The store of the incident desk. */
export class IncidentStore {
  readonly #file: GuardedDatabase
  #saves = 0

  /** `path`: the database file; its folder exists. */
  constructor(path: string, log: Log) {
    this.#file = new GuardedDatabase(path, SCHEMA, 'the list of incidents', log)
  }

  /** Opens the file. Throws only for a file that a newer Homespin wrote; a disk that fails is said and tried again. */
  start(): void {
    this.#file.start()
  }

  stop(): void {
    this.#file.stop()
  }

  /** Why nothing can be stored now, as a sentence. */
  get problem(): string | undefined {
    return this.#file.problem
  }

  /** True once it is on the disk. */
  save(incident: Incident): boolean {
    return this.#file.attempt((db) => {
      db.prepare(
        `INSERT INTO incident VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET state = excluded.state, record = excluded.record`,
      ).run(
        incident.id,
        incident.device_id,
        incident.state,
        incident.opened_ms,
        JSON.stringify(incident),
      )
      this.#saves++
      if (this.#saves % 100 === 1) {
        db.prepare(
          `DELETE FROM incident WHERE state = 'closed' AND id IN
             (SELECT id FROM incident ORDER BY opened_ms DESC LIMIT -1 OFFSET ?)`,
        ).run(MAX_INCIDENTS)
      }
    })
  }

  /** The latest first. */
  find({ device, state, limit }: IncidentQuery): Incident[] {
    const found: Incident[] = []
    this.#file.attempt((db) => {
      const rows = db
        .prepare(
          `SELECT id, record FROM incident WHERE (?1 IS NULL OR device_id = ?1) AND (?2 IS NULL OR state = ?2)
           ORDER BY opened_ms DESC LIMIT ?3`,
        )
        .all(device ?? null, state ?? null, limit)
      for (const { id, record } of rows) {
        const incident = readIncident(id, record)
        if (incident !== undefined) found.push(incident)
      }
    })
    return found
  }
}

function readIncident(id: unknown, record: unknown): Incident | undefined {
  if (typeof id !== 'string' || !INCIDENT_ID.test(id) || typeof record !== 'string')
    return undefined
  try {
    const incident = JSON.parse(record) as Incident
    return incident.type === 'incident' && incident.id === id ? incident : undefined
  } catch {
    return undefined
  }
}
