import assert from 'node:assert/strict'
import { PolicyError } from '../../../agent/policy/contract.ts'
import { canonicalSchedule, momentOf } from '../../../agent/policy/schedule.ts'
import type { Window } from '../../../protocol/policy.ts'

const ALL = [1, 2, 3, 4, 5, 6, 7]

/** When windows are open between two times, as `from/to` in UTC; walks from change to change. */
function spans(time_zone: string, windows: Window[], from: string, to: string): string[] {
  const schedule = { time_zone, windows }
  const end = Date.parse(to)
  const found: string[] = []
  let at = Date.parse(from)
  let begun: number | undefined
  for (let n = 0; at < end; n++) {
    assert.ok(n < 1000, 'it does not end')
    const { open, untilMs = end } = momentOf(schedule, at)
    assert.ok(untilMs > at, `nothing changes at ${new Date(at).toISOString()}`)
    assert.equal(momentOf(schedule, untilMs - 1).open, open)
    if (open) begun ??= at
    const next = Math.min(untilMs, end)
    if (begun !== undefined && (next === end || !momentOf(schedule, next).open)) {
      found.push(`${short(begun)}/${short(next)}`)
      begun = undefined
    }
    at = next
  }
  return found
}

function short(ms: number): string {
  return new Date(ms).toISOString().replace(/:00\.000Z$/, 'Z')
}

