import assert from 'node:assert/strict'
import { plain } from '../../../agent/home-assistant/plain.ts'

describe('text for Home Assistant', () => {
  const cases: [what: string, text: string, shown: string][] = [
    ['a plain name', "Anna's TV (living room) – 2.4 GHz_a", "Anna's TV (living room) – 2.4 GHz_a"],
    ['letters of any script', 'Küche 居間 🏠', 'Küche 居間 🏠'],
    ['a template', '{{ states("x") }}{% if 1 %}{# x #}', '(( states("x") ))(% if 1 %)(# x #)'],
    ['a tag', '<img src=x onerror=alert(1)>', '‹img src=x onerror=alert(1)›'],
    ['a link', '[here](https://evil.example)', '(here)(https:⁄⁄evil.example)'],
    [
      'a bare address',
      'see http://evil.example or www.evil.example',
      'see http:⁄⁄evil.example or www․evil.example',
    ],
    ['code and emphasis', '`x` **y** __z__ ~~a~~ \\', 'ʼxʼ ∗∗y∗∗ ˍˍzˍˍ ∼∼a∼∼ ∖'],
    ['a heading', '# Warning', '＃ Warning'],
    ['lines and control characters', 'a\n\tb\u0000c\u001b[31m', 'a b c (31m'],
    ['text that runs backwards', 'a\u202egnp.exe', 'agnp.exe'],
    ['half a character', 'a\ud800b', 'a\ufffdb'],
    ['nothing', ' \n ', ''],
  ]
  for (const [what, text, shown] of cases) {
    it(`is ${what} made harmless`, () => assert.equal(plain(text, 100), shown))
  }

  it('is at most so many characters long, and takes no time for millions', () => {
    assert.equal([...plain('é'.repeat(300), 255)].length, 255)
    assert.equal([...plain('🏠'.repeat(300), 63)].length, 63)
    assert.ok(plain('x'.repeat(64), 63).endsWith('…'))
    assert.equal(plain('x'.repeat(63), 63), 'x'.repeat(63))
    assert.equal(plain('_{'.repeat(5_000_000), 10).length, 10)
  })
})
