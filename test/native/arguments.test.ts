import assert from 'node:assert/strict'
import { createCapture, createNetlink, tryInterface } from '../../native/index.ts'

/** What a caller without types might pass. */
const wrong = (value: unknown): never => value as never

describe('native arguments', () => {
  const options: [unknown, RegExp][] = [
    [null, /^TypeError: the options of a capture must be an object, not null$/],
    [[], /^TypeError: the options of a capture must be an object/],
    [{ maxFlow: 100 }, /^TypeError: a capture has no 'maxFlow'; did you mean 'maxFlows'\?$/],
    [{ udp_idle_seconds: 1 }, /did you mean 'udpIdleSeconds'/],
    [{ colour: 'red' }, /^TypeError: a capture has no 'colour'; known are maxFlows, /],
    [{ maxFlows: '100' }, /^TypeError: maxFlows must be a whole number, not '100'$/],
    [{ maxFlows: 15 }, /^RangeError: maxFlows must be from 16 to 4194304, not 15$/],
    [{ maxFlows: 2 ** 23 }, /^RangeError/],
    [{ tcpIdleSeconds: 0.5 }, /^TypeError: tcpIdleSeconds must be a whole number, not 0.5$/],
    [{ udpIdleSeconds: 0 }, /^RangeError/],
    [{ otherIdleSeconds: Number.NaN }, /^TypeError/],
    [{ namesBurst: Number.POSITIVE_INFINITY }, /^TypeError: namesBurst must be a whole number/],
    [{ updates: 1 }, /^TypeError: updates must be true or false, not 1$/],
    [{ names: 'dns' }, /^TypeError: names must be an array, not 'dns'$/],
    [{ names: ['dns', 'tls'] }, /^TypeError: names has 'tls'; known are dns, sni, /],
    [{ ringBytes: 1 }, /^RangeError: ringBytes must be from 65536/],
  ]
  for (const [given, message] of options) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(
        () => createCapture(wrong(given)),
        (error) => message.test(String(error)),
      )
    })
  }

  it('takes undefined for an option that is not given', () => {
    assert.doesNotThrow(() => createCapture({ maxFlows: undefined } as never))
  })

  it('checks paths, descriptors and functions', () => {
    const capture = createCapture()
    assert.throws(
      () => capture.readFile(wrong(5)),
      /^TypeError: the path of a capture must be a string, not 5$/,
    )
    assert.throws(() => capture.readFile('a\0b'), TypeError)
    assert.throws(() => capture.readDescriptor(-1, false), TypeError)
    assert.throws(() => capture.readDescriptor(wrong('0'), false), TypeError)
    capture.readFile('/dev/null')
    assert.throws(() => capture.start(wrong(undefined)), /^TypeError: onReady must be a function/)
    assert.throws(() => capture.readDescriptor(0, true), /has its source already/)
    assert.throws(() => createNetlink().start(wrong(1)), TypeError)
  })

  it('checks interfaces', () => {
    const cases: [unknown, RegExp][] = [
      [{}, /^TypeError: the interfaces must be an array/],
      [[], /^RangeError: a capture takes 1 to 256 interfaces, not 0$/],
      [
        [{ name: 'eth0' }],
        /^TypeError: count of eth0 must be all, incoming, own_outgoing, not undefined$/,
      ],
      [[{ name: '../x', count: 'all' }], /^TypeError: '..\/x' is not the name of an interface$/],
      [[{ name: 'a-name-that-is-long', count: 'all' }], /is not the name/],
      [
        [
          { name: 'lo', count: 'all' },
          { name: 'lo', count: 'all' },
        ],
        /^RangeError: interface lo is there twice$/,
      ],
      [[{ name: 'lo', count: 'all', promisc: true }], /did you mean 'promiscuous'|known are/],
      [[{ name: 'lo', count: 'all', upstreamMacs: ['02:00'] }], /'02:00' is not a MAC address/],
      [[{ name: 'lo', count: 'all', promiscuous: 'yes' }], /^TypeError: promiscuous of lo/],
    ]
    for (const [specs, message] of cases) {
      assert.throws(
        () => createCapture().setInterfaces(wrong(specs)),
        (error) => message.test(String(error)),
      )
    }
    assert.throws(() => tryInterface('a b'), TypeError)
  })

  it('checks the locality', () => {
    const capture = createCapture()
    capture.setLocality({
      prefixes: ['192.0.2.0/24', '2001:db8::/32', '0.0.0.0/0'],
      own: ['192.0.2.1', '2001:db8::1'],
    })
    for (const prefix of [
      '192.0.2.0',
      '192.0.2.0/33',
      '2001:db8::/129',
      'home/24',
      '192.0.2.0/2/4',
      '192.0.2.0/',
      5,
    ]) {
      assert.throws(
        () => capture.setLocality({ prefixes: wrong([prefix]), own: [] }),
        /is not a prefix like/,
      )
    }
    assert.throws(
      () => capture.setLocality({ prefixes: [], own: ['192.0.2.1/24'] }),
      /is not an IP address/,
    )
    assert.throws(
      () => capture.setLocality(wrong({ prefix: [], own: [] })),
      /did you mean 'prefixes'/,
    )
  })
})
