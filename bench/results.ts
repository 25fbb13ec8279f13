// What was measured, against what it may be, as one table.

/** One line of the table. */
export interface Result {
  name: string
  /** What is compared, in a few words. */
  what: string
  value?: number
  /** How `value` is written; default two decimals. */
  unit?: '×' | 'MB' | '%' | 'packets' | 'differences' | 'µs'
  /** What it may be at most (or at least); absent: told, not judged. */
  atMost?: number
  atLeast?: number
  /** Why it was not measured. */
  skipped?: string
  note?: string
}

export function passed(result: Result): boolean {
  const { value, atMost, atLeast } = result
  if (value === undefined) return true
  if (Number.isNaN(value)) return false
  return (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)
}

function verdictOf(result: Result): string {
  if (result.skipped !== undefined) return 'skipped'
  if (result.atMost === undefined && result.atLeast === undefined) return ''
  return passed(result) ? 'pass' : 'FAIL'
}

function writtenValue(result: Result): string {
  const { value, unit = '×' } = result
  if (value === undefined) return ''
  const whole = unit === 'packets' || unit === 'differences'
  return `${whole ? value : value.toFixed(unit === 'MB' ? 1 : 2)} ${unit}`
}

/** The table, for people. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { atMost, atLeast } = result
    const limit = atMost !== undefined ? `≤ ${atMost}` : atLeast !== undefined ? `≥ ${atLeast}` : ''
    const note = result.skipped ?? result.note ?? ''
    return [result.name, result.what, writtenValue(result), limit, verdictOf(result), note]
  })
  const all = [['name', 'what', 'value', 'limit', '', ''], ...rows]
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
