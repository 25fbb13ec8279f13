import assert from 'node:assert/strict'
import type { Addon } from '../../../agent/addon.ts'
import { chooseMode } from '../../../agent/cli/mode.ts'
import { loadConfig } from '../../../agent/config-read.ts'
import { stateFolder } from '../../../agent/data-folder.ts'
import { recordingLog } from '../mqtt/listener.ts'

/** A box on which packets may be taken or not, and that has these interfaces. */
function box(may: boolean, ...names: string[]): Pick<Addon, 'createCapture' | 'tryInterface'> {
  const setInterfaces = (): void => {
    if (!may) throw new Error('no right to')
  }
  return {
    createCapture: () => ({ setInterfaces }) as unknown as ReturnType<Addon['createCapture']>,
    tryInterface: (name) => {
      if (!may) return 'no right to'
      return names.includes(name) ? undefined : `there is no interface ${name}`
    },
  }
}

describe('what start captures', () => {
  const cases: [what: string, may: boolean, orDemo: boolean, interfaces: string[], mode: string][] =
    [
      ['all that it may', true, true, [], 'auto'],
      ['the demo home, where it may nothing and nothing was named', false, true, [], 'demo'],
      ['what was named, where it may nothing', false, true, ['lan0'], 'auto'],
      ['what was asked for, where the demo was not', false, false, [], 'auto'],
      ['what is there', true, true, ['lan0'], 'auto'],
      ['what is not there yet', true, true, ['lan0', 'lan7'], 'auto'],
    ]
  for (const [what, may, orDemo, interfaces, mode] of cases) {
    it(`is ${what}`, () => {
      const log = recordingLog()
      const config = loadConfig(undefined, {}, { interfaces })
      assert.equal(chooseMode(config, orDemo, box(may, 'lo', 'lan0'), log).mode, mode)
      const waits = may && interfaces.includes('lan7')
      const said = waits ? /there is no interface lan7; waiting for it/ : /^$|playing the demo/
      assert.match(log.lines.join('\n'), said)
    })
  }

  it('is kept apart from this home where it is made up, or of a capture', () => {
    const of = (mode: 'auto' | 'demo' | 'file' | 'host'): string =>
      stateFolder({ data: '/srv/homespin', mode })
    assert.equal(of('auto'), '/srv/homespin')
    assert.equal(of('host'), '/srv/homespin')
    assert.equal(of('demo'), '/srv/homespin/demo')
    assert.equal(of('file'), '/srv/homespin/file')
  })
})
