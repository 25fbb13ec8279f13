// What can be wrong with the JSON of an order besides what it says. One pass over the text each.

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Whether JSON text nests deeper than `most`; ends at the first byte that does. */
export function isDeeper(text: Uint8Array, most: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > most) return true
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
  }
  return false
}

/**
 * A key that an object of this JSON has twice, however it is written (RFC 8259, 4: what that means is for each reader to
 * say). The text is sound JSON.
 */
export function twinIn(json: Buffer): string | undefined {
  // Keys of the objects that are open; undefined for a list.
  const open: (Set<string> | undefined)[] = []
  let isKey = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === QUOTE) {
      const from = i++
      while (json[i] !== QUOTE) i += json[i] === BACKSLASH ? 2 : 1
      const keys = open.at(-1)
      if (!isKey || keys === undefined) continue
      const key = JSON.parse(json.toString('utf8', from, i + 1)) as string
      if (keys.has(key)) return key
      keys.add(key)
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      isKey = byte === OPEN_OBJECT
      open.push(isKey ? new Set() : undefined)
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) open.pop()
    else if (byte === COMMA) isKey = open.at(-1) !== undefined
    else if (byte === COLON) isKey = false
  }
  return undefined
}
