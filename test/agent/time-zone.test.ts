import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTimeZone, systemTimeZone } from '../../agent/time-zone.ts'

describe('the zone of the system', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-zone-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('is that of TZ, else that of the link', () => {
    const link = join(folder, 'localtime')
    symlinkSync('../usr/share/zoneinfo/America/Argentina/Ushuaia', link)
    assert.equal(systemTimeZone({}, link), 'America/Argentina/Ushuaia')
    assert.equal(systemTimeZone({ TZ: 'Europe/Amsterdam' }, link), 'Europe/Amsterdam')
    assert.equal(systemTimeZone({ TZ: 'UTC' }, link), 'UTC')
  })

  it('is what Intl says where neither names one', () => {
    const said = Intl.DateTimeFormat().resolvedOptions().timeZone
    for (const TZ of ['CET-1CEST,M3.5.0,M10.5.0/3', ':/etc/passwd', '../../x', '']) {
      assert.equal(systemTimeZone({ TZ }, join(folder, 'none')), said)
    }
    assert.equal(systemTimeZone({}, join(folder, 'none')), said)
  })

  it('is the same that Intl finds here', () => {
    const script = `
      import { systemTimeZone } from './agent/time-zone.ts'
      process.stdout.write(systemTimeZone() + ' ' + Intl.DateTimeFormat().resolvedOptions().timeZone)`
    for (const TZ of ['Europe/Amsterdam', 'Asia/Tokyo', undefined]) {
      const { TZ: _, ...env } = process.env
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        env: TZ === undefined ? env : { ...env, TZ },
        encoding: 'utf8',
        cwd: join(import.meta.dirname, '../..'),
        timeout: 20_000,
      })
      const [own, intl] = stdout.split(' ')
      const utc = (name?: string): string | undefined => name?.replace(/^Etc\/(UTC|GMT)$/, 'UTC')
      assert.equal(utc(own), utc(intl), TZ)
      assert.ok(isTimeZone(own ?? ''))
    }
  })
})
