// Time, passed in wherever it matters so that tests and replays can hold it still.

export interface Clock {
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The time of day. */
export const wallClock: Clock = { now: () => Date.now() }
