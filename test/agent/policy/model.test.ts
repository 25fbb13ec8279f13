import assert from 'node:assert/strict'
import type { Level } from '../../../protocol/policy.ts'
import { LEVELS } from '../../../protocol/policy.ts'
import type { Made } from './desk.ts'
import { block, id, ME, make, quarantine, removeAll } from './desk.ts'

/** What stands, as simply as it can be said: by device and by what is ordered, with when it ends. */
interface Model {
  blocks: Map<string, number>
  levels: Map<string, number>
  members: number[]
}

interface Step {
  before: Model
  seq: number
}

const DEVICES = 5
const HOUR = 3_600_000

describe('Policy: against a model', function () {
  this.timeout(120_000)
  afterEach(removeAll)

  it('random orders, lifts, undos, ends and restarts', async function () {
    const runs = Number(process.env.HOMESPIN_TEST_MODELS ?? 6)
    this.timeout(30_000 + runs * 10_000)
    for (let run = 0; run < runs; run++) {
      const seed = Math.floor(Math.random() * 1e9)
      await play(seed, 150)
      await removeAll()
    }
  })

  async function play(seed: number, steps: number): Promise<void> {
    const random = generator(seed)
    const pick = (n: number): number => Math.floor(random() * n)
    let made = await make()
    let model: Model = { blocks: new Map(), levels: new Map(), members: [] }
    // What can still be undone, the newest last.
    let done: Step[] = []
    const kept: string[] = []
    const change = async (
      what: string,
      to: (m: Model) => void,
      call: Promise<{ journal_seq?: number }>,
    ) => {
      kept.push(what)
      const before = model
      model = copy(model)
      to(model)
      const { journal_seq } = await call
      if (journal_seq === undefined) model = before
      else done.push({ before, seq: journal_seq })
    }
    await made.policy.setGroup({ id: 'g', name: 'g', device_ids: [] }, ME)
    for (let n = 0; n < steps; n++) {
      const { policy, time } = made
      const device = 1 + pick(DEVICES)
      const endpoint = `203.0.113.${pick(3)}`
      const level = LEVELS[pick(4)] as Level
      const forS = random() < 0.4 ? 1 + pick(7200) : undefined
      const end = forS === undefined ? Number.POSITIVE_INFINITY : time.boot + forS * 1000
      const term = forS === undefined ? {} : { forS }
      const dice = random()
      if (dice < 0.25) {
        await change(
          `block ${device} ${endpoint} ${forS}`,
          ({ blocks }) => blocks.set(`${id(device)} ${endpoint}`, end),
          policy.order(block(device, { endpoint }, term), ME),
        )
      } else if (dice < 0.32) {
        await change(
          `block group ${endpoint} ${forS}`,
          ({ blocks }) => blocks.set(`g ${endpoint}`, end),
          policy.order(
            {
              ...block(device, { endpoint }, { ...term, confirmS: 0 }),
              subject: { group_id: 'g' },
            },
            ME,
          ),
        )
      } else if (dice < 0.5) {
        await change(
          `quarantine ${device} ${level} ${forS}`,
          ({ levels }) => {
            const about = [...levels.keys()].filter((key) => key.startsWith(id(device)))
            if (forS === undefined) for (const key of about) levels.delete(key)
            levels.set(`${id(device)} ${level}${forS === undefined ? '' : ' for a while'}`, end)
          },
          policy.order(quarantine(device, level, term), ME),
        )
      } else if (dice < 0.6) {
        await change(
          `lift ${device}`,
          ({ blocks, levels }) => {
            for (const map of [blocks, levels])
              for (const key of map.keys()) if (key.startsWith(id(device))) map.delete(key)
          },
          policy.lift({ subject: { device_id: id(device) } }, ME),
        )
      } else if (dice < 0.65) {
        const members = [1, 2, 3, 4, 5].filter(() => random() < 0.4)
        await change(
          `group of ${members}`,
          (m) => {
            m.members = members
          },
          policy.setGroup({ id: 'g', name: 'g', device_ids: members.map(id) }, ME),
        )
      } else if (dice < 0.67) {
        await change(
          'panic',
          ({ blocks, levels }) => {
            blocks.clear()
            levels.clear()
          },
          policy.panic(ME),
        )
      } else if (dice < 0.8) {
        kept.push('undo')
        const step = done.pop()
        if (step !== undefined) {
          await policy.undo({ seq: step.seq }, ME).catch((error) => {
            // Only where nothing is left of it.
            assert.match(String(error), /Nothing is left|ordered anew/, say())
          })
          model = copy(step.before)
        }
      } else if (dice < 0.93) {
        const ms = pick(HOUR)
        kept.push(`pass ${ms}`)
        time.pass(ms)
        time.wallMs += random() < 0.3 ? (random() - 0.5) * 1000 * HOUR : 0
        await made.settle()
      } else {
        kept.push('restart')
        made = await made.again()
        done = [...done]
      }
      expire(model, made.time.boot)
      compare(made, model, say)
    }

    function say(): string {
      return `seed ${seed}: ${kept.join(', ')}`
    }
  }

  function expire({ blocks, levels }: Model, now: number): void {
    for (const map of [blocks, levels]) {
      for (const [key, end] of map) if (end <= now) map.delete(key)
    }
  }

  function copy({ blocks, levels, members }: Model): Model {
    return { blocks: new Map(blocks), levels: new Map(levels), members: [...members] }
  }

  function compare({ policy, kernel }: Made, model: Model, say: () => string): void {
    for (let n = 1; n <= DEVICES; n++) {
      const own = [...model.blocks].filter(([key]) => key.startsWith(id(n)))
      const group = model.members.includes(n)
        ? [...model.blocks].filter(([key]) => key.startsWith('g'))
        : []
      const wanted = [...own, ...group].map(([key, end]) => `${key.split(' ')[1]}/32 ${end}`).sort()
      const found = kernel
        .matches(id(n))
        .map(({ prefix, untilBootMs }) => `${prefix} ${untilBootMs ?? Number.POSITIVE_INFINITY}`)
        .sort()
      assert.deepEqual(found, wanted, say())
      const levels = LEVELS.filter((level) =>
        ['', ' for a while'].some((when) => model.levels.has(`${id(n)} ${level}${when}`)),
      )
      assert.equal(kernel.level(id(n)), levels.at(-1), say())
      assert.equal(policy.policyOf(id(n)).desired_level, levels.at(-1), say())
      assert.equal(policy.policyOf(id(n)).in_force, true, say())
    }
    assert.equal(policy.rules().length, model.blocks.size + model.levels.size, say())
  }
})

function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
