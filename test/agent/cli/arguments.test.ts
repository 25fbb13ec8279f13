import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Parsed } from '../../../agent/cli/arguments.ts'
import { COMMANDS, readArguments, UsageError } from '../../../agent/cli/arguments.ts'
import { baseOf, flagOf, keysOf } from '../../../agent/config.ts'
import { homespin } from './program.ts'

function parse(...argv: string[]): Parsed {
  const parsed = readArguments(argv, '1.2.3')
  assert.ok(typeof parsed === 'object')
  return parsed
}

function given(flags: Parsed['flags']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
}

describe('the command line', () => {
  it('is read into command, operands, keys and own flags', () => {
    const parsed = parse(
      'replay',
      '--json',
      '--lan',
      '192.0.2.0/24',
      'a.pcap',
      '--lan=2001:db8::/32',
      '-',
      '--flows-max',
      '5',
    )
    assert.equal(parsed.command, 'replay')
    assert.deepEqual(parsed.operands, ['a.pcap', '-'])
    assert.deepEqual(given(parsed.flags), {
      lan: ['192.0.2.0/24', '2001:db8::/32'],
      'flows.max': '5',
    })
    assert.deepEqual(parsed.own, { json: true, updates: undefined })
  })

  it('takes names that begin with a dash after --', () => {
    assert.deepEqual(parse('replay', '--', '-x.pcap', '--json').operands, ['-x.pcap', '--json'])
  })

  it('of start has every key of the configuration, and switches also off', () => {
    const argv = [
      'start',
      '--mode',
      'gateway',
      '--interface',
      'a',
      '--interface',
      'b',
      '--broker',
      'embedded',
      '--http',
      'off',
      '--data',
      'd',
      '--agent',
      'x',
      '--no-promiscuous',
    ]
    assert.deepEqual(given(parse(...argv).flags), {
      agent: 'x',
      mode: 'gateway',
      interfaces: ['a', 'b'],
      promiscuous: false,
      data: 'd',
      broker: 'embedded',
      http: 'off',
    })
    for (const { path, schema } of keysOf()) {
      const isSwitch = baseOf(schema) instanceof z.ZodBoolean
      const { flags } = parse('start', flagOf(path, schema), ...(isSwitch ? [] : ['x']))
      assert.ok(flags[path] !== undefined, path)
    }
  }).timeout(5000)

  it('with --help anywhere explains the command, and with help, too', () => {
    for (const name of COMMANDS) {
      const text = readArguments([name, '--help'], '')
      assert.ok(typeof text === 'string')
      assert.ok(text.startsWith(`homespin ${name}`))
      assert.equal(readArguments(['help', name], ''), text)
      assert.equal(readArguments([name, '--nonsense', '-h'], ''), text)
    }
  })

  const wrong: [argv: string[], says: RegExp][] = [
    [['strat'], /there is no command "strat"[\s\S]*start +run the agent/],
    [['__proto__'], /there is no command/],
    [['constructor'], /there is no command/],
    [['--json'], /there is no command "--json"/],
    [[''], /there is no command ""/],
    [['start', '--interfaces', 'eth0'], /--interfaces.*homespin start --help/],
    [['start', 'eth0'], /start takes no operand "eth0".*homespin start --help/],
    [['start', '--mode'], /--mode.*homespin start --help/],
    [['devices', '--lan', '192.0.2.0/24'], /--lan.*homespin devices --help/],
    [['print', '-x'], /-x.*homespin print --help/],
    [['doctor', '--json=yes'], /--json.*homespin doctor --help/],
    [['replay'], /replay needs FILE….*homespin replay --help/],
    [['replay', '--json'], /replay needs FILE…/],
    [['replay', '-', 'a.pcap', '-'], /standard input.*once/],
    [['help', 'strat'], /there is no command "strat"/],
  ]
  for (const [argv, says] of wrong) {
    it(`refuses homespin ${argv.join(' ')}`, () => {
      assert.throws(
        () => readArguments(argv, ''),
        (error: Error) => error instanceof UsageError && says.test(error.message),
      )
    })
  }
})

describe('the program', function () {
  this.timeout(30_000)

  it('prints version and help on standard output, with exit code 0', async () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../../agent/package.json', import.meta.url), 'utf8'),
    ) as { version: string }
    assert.deepEqual(await homespin(['--version']), { code: 0, out: `${version}\n`, err: '' })
    const overview = await homespin([])
    assert.equal(overview.code, 0)
    for (const name of COMMANDS) assert.match(overview.out, new RegExp(`^  ${name} `, 'm'))
    const help = await homespin(['start', '--help'])
    assert.equal(help.code, 0)
    for (const flag of [
      '--mode',
      '--interface',
      '--lan',
      '--broker',
      '--http',
      '--data',
      '--agent',
    ]) {
      assert.match(help.out, new RegExp(`^  ${flag} `, 'm'))
    }
    assert.ok(help.out.split('\n').every((line) => line.length <= 160))
  })

  const usage: [argv: string[], env: NodeJS.ProcessEnv, says: RegExp][] = [
    [['strat'], {}, /^homespin: there is no command "strat"/],
    [['start', '--moed', 'host'], {}, /^homespin: .*--moed/],
    [['start', '--mode', 'x'], {}, /^homespin: --mode: mode: .*Example: --mode gateway\n$/],
    [['start'], { HOMESPIN_MODE: 'x' }, /^homespin: HOMESPIN_MODE in the environment/],
    [
      ['start', '--config', 'no-such-file.yaml'],
      {},
      /^homespin: the configuration no-such-file\.yaml can't be read/,
    ],
    [['replay'], {}, /^homespin: replay needs FILE/],
    [['replay', '--lan', 'home', 'x.pcap'], {}, /^homespin: --lan: .*CIDR/],
  ]
  for (const [argv, env, says] of usage) {
    it(`ends with exit code 2 and a sentence: ${argv.join(' ')} ${Object.keys(env).join()}`, async () => {
      const { code, out, err } = await homespin(argv, { env })
      assert.equal(code, 2, err)
      assert.equal(out, '')
      assert.match(err, says)
      assert.doesNotMatch(err, /\n +at /, 'no stack')
    })
  }

  it('ends with exit code 1 where no agent runs, and says how to start one', async () => {
    const data = `${import.meta.dirname}/no-such-data`
    for (const command of ['devices', 'print']) {
      const { code, out, err } = await homespin([command, '--data', data])
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, /^homespin: no agent is running with its data in .*homespin start --data/)
    }
  })
})
