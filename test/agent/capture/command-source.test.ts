import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { CommandSource } from '../../../agent/capture/command-source.ts'
import { recordingLog, until } from '../mqtt/listener.ts'

/** Writes the head of a pcap, two packets and a half, and ends. */
const WRITER = `
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt32LE(1, 20)
  const record = Buffer.alloc(16 + 100)
  record.writeUInt32LE(100, 8)
  record.writeUInt32LE(100, 12)
  process.stdout.write(Buffer.concat([head, record, record, record.subarray(0, 50)]), () => process.exit(3))`

describe('a command that writes pcap', () => {
  it('is begun again when it ends, says so, and goes on in one stream', async () => {
    const log = recordingLog()
    const source = new CommandSource([process.execPath, '-e', WRITER], log, 10)
    const away: (string | undefined)[] = []
    source.onAway = (why) => away.push(why)
    const reader = new Socket({ fd: source.start(), readable: true, writable: false })
    const pieces: Buffer[] = []
    reader.on('data', (piece) => pieces.push(piece))
    try {
      await until(() => away.length >= 5, 20_000)
      assert.match(away[0] ?? '', /ended by itself \(3\); it is begun again/)
      assert.equal(away[1], undefined)
      assert.match(log.lines.join('\n'), /error .*begun again\ninfo packets come again/)
      const got = Buffer.concat(pieces)
      assert.equal(got.readUInt32LE(0), 0xa1b2c3d4)
      // One head, and whole records.
      assert.equal((got.length - 24) % 116, 0)
      for (let at = 24; at < got.length; at += 116) assert.equal(got.readUInt32LE(at + 8), 100)
      assert.ok(got.length >= 24 + 4 * 116)
    } finally {
      source.stop()
      reader.destroy()
    }
    assert.equal(source.away === undefined, away.at(-1) === undefined)
  })

  it('that can not be run, or writes something else, is tried again and never a crash', async () => {
    const commands: [string, ...string[]][] = [
      ['/no/such/program'],
      [process.execPath, '-e', "setInterval(() => process.stdout.write('x'.repeat(1000)), 5)"],
    ]
    for (const command of commands) {
      const source = new CommandSource(command, recordingLog(), 10)
      const away: (string | undefined)[] = []
      source.onAway = (why) => away.push(why)
      const reader = new Socket({ fd: source.start(), readable: true, writable: false })
      reader.on('data', () => assert.fail('nothing of it goes on'))
      await until(() => away.length >= 2, 20_000)
      source.stop()
      reader.destroy()
    }
  })
})
