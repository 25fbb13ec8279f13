// Names cut to a width, for a canvas: it can't cut by itself without making two of them look the same.

/** A way to cut: `text` in at most `most` characters. */
type Cut = (text: string, most: number) => string

/** The end: of a domain name it says whose it is. */
const keepEnd: Cut = (text, most) => keepEnds(0)(text, most)

/** The beginning. */
const keepStart: Cut = (text, most) => keepEnds(1)(text, most)

/** `share` of the characters (0 to 1) from the beginning, the others from the end. */
function keepEnds(share: number): Cut {
  return (text, most) => {
    const characters = [...text]
    if (characters.length <= most) return text
    const head = Math.round((most - 1) * share)
    const tail = characters.length - (most - 1 - head)
    return `${characters.slice(0, head).join('')}…${characters.slice(tail).join('')}`
  }
}

/** What begins at character `from`, between two signs of omission. */
function keepFrom(from: number): Cut {
  return (text, most) => {
    const rest = [...text].slice(from)
    return rest.length < most ? `…${rest.join('')}` : `…${rest.slice(0, most - 2).join('')}…`
  }
}

/**
 * Each of `names` at most `width` wide by `measure`: cut at the beginning (`keep` is `end`) or at the end. Where two that
 * differ would look the same, they are cut elsewhere.
 */
export function fitNames(
  names: readonly string[],
  keep: 'start' | 'end',
  width: number,
  measure: (text: string) => number,
): string[] {
  const usual = keep === 'end' ? keepEnd : keepStart
  const fitted = names.map((name) => fit(name, usual, width, measure))
  const alike = new Map<string, number[]>()
  fitted.forEach((text, at) => {
    alike.set(text, [...(alike.get(text) ?? []), at])
  })
  const taken = new Set(fitted)
  for (const places of alike.values()) {
    const own = places.map((at) => names[at] ?? '')
    if (new Set(own).size < 2) continue
    for (const cut of [keepEnds(0.4), keepEnds(0.7), keepFrom(firstDifference(own))]) {
      const again = own.map((name) => fit(name, cut, width, measure))
      const isClear = new Set(again).size === new Set(own).size
      if (!isClear || again.some((text) => taken.has(text))) continue
      places.forEach((at, index) => {
        fitted[at] = again[index] ?? ''
      })
      for (const text of again) taken.add(text)
      break
    }
  }
  return fitted
}

/** The most of `text` that is at most `width` wide. */
function fit(text: string, cut: Cut, width: number, measure: (text: string) => number): string {
  const { length } = [...text]
  let fits = 0
  let tooMany = length + 1
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1
    if (measure(cut(text, middle)) <= width) fits = middle
    else tooMany = middle
  }
  return cut(text, Math.max(2, fits))
}

/** The first character that is not the same in all of `texts`. */
function firstDifference(texts: readonly string[]): number {
  const [first = [], ...others] = texts.map((text) => [...text])
  const at = first.findIndex((character, index) =>
    others.some((other) => other[index] !== character),
  )
  return at < 0 ? first.length : at
}
