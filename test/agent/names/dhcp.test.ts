import assert from 'node:assert/strict'
import { readDhcpClient, readDhcpLease } from '../../../agent/names/dhcp.ts'

/** A message of a client with these options. */
function message(options: [code: number, value: Buffer | string][], op = 1): Buffer {
  const head = Buffer.alloc(240)
  head.set([op, 1, 6, 0])
  Buffer.from('020de0000001', 'hex').copy(head, 28)
  head.writeUInt32BE(0x63825363, 236)
  const rest = options.map(([code, value]) => {
    const bytes = Buffer.from(value as string)
    return Buffer.concat([Buffer.from([code, bytes.length]), bytes])
  })
  return Buffer.concat([head, ...rest, Buffer.from([255])])
}

describe('the host name in DHCP', () => {
  const cases: [what: string, message: Buffer, name: string | undefined][] = [
    [
      'option 12',
      message([
        [53, '\x03'],
        [12, 'living-room-tv'],
      ]),
      'living-room-tv',
    ],
    ['option 81 where there is no 12', message([[81, '\0\0\0pc-7.home.example']]), 'pc-7'],
    [
      'option 12 before 81',
      message([
        [81, '\0\0\0pc-7'],
        [12, 'desk'],
      ]),
      'desk',
    ],
    [
      'padding between options',
      message([
        [0, ''],
        [12, 'tv'],
      ]),
      'tv',
    ],
    ['UTF-8', message([[12, 'Küche']]), 'Küche'],
    ['script as text', message([[12, '<img src=x>']]), '<img src=x>'],
    ['controls and directions taken out', message([[12, 'a\u202eb\n\0c']]), 'abc'],
    ['63 characters at most', message([[12, 'x'.repeat(200)]]), 'x'.repeat(63)],
    ['no name', message([[53, '\x01']]), undefined],
    ['an empty name', message([[12, '\0 ']]), undefined],
    ['a server', message([[12, 'router']], 2), undefined],
    ['an option that ends behind the message', message([]).fill(12, 240), undefined],
    ['a message cut short', message([[12, 'tv']]).subarray(0, 239), undefined],
  ]
  for (const [what, bytes, name] of cases) {
    it(what, () => assert.equal(readDhcpClient(bytes)?.name, name))
  }

  it('is of the client that the message names', () => {
    assert.equal(readDhcpClient(message([[12, 'tv']]))?.mac, 0x0100 * 4294967296 + 0x00e00d02)
  })

  it('cut at every byte is a name or none, never a fault', () => {
    const whole = message([
      [12, 'living-room-tv'],
      [81, '\0\0\0pc'],
    ])
    for (let i = 0; i < whole.length; i++) readDhcpClient(whole.subarray(0, i))
  })
})

describe('the address in DHCP', () => {
  /** An answer with this kind (option 53), and `yiaddr` 192.0.2.10. */
  function reply(...kinds: readonly string[]): Buffer {
    const bytes = message(
      kinds.map((kind) => [53, kind]),
      2,
    )
    bytes.writeUInt32BE(0xcafe, 4)
    bytes.set([192, 0, 2, 10], 16)
    return bytes
  }

  it('is that of an acknowledgement, for the client with its transaction', () => {
    const lease = readDhcpLease(reply('\x05'))
    assert.deepEqual(lease && [lease.mac, lease.transaction, [...lease.ip]], [
      0x0100 * 4294967296 + 0x00e00d02,
      0xcafe,
      [192, 0, 2, 10],
    ])
  })

  const none: [what: string, message: Buffer][] = [
    ['an offer', reply('\x02')],
    ['a refusal', reply('\x06')],
    ['BOOTP, which has no kind', reply()],
    ['a kind of two bytes', reply('\x05\x05')],
    ['an offer that says later that it is none', reply('\x02', '\x05')],
    ['a client', message([[53, '\x05']])],
    ['a message cut short', reply('\x05').subarray(0, 241)],
  ]
  for (const [what, bytes] of none) {
    it(`is none in ${what}`, () => assert.equal(readDhcpLease(bytes), undefined))
  }

  it('cut at every byte is one or none, never a fault', () => {
    const whole = reply('\x05')
    for (let i = 0; i < whole.length; i++) readDhcpLease(whole.subarray(0, i))
  })
})
