import assert from 'node:assert/strict'
import { cutStart, MAX_SHOWN, shownName, shownRemote } from '../../panel/src/display-name.ts'

describe('panel: names as they are drawn', () => {
  it('leaves an ordinary name alone, in any script', () => {
    for (const name of ["Anna's iPhone", 'Küche', '客厅电视', 'تلفاز', 'a<b>&c', 'x y']) {
      assert.deepEqual(shownName(name), { text: name, title: name })
    }
  })

  it('takes out what reverses, hides or breaks a line', () => {
    assert.equal(shownName('cam\u202egnp.exe').text, 'camgnp.exe')
    assert.equal(shownName('a\u2066b\u2069\u200bc\ufeff\u00add').text, 'abcd')
    assert.equal(shownName('one\ntwo\r\n\tthree\u2028four').text, 'one two threefour')
    assert.equal(shownName('nul\0esc\u001b[31mred\u009b').text, 'nulesc[31mred')
    assert.equal(shownName('tag\u{e0041}\u{e0042}private\ue000lone\ud800').text, 'tagprivatelone')
  })

  it('keeps at most three stacked marks', () => {
    assert.equal(shownName(`e${'\u0301'.repeat(500)}x`).text, `e${'\u0301'.repeat(3)}x`)
  })

  it('cuts at 63 characters, not inside one, and keeps the whole in the title', () => {
    const long = '🏠'.repeat(100)
    const { text, title } = shownName(long)
    assert.equal([...text].length, MAX_SHOWN)
    assert.equal(text, `${'🏠'.repeat(62)}…`)
    assert.equal(title, long)
    assert.equal([...shownName('x'.repeat(1_000_000)).title].length, 1024)
  })

  it('gives the fallback for a name that draws nothing', () => {
    for (const name of [undefined, '', ' \t ', '\u200b\u2060', '\u3164\u2800', '\0']) {
      assert.deepEqual(shownName(name, '020de0000001'), {
        text: '020de0000001',
        title: '020de0000001',
      })
    }
  })

  it('draws the end of a long domain name: it says whose it is', () => {
    const name = `www.bank.example.com.${'a'.repeat(60)}.evil.example.net`
    const { text, title } = shownRemote(name)
    assert.equal([...text].length, MAX_SHOWN)
    assert.ok(text.startsWith('…') && text.endsWith('.evil.example.net'))
    assert.equal(title, name)
    assert.equal(cutStart('short', 5), 'short')
  })
})
