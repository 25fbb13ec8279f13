// A real router, a whole Debian with its package installed: what is blocked stays blocked over reboots and power cuts, from
// the first packet that a device can send.
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { buildDeb } from '../../packaging/build-deb.ts'
import type { Capability } from '../../protocol/messages.ts'
import type { DevicePolicy } from '../../protocol/policy.ts'
import { count } from '../full.ts'
import { sleep, until } from '../lab/process.ts'
import type { Machine } from './machine.ts'
import type { Made } from './made.ts'
import { makeMachine } from './made.ts'

const REBOOTS = count('VM_REBOOTS', 2, 20)
const CUTS = count('VM_CUTS', 2, 10)
const SOCKET = '/var/lib/homespin/run/agent.sock'
/** The agent's start takes minutes of an emulated processor that packets keep busy, too. */
const SLOW_MS = 900_000
/** Held all the time; the other one is free. */
const HELD = { id: '020de0000001', addresses: ['192.0.2.11', '2001:db8:1::11', '2001:db8:1::d:11'] }
const FREE = { id: '020de0000002', addresses: ['192.0.2.12', '2001:db8:1::12', '2001:db8:1::d:12'] }
/** Of the programs that send: through the router without any restriction. */
const OUTSIDE = ['203.0.113.9', '198.51.100.2', '2001:db8:2::2', '2001:db8:113::9']

interface Seen {
  count: number
  firstMs: number
}

interface Answer<T> {
  result?: T
  error?: { message: string }
}

