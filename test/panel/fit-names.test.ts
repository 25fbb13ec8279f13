import assert from 'node:assert/strict'
import { fitNames } from '../../panel/src/fit-names.ts'

const measure = (text: string): number => [...text].length * 7

describe('panel: names cut to a width', () => {
  it('keeps the end of remotes and the beginning of devices', () => {
    const remote = ['a.example.com']
    assert.deepEqual(fitNames(remote, 'end', 200, measure), remote)
    assert.deepEqual(fitNames(remote, 'end', 70, measure), ['…ample.com'])
    assert.deepEqual(fitNames(remote, 'end', 0, measure), ['…m'])
    assert.deepEqual(fitNames(['Living room TV'], 'start', 70, measure), ['Living ro…'])
    assert.deepEqual(fitNames([], 'end', 70, measure), [])
  })

  it('never draws two different names alike', () => {
    const cases = [
      ['a.cloud.service.example.net', 'b.cloud.service.example.net', 'c.example.org'],
      ['cam-front.region-1.cdn.example.com', 'cam-front.region-2.cdn.example.com'],
      [`${'x'.repeat(40)}1${'y'.repeat(40)}`, `${'x'.repeat(40)}2${'y'.repeat(40)}`],
      ['Samsung Electronics Living room', 'Samsung Electronics Bedroom', 'Samsung Electronics'],
    ]
    for (const keep of ['start', 'end'] as const) {
      for (const names of cases) {
        const fitted = fitNames(names, keep, 98, measure)
        assert.equal(new Set(fitted).size, names.length, fitted.join(' | '))
        assert.ok(
          fitted.every((text) => measure(text) <= 98),
          fitted.join(' | '),
        )
      }
    }
    // What is the same may look the same.
    assert.deepEqual(fitNames(['phone', 'phone'], 'start', 98, measure), ['phone', 'phone'])
  })
})
