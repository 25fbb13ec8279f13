// Who owns a MAC's prefix: a binary search in the packaged list, which stays as it is on disk, one buffer.
import { readFileSync } from 'node:fs'

const LIST = new URL('./oui.tsv', import.meta.url)

/** A function from a MAC (`02:0d:e0:00:00:01`) to the registered owner of its prefix (IEEE MA-S, MA-M, else MA-L). */
export function loadVendors(list: URL = LIST): (mac: string) => string | undefined {
  const lines = readFileSync(list)
  return (mac) => {
    const hex = mac.replaceAll(':', '').toUpperCase()
    return (
      find(lines, hex.slice(0, 9)) ?? find(lines, hex.slice(0, 7)) ?? find(lines, hex.slice(0, 6))
    )
  }
}

/** The owner on the line that begins with exactly this prefix; lines are sorted. */
function find(lines: Buffer, prefix: string): string | undefined {
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    const start = middle === 0 ? 0 : lines.lastIndexOf(10, middle - 1) + 1
    const tab = lines.indexOf(9, start)
    const newline = lines.indexOf(10, start)
    if (tab < 0 || newline < 0) return undefined
    const here = lines.toString('latin1', start, tab)
    if (here === prefix) return lines.toString('latin1', tab + 1, newline)
    if (here < prefix) low = newline + 1
    else high = start
  }
  return undefined
}