describe('vm: a router', function () {
  this.timeout(3_600_000)
  let made: Made | undefined
  let machine: Machine

  before(async function () {
    made = await makeMachine(this, (share) =>
      renameSync(buildDeb(share), join(share, 'homespin.deb')),
    )
    machine = made.machine
  })
  after(() => made?.remove())
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return
    const journal = machine.do('journalctl -b -u homespin -o cat --no-pager | tail -25', 60_000)
    // One that does not answer has been told of by the test itself.
    const { output } = await journal.catch(() => ({ output: '' }))
    console.log(output.replaceAll(/^/gm, '        '))
  })

  async function curl<T>(path: string, body?: object): Promise<T> {
    const post =
      body === undefined ? '' : `-H content-type:application/json -d '${JSON.stringify(body)}'`
    const output = await machine.succeed(
      `curl -sS --unix-socket ${SOCKET} ${post} http://localhost${path}`,
    )
    return JSON.parse(output) as T
  }

  async function order<T>(method: string, params: object): Promise<T> {
    const body = { jsonrpc: '2.0', id: 1, method, params }
    const { result, error } = await curl<Answer<T>>('/api/rpc', body)
    assert.ok(result, `${method}: ${error?.message}`)
    return result
  }

  const quarantine = (device: string, level: string): Promise<{ not_stored?: string }> =>
    order('quarantine', { device, level, reason: 'a test' })

  /** Whether the agent has told what the kernel has of a device. */
  async function policyOf(device: string): Promise<DevicePolicy | undefined> {
    const { devices } = await curl<{ devices: { id: string; policy?: DevicePolicy }[] }>(
      '/api/devices',
    )
    return devices.find(({ id }) => id === device)?.policy
  }

  /** Since the boot: senders that were heard in a place, by address. */
  async function heard(where: 'wan' | 'dev1' | 'dev2'): Promise<Map<string, Seen>> {
    const text = await machine.succeed(`cat /run/lab/${where}`)
    const lines = text.split('\n').filter(Boolean)
    return new Map(
      lines.map((line): [string, Seen] => {
        const [address = '', count, firstMs] = line.split(' ')
        return [address, { count: Number(count), firstMs: Number(firstMs) }]
      }),
    )
  }

  /** Packets of the held device that got anywhere since the boot, in either direction. */
  async function leaks(): Promise<number> {
    const out = await heard('wan')
    const back = await heard('dev1')
    const counter = await machine.succeed('nft list chain inet lab input')
    const toRouter = Number(/counter packets (\d+)/.exec(counter)?.[1] ?? Number.NaN)
    const count = (map: Map<string, Seen>, addresses: string[]): number =>
      addresses.reduce((sum, address) => sum + (map.get(address)?.count ?? 0), 0)
    return count(out, HELD.addresses) + count(back, OUTSIDE) + toRouter
  }

  async function untilEnforcing(): Promise<Record<string, Capability>> {
    return await until(
      'the agent to enforce',
      async () => {
        const found = await curl<{ capabilities: Record<string, Capability> }>('/api/info').catch(
          () => undefined,
        )
        return found?.capabilities.enforce?.ok ? found.capabilities : undefined
      },
      SLOW_MS,
      1000,
    )
  }

  /** When the network came up, and when the agent had put its own rules in the place of those of the boot; ms since boot. */
  async function times(): Promise<{ networkMs: number; bootRulesMs: number; agentMs: number }> {
    const agent = await until(
      'the rules of the agent',
      async () => {
        const { code } = await machine.do('nft list table netdev homespin > /dev/null')
        return code === 0 ? true : undefined
      },
      SLOW_MS,
      500,
    ).then(() => machine.succeed('cut -d" " -f1 /proc/uptime'))
    const networkMs = await until(
      'a packet of the free device',
      async () => {
        const seen = await heard('wan')
        const first = FREE.addresses.map((address) => seen.get(address)?.firstMs ?? Infinity)
        const least = Math.min(...first)
        return Number.isFinite(least) ? least : undefined
      },
      120_000,
      500,
    )
    const unit = await machine.succeed(
      'systemctl show -P ActiveEnterTimestampMonotonic homespin-boot.service',
    )
    return { networkMs, bootRulesMs: Number(unit) / 1000, agentMs: Number(agent) * 1000 }
  }

  it('is installed, enforces by nft queue, and says so', async () => {
    await machine.succeed(
      'find / -xdev \\( -path /var/log -o -path /var/lib/systemd \\) -prune -o -print | sort > /var/log/before.list',
    )
    await machine.succeed('dpkg --force-unsafe-io -i /share/homespin.deb')
    await machine.succeed(
      "printf 'mode: gateway\\ninterfaces: [br-lan]\\n' > /etc/homespin/homespin.yaml; systemctl restart homespin",
    )
    const { queue, levels, dns_gate, first_packets } = await untilEnforcing()
    console.log(`      queue: ${queue?.reason}`)
    assert.match(queue?.reason ?? '', /nft's queue statement/)
    assert.deepEqual(levels?.values, ['observe', 'internet_only', 'local_only', 'full'])
    assert.equal(dns_gate?.ok, true, dns_gate?.reason)
    assert.equal(first_packets?.ok, true, first_packets?.reason)
    const { output } = await machine.do('homespin doctor')
    console.log(output.replaceAll(/^/gm, '        '))
    assert.match(output, /queue \(NFQUEUE\): by nft's queue statement/)
    const exposure = await machine.do(
      'systemd-analyze security --no-pager homespin.service | tail -1',
    )
    console.log(`      ${exposure.output.trim()}`)
  })

  it('holds a device, in both directions and towards the router', async () => {
    await until('the devices', async () => ((await policyOf(HELD.id)) ? true : undefined), 60_000)
    await quarantine(HELD.id, 'full')
    await sleep(500)
    const before = await leaks()
    await sleep(5000)
    assert.equal((await leaks()) - before, 0)
    await machine.succeed('test -s /var/lib/homespin/boot.nft')
  })

  it(`leaks nothing over ${REBOOTS} reboots`, async () => {
    const windows: string[] = []
    for (let round = 0; round < REBOOTS; round++) {
      await machine.reboot()
      const { networkMs, bootRulesMs, agentMs } = await times()
      await sleep(2000)
      const leaked = await leaks()
      windows.push(
        `rules ${(bootRulesMs / 1000).toFixed(1)} s, network ${(networkMs / 1000).toFixed(1)} s, agent ${(agentMs / 1000).toFixed(1)} s, leaked ${leaked}`,
      )
      console.log(`      ${windows.at(-1)}`)
      assert.equal(leaked, 0, `packets leaked in reboot ${round + 1}`)
      assert.ok(bootRulesMs < networkMs, 'the rules are there before the network')
      assert.equal((await policyOf(HELD.id))?.in_force, true)
    }
  })

  it(`loses no acknowledged block over ${CUTS} power cuts`, async () => {
    for (let round = 0; round < CUTS; round++) {
      const level = round % 2 === 0 ? 'local_only' : 'full'
      assert.equal((await quarantine(FREE.id, level)).not_stored, undefined)
      await machine.cutPower()
      await machine.start()
      await untilEnforcing()
      await until(
        'the block',
        async () => {
          const policy = await policyOf(FREE.id)
          return policy?.in_force && policy.level === level ? true : undefined
        },
        60_000,
      )
      const leaked = await leaks()
      console.log(
        `      cut right after ${level}: held after the boot; the other device leaked ${leaked}`,
      )
      assert.equal(leaked, 0)
      await order('release', { device: FREE.id })
    }
  })

  it('would leak without the unit of the boot', async () => {
    await machine.succeed('systemctl disable homespin-boot.service')
    await machine.reboot()
    const { networkMs, agentMs } = await times()
    const leaked = await leaks()
    console.log(
      `      without it: network ${(networkMs / 1000).toFixed(1)} s, agent ${(agentMs / 1000).toFixed(1)} s, ${leaked} packets between`,
    )
    assert.ok(leaked > 0, 'the sender is too late to prove anything')
    await machine.succeed('systemctl enable homespin-boot.service')
  })

  it('leaves nothing when it is removed', async () => {
    await machine.succeed('dpkg --purge homespin')
    assert.doesNotMatch(await machine.succeed('nft list ruleset'), /homespin/)
    const left = await machine.succeed(
      'find / -xdev \\( -path /var/log -o -path /var/lib/systemd \\) -prune -o -print | sort | comm -13 /var/log/before.list - | grep -i homespin || true',
    )
    assert.equal(left, '')
    const units = await machine.succeed('systemctl list-unit-files | grep homespin || true')
    assert.equal(units, '')
  })
})
