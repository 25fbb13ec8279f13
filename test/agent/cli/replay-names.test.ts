// homespin replay of captures with more names than a live interface lets through.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientHello, dns, records } from '../../native/messages.ts'
import { Conversation, pcap } from '../../native/packets.ts'
import type { Result } from './program.ts'
import { homespin } from './program.ts'

describe('homespin replay of many names', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-replay-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const play = async (frames: Buffer[]): Promise<Result> => {
    const path = join(folder, 'names.pcap')
    writeFileSync(path, pcap(frames))
    return homespin(['replay', '--json', '--lan', '192.0.2.0/24', path], { timeoutMs: 50_000 })
  }
  const lines = ({ out }: Result, type: string): string[] =>
    out.split('\n').filter((line) => line.includes(`"type":"${type}"`))

  it('tells every query of one device, however fast it asks', async () => {
    const frames = Array.from({ length: 6000 }, (_, i) =>
      new Conversation({ clientPort: 1024 + i, serverPort: 53 }).udp(true, dns(`q${i}.example`)),
    )
    const result = await play(frames)
    assert.deepEqual([result.code, result.err], [0, ''])
    assert.equal(lines(result, 'dns').length, 6000)
  })

  it('says how many names could not be read, and ends with exit code 1', async () => {
    const hello = records(clientHello('pq.example.com', { keyShare: 1700 }))
    const talks = Array.from({ length: 2000 }, (_, i) => new Conversation({ clientPort: 1024 + i }))
    const result = await play([
      ...talks.map((talk) => talk.tcp(true, { seq: 1, data: hello.subarray(0, 1400) })),
      ...talks.map((talk) => talk.tcp(true, { seq: 1401, data: hello.subarray(1400) })),
    ])
    const named = lines(result, 'flow').filter((line) => line.includes('"sni"')).length
    assert.equal(result.code, 1)
    assert.equal(
      result.err,
      `homespin: the names of ${2000 - named} packets were left out: so many messages in pieces are not kept at one time\n`,
    )
  })
})
