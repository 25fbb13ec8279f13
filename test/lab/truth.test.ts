// Of a capture whose truth is known, the agent says exactly that: from a file, from standard input, and off a wire.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { agentAt, runHomespin } from './agent-process.ts'
import type { KnownCapture } from './captures.ts'
import { drawSeed, generators } from './captures.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { Namespaces } from './namespaces.ts'
import { requires, succeed, until } from './process.ts'
import { Doors } from './relay.ts'
import { differences, findingsOf, findingsOfReplay } from './truth.ts'

/** Two namespaces joined by a cable, silent but for what is sent on purpose. */
async function cable(spaces: Namespaces): Promise<void> {
  await spaces.make(['from', 'to'])
  for (const name of ['from', 'to']) {
    await spaces.set(name, ['net/ipv6/conf/default/disable_ipv6'], '1')
    await spaces.ip(name, ['link set lo up'])
  }
  await spaces.ip('from', [
    `link add wire0 type veth peer name wire0 netns ${spaces.name('to')}`,
    'link set wire0 up',
  ])
  await spaces.ip('to', ['link set wire0 up'])
}

function assertTrue(found: Parameters<typeof differences>[0], known: KnownCapture): void {
  const wrong = differences(found, known.truth, known.others)
  if (wrong.length > 0) {
    assert.fail(`${wrong.length} differences:\n        ${wrong.slice(0, 12).join('\n        ')}`)
  }
}

for (const generator of generators()) {
  describe(`lab: truth of a capture by ${generator.title}`, function () {
    this.timeout(60_000)
    const seed = drawSeed()
    let folder = ''
    let known: KnownCapture
    before(async () => {
      folder = makeFolder()
      known = await generator.make(folder, seed)
    })
    after(() => removeFolder(folder))

    function told(how: string): void {
      const { flows, dns_queries, packets } = known.truth
      console.log(
        `      seed ${seed}, ${how}: ${packets} packets, ${flows} flows, ${dns_queries} queries: equal`,
      )
    }

    it('as a file', async () => {
      const ended = await runHomespin(['replay', known.file, '--json', ...known.lan])
      assert.equal(ended.code, 0, ended.stderr)
      const found = findingsOfReplay(ended.stdout)
      assertTrue(found, known)
      const { summary } = found
      assert.equal(summary.packets, summary.decoded + summary.malformed + summary.unsupported)
      assert.equal(summary.flows, known.truth.flows)
      assert.equal(summary.dns_queries, known.truth.dns_queries)
      told('file')
    })

    it('on standard input', async () => {
      const input = readFileSync(known.file)
      const ended = await runHomespin(['replay', '-', '--json', ...known.lan], { input })
      assert.equal(ended.code, 0, ended.stderr)
      assertTrue(findingsOfReplay(ended.stdout), known)
      told('standard input')
    })

    it('live over a cable', async function () {
      requires(this, 'root', 'ip', 'tcpreplay')
      const spaces = new Namespaces()
      const inside = (...command: string[]): string[] => spaces.exec('to', ...command)
      const doors = new Doors(inside, folder)
      try {
        await cable(spaces)
        const place = { inside, door: (port: number) => doors.open(port) }
        const args = ['--mode', 'mirror', '--interface', 'wire0', ...known.lan]
        const { agent, tap } = await agentAt(place, args)
        try {
          const replay = ['tcpreplay', '-q', '-i', 'wire0', '--pps=20000', known.file]
          await succeed('ip', spaces.exec('from', ...replay))
          await until('all flows and queries', () =>
            tap.flows.size >= known.truth.flows && tap.dns.length >= known.truth.dns_queries
              ? true
              : undefined,
          ).catch(() => {})
          // A second more for the last figures of flows that were already known.
          await new Promise((resolve) => setTimeout(resolve, 1500))
          const devices = await agent.devices()
          const found = findingsOf(tap.flows.values(), tap.dns, devices.values())
          assertTrue(found, known)
          assert.deepEqual(
            { gaps: tap.gaps, incomplete: tap.incomplete },
            { gaps: 0, incomplete: 0 },
          )
          told('live')
        } finally {
          await tap.stop()
          await agent.stop()
        }
      } finally {
        await doors.stop()
        await spaces.remove()
      }
    })
  })
}