describe('momentOf', () => {
  it('holds several windows a week, over midnight, on the wall of the zone', () => {
    const windows = [
      { days: [1, 2, 3, 4, 7], from: '20:30', to: '06:30' },
      { days: [3], from: '13:00', to: '14:00' },
    ]
    // 2026-06-01 is a Monday; Amsterdam is two hours ahead of UTC.
    assert.deepEqual(spans('Europe/Amsterdam', windows, '2026-06-01T00:00Z', '2026-06-05T12:00Z'), [
      '2026-06-01T00:00Z/2026-06-01T04:30Z',
      '2026-06-01T18:30Z/2026-06-02T04:30Z',
      '2026-06-02T18:30Z/2026-06-03T04:30Z',
      '2026-06-03T11:00Z/2026-06-03T12:00Z',
      '2026-06-03T18:30Z/2026-06-04T04:30Z',
      '2026-06-04T18:30Z/2026-06-05T04:30Z',
    ])
  })

  it('windows that touch or overlap are one', () => {
    const windows = [
      { days: [1], from: '08:00', to: '12:00' },
      { days: [1], from: '12:00', to: '13:00' },
      { days: [1], from: '09:00', to: '10:00' },
    ]
    assert.deepEqual(momentOf({ time_zone: 'UTC', windows }, Date.parse('2026-06-01T08:00Z')), {
      open: true,
      untilMs: Date.parse('2026-06-01T13:00Z'),
    })
  })

  it('the same time twice is a whole day; all days are always', () => {
    const day = [{ days: [6], from: '00:00', to: '00:00' }]
    assert.deepEqual(spans('Asia/Kolkata', day, '2026-06-01T00:00Z', '2026-06-08T00:00Z'), [
      '2026-06-05T18:30Z/2026-06-06T18:30Z',
    ])
    const always = [{ days: ALL, from: '05:00', to: '05:00' }]
    assert.deepEqual(spans('Europe/Amsterdam', always, '2026-01-01T00:00Z', '2027-01-01T00:00Z'), [
      '2026-01-01T00:00Z/2027-01-01T00:00Z',
    ])
  })

  // Clocks of 2026: Amsterdam 29 March 02:00→03:00 (01:00Z) and 25 October 03:00→02:00 (01:00Z); New York 8 March 02:00→03:00
  // (07:00Z) and 1 November 02:00→01:00 (06:00Z); Lord Howe half an hour: 4 October 02:00→02:30 (3 October 15:30Z) and
  // 5 April 02:00→01:30 (4 April 15:00Z).
  const changes: [string, string, string, string, string, string, string[]][] = [
    [
      'a night into summer is an hour shorter',
      'Europe/Amsterdam',
      '22:00',
      '06:00',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['2026-03-28T21:00Z/2026-03-29T04:00Z'],
    ],
    [
      'a night out of summer is an hour longer',
      'Europe/Amsterdam',
      '22:00',
      '06:00',
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['2026-10-24T20:00Z/2026-10-25T05:00Z'],
    ],
    [
      'a beginning that is skipped is the skip',
      'Europe/Amsterdam',
      '02:30',
      '05:00',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['2026-03-29T01:00Z/2026-03-29T03:00Z'],
    ],
    [
      'an end that is skipped is the skip',
      'Europe/Amsterdam',
      '00:30',
      '02:30',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['2026-03-28T23:30Z/2026-03-29T01:00Z'],
    ],
    [
      'a window that is skipped does not hold',
      'Europe/Amsterdam',
      '02:10',
      '02:50',
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      [],
    ],
    [
      'an end that comes twice is the second',
      'Europe/Amsterdam',
      '01:00',
      '02:30',
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['2026-10-24T23:00Z/2026-10-25T01:30Z'],
    ],
    [
      'a beginning that comes twice is the first',
      'Europe/Amsterdam',
      '02:30',
      '04:00',
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['2026-10-25T00:30Z/2026-10-25T03:00Z'],
    ],
    [
      'New York into summer',
      'America/New_York',
      '01:30',
      '02:30',
      '2026-03-08T00:00Z',
      '2026-03-09T00:00Z',
      ['2026-03-08T06:30Z/2026-03-08T07:00Z'],
    ],
    [
      'New York out of summer',
      'America/New_York',
      '01:30',
      '02:30',
      '2026-11-01T00:00Z',
      '2026-11-02T00:00Z',
      ['2026-11-01T05:30Z/2026-11-01T07:30Z'],
    ],
    [
      'New York, a whole day of 25 hours',
      'America/New_York',
      '00:00',
      '00:00',
      '2026-11-01T04:00Z',
      '2026-11-02T05:00Z',
      ['2026-11-01T04:00Z/2026-11-02T05:00Z'],
    ],
    [
      'Lord Howe into summer, by half an hour',
      'Australia/Lord_Howe',
      '02:15',
      '03:00',
      '2026-10-03T12:00Z',
      '2026-10-04T06:00Z',
      ['2026-10-03T15:30Z/2026-10-03T16:00Z'],
    ],
    [
      'Lord Howe out of summer',
      'Australia/Lord_Howe',
      '01:45',
      '02:15',
      '2026-04-04T12:00Z',
      '2026-04-05T06:00Z',
      ['2026-04-04T14:45Z/2026-04-04T15:45Z'],
    ],
  ]
  for (const [what, zone, from, to, begin, end, expected] of changes) {
    it(what, () => {
      assert.deepEqual(spans(zone, [{ days: ALL, from, to }], begin, end), expected)
    })
  }

  it('equals the wall of Intl, minute by minute, wherever a time is shown once', () => {
    const zones = [
      'Europe/Amsterdam',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'Africa/Casablanca',
      'Pacific/Apia',
      'America/St_Johns',
      'UTC',
    ]
    const random = generator(7)
    for (let n = 0; n < 40; n++) {
      const time_zone = zones[n % zones.length] as string
      const windows = Array.from({ length: 1 + (n % 3) }, () => ({
        days: ALL.filter(() => random() < 0.5)
          .concat(1)
          .slice(0, 7),
        from: clock(Math.floor(random() * 1440)),
        to: clock(Math.floor(random() * 1440)),
      }))
      const format = new Intl.DateTimeFormat('en-GB', {
        timeZone: time_zone,
        weekday: 'short',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      })
      for (let probe = 0; probe < 50; probe++) {
        // Not in the hours around a change of the clocks: those are the cases above.
        const at = Date.UTC(2026, 0, 5) + Math.floor(random() * 40 * 1440) * 60_000
        const parts = Object.fromEntries(
          format.formatToParts(at).map(({ type, value }) => [type, value]),
        )
        const today =
          ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(parts.weekday ?? '') + 1
        const now = `${parts.hour}:${parts.minute}`
        const yesterday = today === 1 ? 7 : today - 1
        const expected = windows.some(({ days, from, to }) =>
          to > from
            ? days.includes(today) && now >= from && now < to
            : (days.includes(today) && now >= from) || (days.includes(yesterday) && now < to),
        )
        if (
          Math.abs(at - Date.UTC(2026, 1, 15, 3)) < 86_400_000 &&
          time_zone === 'Africa/Casablanca'
        )
          continue
        assert.equal(
          momentOf({ time_zone, windows }, at).open,
          expected,
          `${time_zone} ${JSON.stringify(windows)} ${new Date(at).toISOString()}`,
        )
      }
    }
  })

  it('a thousand schedules are quick', () => {
    const began = performance.now()
    for (let n = 0; n < 1000; n++) {
      const windows = Array.from({ length: 32 }, (_, w) => ({
        days: ALL,
        from: clock(n + w * 30),
        to: clock(n + w * 30 + 10),
      }))
      momentOf({ time_zone: 'Europe/Amsterdam', windows }, Date.UTC(2026, 2, 28))
    }
    assert.ok(performance.now() - began < 3000, `${performance.now() - began} ms`)
  })

  function clock(minutes: number): string {
    const of = (n: number): string => String(n).padStart(2, '0')
    return `${of(Math.floor(minutes / 60) % 24)}:${of(minutes % 60)}`
  }
})

describe('canonicalSchedule', () => {
  it('sorts days and windows, and says what is wrong', () => {
    const window = { days: [5, 1, 5], from: '20:00', to: '06:00' }
    assert.deepEqual(
      canonicalSchedule({ time_zone: 'Europe/Amsterdam', windows: [window] }).windows,
      [{ days: [1, 5], from: '20:00', to: '06:00' }],
    )
    for (const [time_zone, windows] of [
      ['Mars/Olympus', [window]],
      ['+02:00', [window]],
      ['UTC', []],
      ['UTC', Array(33).fill(window)],
      ['UTC', [{ ...window, days: [0] }]],
      ['UTC', [{ ...window, days: [] }]],
      ['UTC', [{ ...window, from: '24:00' }]],
      ['UTC', [{ ...window, to: '6:00' }]],
    ] as [string, Window[]][]) {
      assert.throws(
        () => canonicalSchedule({ time_zone, windows }),
        PolicyError,
        JSON.stringify([time_zone, windows[0]]),
      )
    }
  })
})

function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
