// What is ordered in the fixture's home: takes the agent's verbs, and answers, refuses, dawdles or lies as a test wants it.
import type { Incident } from '../../protocol/act.ts'
import type {
  DevicePolicy,
  Group,
  JournalEntry,
  Level,
  Restriction,
  Rule,
  RuleView,
  Subject,
} from '../../protocol/policy.ts'
import { connectionRateOf } from './fixture-findings.ts'
import { HOSTILE } from './fixture-home.ts'

/** What Home Assistant has after the button. */
const BLUEPRINTS = [
  { path: 'homespin/new_device.yaml', name: 'Homespin: hold a new device', replaced: false },
  { path: 'homespin/streaming.yaml', name: 'Homespin: streaming', replaced: true },
]

/** How the next orders are carried out. */
export interface Behaviour {
  /** Answered after so long. */
  delayMs: number
  /** Refused with this sentence. */
  refuse?: string | undefined
  /** Told over the feed; otherwise only reads tell it. */
  told: boolean
  /** The kernel does not take it, for this reason. */
  problem?: string | undefined
  /** What is left open though ordered. */
  uncovered?: string
  /** Orders have to be confirmed. */
  risky: boolean
}

/** An order as it came. */
export interface Came {
  verb: string
  args: Record<string, unknown>
}

/** Why an order is refused, as the agent says it. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const STRICTNESS: readonly (Level | undefined)[] = [
  undefined,
  'observe',
  'internet_only',
  'local_only',
  'full',
]

/** Rules, groups, journal and incidents of a home with these devices. */
export class FixturePolicy {
  readonly behaviour: Behaviour = { delayMs: 0, told: true, risky: false }
  readonly came: Came[] = []
  rules: RuleView[] = []
  groups: Group[] = []
  journal: JournalEntry[] = []
  incidents: Incident[] = []
  readonly unaccepted = new Set<string>()
  readonly #ids: readonly string[]
  #next = 1

  constructor(ids: readonly string[]) {
    this.#ids = ids
  }

