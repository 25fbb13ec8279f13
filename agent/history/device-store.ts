// The devices and their cumulative counters, in a file of their own: on the disk before they are published, so that
// a counter never falls, and untouched by what may happen to the much larger history.

import type { Device } from '../../protocol/messages.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Log } from '../log.ts'
import type { Schema } from './database.ts'
import { GuardedDatabase } from './guarded-database.ts'

const SCHEMA: Schema = {
  version: 1,
  sql: 'CREATE TABLE device (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID',
  checkpointPages: 256,
}

/** The store of the inventory. */
export class DeviceStore {
  readonly #file: GuardedDatabase

  /** `path`: the database file; its folder exists. */
  constructor(path: string, log: Log) {
    this.#file = new GuardedDatabase(path, SCHEMA, 'the list of devices', log)
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

  /** Every device that is stored; empty where the file can't be read. */
  loadDevices(): Device[] {
    const devices: Device[] = []
    this.#file.attempt((db) => {
      for (const { id, record } of db.prepare('SELECT id, record FROM device').all()) {
        const device = readDevice(id, record)
        if (device !== undefined) devices.push(device)
      }
    })
    return devices
  }

  /** Stores devices, all or none; true once they are on the disk. */
  saveDevices(devices: readonly Device[]): boolean {
    return this.#file.attempt((db) => {
      db.exec('BEGIN IMMEDIATE')
      try {
        const upsert = db.prepare(
          'INSERT INTO device VALUES (?, ?) ON CONFLICT DO UPDATE SET record = excluded.record',
        )
        for (const device of devices) upsert.run(device.id, JSON.stringify(device))
        db.exec('COMMIT')
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK')
        throw error
      }
    })
  }

  /** Forgets a device; true once that is on the disk. */
  deleteDevice(id: string): boolean {
    return this.#file.attempt((db) => {
      db.prepare('DELETE FROM device WHERE id = ?').run(id)
    })
  }
}

/** What is read is checked as far as a wrong shape could do harm; it was written by `saveDevices`. */
function readDevice(id: unknown, record: unknown): Device | undefined {
  try {
    const device = JSON.parse(String(record)) as Device
    const counters = [
      device.sent_bytes,
      device.received_bytes,
      device.sent_packets,
      device.received_packets,
    ]
    const right =
      device.type === 'device' &&
      device.id === id &&
      DEVICE_ID.test(device.id) &&
      Array.isArray(device.ips) &&
      counters.every((count) => Number.isSafeInteger(count) && count >= 0)
    return right ? device : undefined
  } catch {
    return undefined
  }
}
