// Several files are one capture that was cut: nothing but the files' headers may show where.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch, CaptureOptions } from '../../native/index.ts'
import { createCapture } from '../../native/index.ts'
import { clientHello, records } from './messages.ts'
import type { Captured } from './packets.ts'
import { Conversation, ethernet, ipv4, PSH, pcap, START_S, SYN, udp } from './packets.ts'
import type { FlowRow, NameRow } from './replay.ts'
import { flowRows, nameRows } from './replay.ts'

interface Read {
  flows: FlowRow[]
  names: NameRow[]
  last: Batch
}

describe('native captures: several files', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-native-several-'))
  })
  let files = 0
  after(() => rmSync(folder, { recursive: true }))

  function file(content: Buffer): string {
    const path = join(folder, `${files++}.pcap`)
    writeFileSync(path, content)
    return path
  }

  /** Paths, or descriptors. */
  async function read(
    sources: readonly (string | number)[],
    options: CaptureOptions = {},
  ): Promise<Read> {
    const capture = createCapture({ updates: false, ...options })
    for (const source of sources) {
      if (typeof source === 'string') capture.readFile(source)
      else capture.readDescriptor(source, false)
    }
    const flows: FlowRow[] = []
    const names: NameRow[] = []
    const last = await new Promise<Batch>((resolve) => {
      capture.start(() => {
        const batch = capture.drain()
        names.push(...nameRows(batch))
        flows.push(...flowRows(batch))
        if (batch.ended) resolve(batch)
      })
    })
    return { flows, names, last }
  }

  async function readParts(...parts: (Captured | Buffer)[][]): Promise<Read> {
    return await read(parts.map((part) => file(pcap(part))))
  }

  const talk = new Conversation()
  const up = talk.udp(true, Buffer.from('question'))
  const down = talk.udp(false, Buffer.from('answer'))

  it('go on with their flows, whoever speaks first after the cut', async () => {
    const { flows, last } = await readParts([{ data: up, at: 0 }], [{ data: down, at: 20 }])
    assert.equal(flows.length, 1)
    const [flow] = flows
    assert.deepEqual([flow?.origPackets, flow?.respPackets, flow?.orig], [1, 1, '192.0.2.11:50123'])
    assert.deepEqual([last.counters.flows, last.counters.packets], [1, 2])
    assert.equal(last.faults, undefined)
  })

  it('end flows in the gap between two, as a pause would', async () => {
    const { flows } = await readParts([{ data: up, at: 0 }], [{ data: up, at: 61 }])
    assert.deepEqual(
      flows.map((flow) => flow.closedBy),
      ['idle', 'eof'],
    )
  })

  it('go on with fragments and with a ClientHello in pieces', async () => {
    const datagram = udp(1234, 9, Buffer.alloc(120))
    const fragments = [0, 64].map((from) =>
      ethernet(
        0x0800,
        ipv4(datagram.subarray(from, from + 64), {
          fragmentOffset: from,
          moreFragments: from === 0,
        }),
      ),
    )
    const { flows } = await readParts([fragments[0] as Buffer], [fragments[1] as Buffer])
    assert.deepEqual(
      flows.map((flow) => [flow.orig, flow.origPackets]),
      [['192.0.2.11:1234', 2]],
    )
    const hello = records(clientHello('cut.example.com'))
    const tls = [
      talk.tcp(true, { flags: SYN, seq: 1 }),
      talk.tcp(true, { flags: PSH, seq: 2, data: hello.subarray(0, 40) }),
      talk.tcp(true, { flags: PSH, seq: 42, data: hello.subarray(40) }),
    ]
    const { names } = await readParts(tls.slice(0, 2), tls.slice(2))
    assert.deepEqual(
      names.map((name) => name.kind),
      ['sni'],
    )
  })

  it('that are older than the one before have flows and times of their own', async () => {
    const later = Array.from({ length: 3 }, (_, i) => ({ data: up, at: 5000 + i * 30 }))
    const { flows, last } = await readParts(later, [
      { data: up, at: 0 },
      { data: up, at: 100 },
    ])
    assert.deepEqual(
      flows.map((flow) => [flow.origPackets, flow.closedBy, Math.round(flow.firstMs / 1000)]),
      [
        [3, 'eof', START_S + 5000],
        [1, 'idle', START_S],
        [1, 'eof', START_S + 100],
      ],
    )
    const { firstMs, lastMs } = last.counters
    assert.deepEqual([firstMs, lastMs], [START_S * 1000, (START_S + 5060) * 1000])
  })

  it('that overlap by a moment are one capture all the same', async () => {
    const { flows } = await readParts([{ data: up, at: 10 }], [{ data: down, at: 9.5 }])
    assert.deepEqual(
      flows.map((flow) => [flow.origPackets, flow.respPackets]),
      [[1, 1]],
    )
  })

  it('older than the one before may name as much as if they came alone', async () => {
    const query = (name: string): Buffer =>
      new Conversation({ serverPort: 53 }).udp(
        true,
        Buffer.concat([
          Buffer.from('000101000001000000000000', 'hex'),
          Buffer.from([name.length]),
          Buffer.from(name),
          Buffer.from([0, 0, 1, 0, 1]),
        ]),
      )
    const part = (at: number): string =>
      file(pcap(Array.from({ length: 3 }, () => ({ data: query('name'), at }))))
    const options = { namesPerSecond: 1, namesBurst: 3 }
    const { names, last } = await read([part(5000), part(0)], options)
    assert.deepEqual([names.length, last.counters.namesDropped], [6, 0])
  })

  it('say which of them could not be read, and go on', async () => {
    const whole = pcap([up, down])
    const gone = file(whole)
    const radiotap = pcap([up], { link: 127 })
    const capture = [
      file(whole.subarray(0, whole.length - 3)),
      file(radiotap),
      file(whole),
      file(Buffer.alloc(0)),
      gone,
      file(whole),
    ]
    const session = createCapture({ updates: false })
    for (const path of capture) session.readFile(path)
    rmSync(gone)
    const last = await new Promise<Batch>((resolve) => {
      session.start(() => {
        const batch = session.drain()
        if (batch.ended) resolve(batch)
      })
    })
    assert.equal(last.counters.packets, 5)
    assert.deepEqual(
      last.faults?.map(({ source, unsupportedLinks }) => [source, unsupportedLinks]),
      [
        [0, []],
        [1, ['IEEE802_11_RADIOTAP (127)']],
        [3, []],
        [4, []],
      ],
    )
    const errors = last.faults?.map(({ error }) => error ?? '')
    assert.match(errors?.[0] ?? '', /^packet 2 at byte \d+: the capture ends within it$/)
    assert.match(errors?.[2] ?? '', /it is empty/)
    assert.match(errors?.[3] ?? '', /can't be opened: No such file/)
    assert.equal(last.error, errors?.[3])
  })

  it('may be more than a process may open, with pipes among them', async () => {
    const path = file(pcap([up]))
    const fifo = join(folder, 'pipe')
    execFileSync('mkfifo', [fifo])
    const reading = read([...Array<string>(3000).fill(path), fifo, openSync(path, 'r')])
    const writer = await open(fifo, 'w')
    await writer.writeFile(pcap([up, down]))
    await writer.close()
    const { last } = await reading
    assert.equal(last.counters.packets, 3003)
    assert.equal(last.faults, undefined)
  }).timeout(10_000)

  it('are no live source, and a descriptor is read once', () => {
    const path = file(pcap([up]))
    const fd = openSync(path, 'r')
    const capture = createCapture()
    capture.readDescriptor(fd, false)
    assert.throws(() => capture.readDescriptor(fd, false), /descriptor \d+ can be read only once/)
    assert.throws(() => capture.readDescriptor(0, true), /has its source already/)
    assert.throws(
      () => capture.setInterfaces([{ name: 'lo', count: 'all' }]),
      /has its source already/,
    )
    capture.stop()
    assert.throws(() => capture.readFile(path), /was stopped already/)
  })
})