  /** Things as they are after some weeks. */
  fill(now_ms: number): void {
    const [tv = '', , phone = '', thermostat = '', , cheap = '', camera = ''] = this.#ids
    this.groups = [{ id: 'tablets', name: 'Tablets of the children', device_ids: [tv, phone] }]
    this.unaccepted.add(this.#ids[9] ?? '')
    const at = (minutes: number): number => now_ms - minutes * 60_000
    this.#stand(
      { action: 'block', subject: { everyone: true }, match: { domain: 'ads.example.net' } },
      { reason: 'advertisements', created_ms: at(30_000), dropped_packets: 12_345 },
    )
    this.#stand(
      {
        action: 'quarantine',
        subject: { group_id: 'tablets' },
        level: 'local_only',
        schedule: {
          time_zone: 'Europe/Amsterdam',
          windows: [{ days: [1, 2, 3, 4, 7], from: '20:30', to: '07:00' }],
        },
      },
      {
        reason: 'bed time',
        created_ms: at(9000),
        state: 'idle',
        state_reason: 'It is outside its windows now.',
      },
    )
    this.#stand(
      {
        action: 'quarantine',
        subject: { device_id: camera },
        level: 'full',
        until_ms: now_ms + 1_605_000,
      },
      { reason: HOSTILE.device, created_ms: at(3), dropped_packets: 48 },
    )
    this.#stand(
      { action: 'restrict', subject: { device_id: thermostat }, restriction: 'no_encrypted_dns' },
      { created_ms: at(400), actor: { kind: 'automation', name: HOSTILE.braces, via: 'mqtt' } },
    )
    this.#stand(
      { action: 'quarantine', subject: { new_devices: true }, level: 'internet_only' },
      { created_ms: at(20_000) },
    )
    this.incidents = [
      connectionRateOf(cheap, {
        id: 'run-i1',
        opened_ms: at(2),
        severity: 'high',
        asks: { level: 'full', for_s: 3600 },
      }),
      connectionRateOf(camera, {
        id: 'run-i2',
        opened_ms: at(3),
        action: { level: 'full', rule_id: this.rules[2]?.id ?? '' },
      }),
      connectionRateOf(phone, {
        id: 'run-i0',
        opened_ms: at(700),
        state: 'closed',
        closed_ms: at(650),
        closed_by: 'quiet',
        kind: 'beacon',
        sentence: `Pixel-8 calls ${HOSTILE.remote} every 60 seconds.`,
        evidence: [],
      }),
    ]
  }

  /** Carries an order out; throws a Refusal. */
  call(verb: string, args: Record<string, unknown>): unknown {
    this.came.push({ verb, args })
    const { refuse } = this.behaviour
    if (refuse !== undefined) throw new Refusal(422, 'refused', refuse)
    if (verb === 'verdict') return { connection: args.connection, verdict: args.verdict }
    if (verb === 'resolve-incident') return this.#resolve(String(args.incident))
    if (verb === 'blueprints-install') return { blueprints: BLUEPRINTS }
    const before = this.rules
    this.#change(verb, args)
    const added = this.rules.filter((rule) => !before.includes(rule))
    const removed = before.filter((rule) => !this.rules.includes(rule))
    this.#note(verb, added, removed)
    const policies = Object.fromEntries(
      this.#ids.slice(0, 100).map((id) => [id, this.policyOf(id)]),
    )
    return { rules: added, policies, journal_seq: this.journal[0]?.seq }
  }

  /** What holds for a device, as this kernel has it. */
  policyOf(id: string): DevicePolicy {
    const { problem, uncovered } = this.behaviour
    const about = this.rules.filter((rule) => this.#isAbout(rule, id) && rule.state !== 'idle')
    const quarantines = about.filter(({ action }) => action === 'quarantine')
    const strictest = quarantines.toSorted(
      (a, b) => STRICTNESS.indexOf(b.level) - STRICTNESS.indexOf(a.level),
    )[0]
    const isThere = strictest?.state === 'active'
    const restrictions = about.flatMap(({ restriction, state }): Restriction[] =>
      restriction !== undefined && state === 'active' ? [restriction] : [],
    )
    const hasFailed = about.some(({ state }) => state === 'failed')
    return {
      accepted: !this.unaccepted.has(id),
      ...(strictest?.level && { desired_level: strictest.level, level_reason: strictest.reason }),
      ...(isThere && strictest.level ? { level: strictest.level } : {}),
      ...(strictest?.until_ms && { level_until_ms: strictest.until_ms }),
      rules: about
        .filter(({ action }) => action === 'block' || action === 'allow')
        .map((r) => r.id),
      restrictions,
      in_force: !hasFailed,
      ...(hasFailed && problem ? { problem } : {}),
      ...(uncovered === undefined ? {} : { uncovered }),
    }
  }

  /** The devices that an order of these ids is about; for telling. */
  get ids(): readonly string[] {
    return this.#ids
  }

  #change(verb: string, args: Record<string, unknown>): void {
    const subject = subjectOf(args)
    switch (verb) {
      case 'quarantine':
      case 'pause': {
        const level = verb === 'pause' ? 'local_only' : (args.level as Level)
        this.#lift((rule) => rule.action === 'quarantine' && isSame(rule.subject, subject))
        this.#order({ action: 'quarantine', subject, level }, args)
        break
      }
      case 'block':
      case 'allow': {
        const { endpoint, domain, protocol } = args as Record<string, string>
        const match = {
          ...(endpoint && { endpoint }),
          ...(domain && { domain }),
          ...(protocol && { protocol }),
        }
        this.#order({ action: verb, subject, match: match as Rule['match'] & object }, args)
        break
      }
      case 'restrict':
        this.#order(
          { action: 'restrict', subject, restriction: args.restriction as Restriction },
          args,
        )
        break
      case 'release':
      case 'unblock':
      case 'unrestrict':
        this.#lift((rule) =>
          args.rule === undefined
            ? isSame(rule.subject, subject) &&
              (verb === 'release'
                ? rule.action === 'quarantine'
                : rule.restriction === args.restriction)
            : rule.id === args.rule,
        )
        break
      case 'confirm':
        this.rules = this.rules.map((rule) => {
          const { confirm_until_ms: _, ...kept } = rule
          return rule.id === args.rule ? kept : rule
        })
        break
      case 'device-accept':
        this.unaccepted.delete(String(args.device))
        break
      case 'group-set': {
        const group = {
          id: String(args.group),
          name: String(args.name ?? args.group),
          device_ids: args.devices as string[],
        }
        this.groups = [...this.groups.filter(({ id }) => id !== group.id), group]
        break
      }
      case 'group-remove':
        this.groups = this.groups.filter(({ id }) => id !== args.group)
        break
      case 'panic':
        this.#lift(() => true)
        break
      case 'undo': {
        const entry = this.journal.find(({ seq, undone_by }) =>
          args.seq === undefined ? undone_by === undefined : seq === args.seq,
        )
        if (entry === undefined) throw new Refusal(409, 'conflict', 'There is nothing to undo.')
        entry.undone_by = (this.journal[0]?.seq ?? 0) + 1
        const gone = entry.added.map(({ id }) => id)
        this.#lift(({ id }) => gone.includes(id))
        this.rules = [
          ...this.rules,
          ...entry.removed.map((rule) => ({ ...rule, state: 'active' as const })),
        ]
        break
      }
      default:
        throw new Refusal(404, 'unknown_method', 'there is no method of that name')
    }
  }

  #order(
    what: Omit<Rule, 'id' | 'reason' | 'actor' | 'created_ms'>,
    args: Record<string, unknown>,
  ): void {
    const { problem, risky } = this.behaviour
    this.#stand(
      {
        ...what,
        ...(args.for === undefined ? {} : { until_ms: Date.now() + Number(args.for) * 1000 }),
      },
      {
        reason: String(args.reason ?? ''),
        ...(problem === undefined ? {} : { state: 'failed', state_reason: problem }),
        ...(risky ? { confirm_until_ms: Date.now() + 60_000 } : {}),
      },
    )
  }

  #stand(
    what: Omit<Rule, 'id' | 'reason' | 'actor' | 'created_ms'>,
    more: Partial<RuleView>,
  ): void {
    const rule: RuleView = {
      id: `r${this.#next++}`,
      reason: '',
      actor: { kind: 'person', via: 'http' },
      created_ms: Date.now(),
      state: 'active',
      ...what,
      ...more,
    }
    const before = this.rules
    this.rules = [...before, rule]
    if (more.created_ms !== undefined) this.#note(what.action, [rule], [], rule)
  }

  #lift(isChosen: (rule: RuleView) => boolean): void {
    this.rules = this.rules.filter((rule) => !isChosen(rule))
  }

  #note(verb: string, added: RuleView[], removed: RuleView[], like?: RuleView): void {
    const seq = (this.journal[0]?.seq ?? 0) + 1
    const entry: JournalEntry = {
      seq,
      time_ms: like?.created_ms ?? Date.now(),
      actor: like?.actor ?? { kind: 'person', via: 'http' },
      verb,
      sentence: `${verb}: ${added.length} came, ${removed.length} went.`,
      reason: like?.reason ?? added[0]?.reason ?? '',
      added,
      removed,
    }
    this.journal = [entry, ...this.journal]
  }

  #resolve(id: string): Incident {
    const incident = this.incidents.find((one) => one.id === id && one.state === 'open')
    if (incident === undefined)
      throw new Refusal(404, 'not_found', `there is no open incident ${id}`)
    Object.assign(incident, { state: 'closed', closed_ms: Date.now(), closed_by: 'person' })
    return incident
  }

  #isAbout({ subject }: Rule, id: string): boolean {
    if ('device_id' in subject) return subject.device_id === id
    if ('new_devices' in subject) return this.unaccepted.has(id)
    if ('everyone' in subject) return true
    return this.groups.some(
      (group) => group.id === subject.group_id && group.device_ids.includes(id),
    )
  }
}

function subjectOf(args: Record<string, unknown>): Subject {
  if (typeof args.device === 'string') return { device_id: args.device }
  if (typeof args.group === 'string') return { group_id: args.group }
  return args.everyone ? { everyone: true } : { new_devices: true }
}

function isSame(a: Subject, b: Subject): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
