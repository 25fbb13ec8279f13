// Interval sets refuse elements that overlap, yet rules may: here overlapping prefixes and ranges become elements that
// don't, each lasting as long as the longest of those that cover it.

/** First and last value, both included, in each dimension (address, protocol, port). */
export type Span = readonly [from: bigint, to: bigint]

export interface Box {
  spans: readonly Span[]
  untilBootMs: number | undefined
  ruleIds: readonly string[]
}

function overlap(a: readonly Span[], b: readonly Span[]): boolean {
  return a.every(([from, to], i) => {
    const [otherFrom, otherTo] = b[i] as Span
    return from <= otherTo && otherFrom <= to
  })
}

/** What of `a` is outside `b`, which overlaps it: at most two pieces a dimension. */
function subtract(a: readonly Span[], b: readonly Span[]): Span[][] {
  const pieces: Span[][] = []
  const rest = [...a]
  a.forEach(([from, to], i) => {
    const [otherFrom, otherTo] = b[i] as Span
    const piece = (span: Span): Span[] => rest.with(i, span)
    let [low, high] = [from, to]
    if (from < otherFrom) {
      pieces.push(piece([from, otherFrom - 1n]))
      low = otherFrom
    }
    if (to > otherTo) {
      pieces.push(piece([otherTo + 1n, to]))
      high = otherTo
    }
    rest[i] = [low, high]
  })
  return pieces
}

function endOf(box: Box): number {
  return box.untilBootMs ?? Number.POSITIVE_INFINITY
}

function sizeOf(box: Box): bigint {
  return box.spans.reduce((size, [from, to]) => size * (to - from + 1n), 1n)
}

/** Those that last longest come first and whole; of the others only what is not covered yet. */
function split(boxes: readonly Box[]): Box[] {
  const order = [...boxes].sort(
    (a, b) => endOf(b) - endOf(a) || (sizeOf(b) > sizeOf(a) ? 1 : sizeOf(b) < sizeOf(a) ? -1 : 0),
  )
  const done: Box[] = []
  for (const box of order) {
    let pieces: (readonly Span[])[] = [box.spans]
    done.forEach((other, i) => {
      if (!overlap(other.spans, box.spans)) return
      done[i] = { ...other, ruleIds: [...new Set([...other.ruleIds, ...box.ruleIds])] }
      pieces = pieces.flatMap((piece) =>
        overlap(piece, other.spans) ? subtract(piece, other.spans) : [piece],
      )
    })
    for (const spans of pieces) done.push({ ...box, spans })
  }
  return done
}

/** The same values without overlaps. Quadratic only among boxes whose first spans hang together. */
export function disjoint(boxes: readonly Box[]): Box[] {
  const first = (box: Box): Span => box.spans[0] as Span
  const order = [...boxes].sort((a, b) => {
    const difference = first(a)[0] - first(b)[0]
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  })
  const found: Box[] = []
  let cluster: Box[] = []
  let end = -1n
  const close = (): void => {
    found.push(...(cluster.length > 1 ? split(cluster) : cluster))
    cluster = []
  }
  for (const box of order) {
    const [from, to] = first(box)
    if (cluster.length > 0 && from > end) close()
    end = cluster.length === 0 || to > end ? to : end
    cluster.push(box)
  }
  close()
  return found
}
