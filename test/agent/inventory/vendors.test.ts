import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadVendors } from '../../../agent/inventory/vendors.ts'

const LIST = new URL('../../../agent/inventory/oui.tsv', import.meta.url)

describe('vendors', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-vendors-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  function listOf(...lines: string[]): (mac: string) => string | undefined {
    const file = join(folder, 'list.tsv')
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
    return loadVendors(pathToFileURL(file))
  }

  it('the longest prefix wins: 36 bits before 28 before 24', () => {
    const vendorOf = listOf(
      '001BC5\tRegistrar',
      '001BC50\tMedium',
      '001BC5000\tSmall',
      '001BC6\tNext',
    )
    assert.equal(vendorOf('00:1b:c5:00:0f:ff'), 'Small')
    assert.equal(vendorOf('00:1b:c5:00:1f:ff'), 'Medium')
    assert.equal(vendorOf('00:1b:c5:10:00:00'), 'Registrar')
    assert.equal(vendorOf('00:1b:c6:00:00:00'), 'Next')
    assert.equal(vendorOf('00:1b:c7:00:00:00'), undefined)
    assert.equal(vendorOf('00:1b:c4:ff:ff:ff'), undefined)
  })

  it('finds the first, the last and the only line, and nothing in an empty list', () => {
    const vendorOf = listOf('000001\tFirst', '7F0000\tMiddle', 'FFFFFF\tLast')
    assert.equal(vendorOf('00:00:01:00:00:00'), 'First')
    assert.equal(vendorOf('7f:00:00:00:00:00'), 'Middle')
    assert.equal(vendorOf('ff:ff:ff:00:00:00'), 'Last')
    assert.equal(vendorOf('00:00:00:00:00:00'), undefined)
    assert.equal(listOf('AABBCC\tOnly')('aa:bb:cc:00:00:00'), 'Only')
    assert.equal(listOf()('aa:bb:cc:00:00:00'), undefined)
  })

  it('every line of the packaged list is found again, in order and well formed', () => {
    const vendorOf = loadVendors()
    const lines = readFileSync(LIST, 'latin1').trimEnd().split('\n')
    assert.ok(lines.length > 50_000)
    const prefixes = new Set(lines.map((line) => line.slice(0, line.indexOf('\t'))))
    let before = ''
    for (const line of lines) {
      const [prefix = '', owner = '', ...more] = line.split('\t')
      assert.ok(/^[0-9A-F]{6}(?:[0-9A-F]|[0-9A-F]{3})?$/.test(prefix) && more.length === 0, line)
      assert.ok(before < prefix, `${before} stands before ${prefix}`)
      assert.ok(/^[\x20-\x7e]{1,48}$/.test(owner), line)
      before = prefix
      const digits = `${prefix}000000`.slice(0, 12)
      // Where the prefix filled up with zeros begins a longer one, that one is asked for.
      const longer = [9, 7].some((n) => n > prefix.length && prefixes.has(digits.slice(0, n)))
      const mac = digits.toLowerCase().replace(/..(?!$)/g, '$&:')
      if (!longer) assert.equal(vendorOf(mac), owner, prefix)
    }
  }).timeout(30_000)
})
