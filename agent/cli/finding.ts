// A line of `homespin doctor`, as it is printed with `--json`.

/** What was tried: `ok`, `missing` (it can't work), or `note` (it can, with this in mind). */
export interface Finding {
  type: 'finding'
  what: string
  state: 'ok' | 'missing' | 'note'
  /** What was found and, where not ok, what to do. */
  reason: string
}
