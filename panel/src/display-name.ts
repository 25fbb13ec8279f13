// Names from the network are hostile: they may hide, reverse, stack or flood. Nothing here makes HTML of them; the
// templates bind them as text. This only takes out what would make the drawn text differ from what it says.

/** The most characters of a name that are drawn; the whole of it stands in the element's title. */
export const MAX_SHOWN = 63

const MAX_TITLE = 1024

// Controls, format characters (bidirectional overrides, zero-width, tags), surrogates, private use, separators, and
// letters that draw nothing.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|\u034f|[\ufe00-\ufe0f]/gu
const SPACES = /[\t\n\v\f\r\p{Zs}]+/gu
const STACKED = /(\p{M}{3})\p{M}+/gu

/** A name as it is drawn, and in full. */
export interface ShownName {
  /** At most `MAX_SHOWN` characters. */
  text: string
  /** At most 1024 characters. */
  title: string
}

/** Makes a name drawable; `fallback` stands in for one that has nothing to draw. */
export function shownName(raw: string | undefined, fallback = '?'): ShownName {
  const title = cut(clean(raw ?? ''), MAX_TITLE)
  if (title === '') return { text: fallback, title: fallback }
  return { text: cut(title, MAX_SHOWN), title }
}

/** Like `shownName`, for a domain name or an address: of a long one the end is drawn, which says whose it is. */
export function shownRemote(raw: string | undefined, fallback = '?'): ShownName {
  const { title } = shownName(raw, fallback)
  return { text: cutStart(title, MAX_SHOWN), title }
}

/** `text` without its beginning where it has more than `most` characters. */
export function cutStart(text: string, most: number): string {
  const characters = [...text]
  return characters.length <= most ? text : `…${characters.slice(1 - most).join('')}`
}

/** Like `shownName`, the short text alone. */
export function shownText(raw: string | undefined, fallback = '?'): string {
  return shownName(raw, fallback).text
}

/** Most characters of a sentence of the agent, or of a reason that somebody gave. */
export const MAX_SENTENCE = 300

/** Like `shownName`, for a whole sentence. */
export function shownSentence(raw: string | undefined, fallback = ''): string {
  return cut(shownName(raw, fallback).title, MAX_SENTENCE)
}

function clean(raw: string): string {
  // A flood is cut before the regular expressions run over it.
  return raw
    .slice(0, MAX_TITLE * 4)
    .replace(SPACES, ' ')
    .replace(HIDDEN, '')
    .replace(STACKED, '$1')
    .replace(/ {2,}/g, ' ')
    .trim()
}

function cut(text: string, most: number): string {
  const characters = [...text]
  return characters.length <= most
    ? text
    : `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
}
