// Text from the network on its way into Home Assistant, where it may end up in a template, in Markdown or in a page. Values go
// in as JSON and the templates are ours, so this is the second lock: what could be read as markup is drawn by look-alikes.

/** What could begin a template, a tag, a link or code, and what is shown instead. */
const HARMLESS: Readonly<Record<string, string>> = {
  '{': '(',
  '}': ')',
  '[': '(',
  ']': ')',
  '<': '‹',
  '>': '›',
  '`': 'ʼ',
  '*': '∗',
  '\\': '∖',
  '~': '∼',
}

/**
 * The first of a list that fit into so many bytes of JSON: the recorder of Home Assistant keeps nothing of an entity whose
 * attributes are longer than 16384, and leaves a warning each time.
 */
export function fitting<Item>(items: readonly Item[], mostBytes: number): Item[] {
  let bytes = 2
  const end = items.findIndex((item) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1
    return bytes > mostBytes
  })
  return end < 0 ? [...items] : items.slice(0, end)
}

/** One line of at most `most` characters (code points) that is nothing but text wherever it is shown. */
export function plain(text: string, most: number): string {
  const flat = text
    .slice(0, most * 4)
    .toWellFormed()
    .replace(/\p{Cf}/gu, '')
    .replace(/[\p{Cc}\p{Co}\p{Z}]+/gu, ' ')
    .trim()
    .replace(/[{}[\]<>`*\\~]/g, (character) => HARMLESS[character] ?? ' ')
    // Bare addresses of pages become links in Markdown; the look-alikes do not.
    .replace(/:\/\//g, ':⁄⁄')
    .replace(/\bwww\./gi, (match) => `${match.slice(0, -1)}․`)
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, 'ˍ')
    .replace(/^#/, '＃')
  const characters = [...flat]
  return characters.length <= most
    ? flat
    : `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
}
