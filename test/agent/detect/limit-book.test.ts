import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LimitBook } from '../../../agent/detect/limit-book.ts'
import { createLog } from '../../../agent/log.ts'

describe('limit book', () => {
  let folder: string
  let said: string[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-limits-'))
    said = []
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const open = (): LimitBook => {
    const book = new LimitBook(
      join(folder, 'limits.json'),
      createLog('info', (line) => said.push(line)),
    )
    book.start()
    return book
  }

  it('keeps limits of devices and groups over a restart, until they are as for all again', () => {
    open().set({ device: '020de0000001', connections: 20, policy: 'quarantine' })
    open().set({ group: 'lamps', remotes: 3, windowS: 60 })
    const book = open()
    assert.deepEqual(book.list(), [
      { device: '020de0000001', connections: 20, policy: 'quarantine' },
      { group: 'lamps', remotes: 3, windowS: 60 },
    ])
    assert.deepEqual(book.exceptions.groups.get('lamps'), { remotes: 3, windowS: 60 })
    book.set({ device: '020de0000001' })
    assert.deepEqual(open().list(), [{ group: 'lamps', remotes: 3, windowS: 60 }])
    assert.deepEqual(readdirSync(folder), ['limits.json'])
    assert.deepEqual(said, [])
  })

  it('takes no nonsense from a file, and says so where it is none', () => {
    const path = join(folder, 'limits.json')
    const wrong = [
      { device: '__proto__', connections: 1 },
      { device: '020de0000001', connections: -1 },
      { device: '020de0000001', policy: 'explode' },
      7,
      null,
      { group: 'ok', connections: 5 },
    ]
    writeFileSync(path, JSON.stringify(wrong))
    assert.deepEqual(open().list(), [{ group: 'ok', connections: 5 }])
    writeFileSync(path, '{"x":')
    assert.deepEqual(open().list(), [])
    assert.match(said[0] ?? '', /can't be read/)
  })

  it('changes nothing where the disk does not take it', () => {
    const book = open()
    book.set({ group: 'lamps', connections: 5 })
    rmSync(folder, { recursive: true })
    assert.throws(() => book.set({ group: 'lamps', connections: 9 }))
    assert.deepEqual(book.list(), [{ group: 'lamps', connections: 5 }])
  })
})
