// Writes agent/inventory/oui.tsv, the packaged list of MAC prefixes and their owners (IEEE MA-L, MA-M, MA-S), from the
// npm package `oui-data`. Run by hand when that package has news: node scripts/build-oui.ts
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const registry = createRequire(import.meta.url)('oui-data') as Record<string, string>
const lines = Object.entries(registry)
  .map(([prefix, entry]) => [prefix.toUpperCase(), shorten(entry.split('\n')[0] ?? '')] as const)
  .filter(
    ([prefix, owner]) => /^[0-9A-F]{6,9}$/.test(prefix) && owner !== '' && owner !== 'Private',
  )
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([prefix, owner]) => `${prefix}\t${owner}\n`)
writeFileSync(new URL('../agent/inventory/oui.tsv', import.meta.url), lines.join(''))
console.log(`${lines.length} prefixes`)

/** An owner's name without its legal form, which says nothing about the device. */
function shorten(owner: string): string {
  const plain = owner
    .replace(/[^\x20-\x7e]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
  const form =
    /[ ,.]+(?:inc|incorporated|ltd|limited|llc|gmbh|co|corp|corporation|company|ag|ab|bv|b\.v|s\.a|sa|srl|spa|s\.p\.a|oy|plc|pte|pty|kg|a\/s|as|sas|nv|n\.v|kk|k\.k|s\.r\.l|technologies|international)\.?$/i
  let text = plain
  while (form.test(text)) text = text.replace(form, '')
  return text.replace(/[ ,]+$/, '').slice(0, 48) || plain.slice(0, 48)
}
