// The section of CHANGELOG.md that a version has, for its release: node scripts/release-notes.ts 0.1.0
// Fails where that is not the version that stands everywhere (test/ha-addon holds the places against each other).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** The text below `## [version]`, up to the next version; undefined: there is none. */
export function notesOf(changelog: string, version: string): string | undefined {
  const sections = changelog.split(/^(?=## \[)/m)
  const section = sections.find((each) => each.startsWith(`## [${version}]`))
  return section?.slice(section.indexOf('\n') + 1).trim()
}

if (import.meta.main) {
  const version = process.argv[2] ?? ''
  const own = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string })
    .version
  const notes = notesOf(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'), version)
  if (version !== own || notes === undefined) {
    process.stderr.write(
      `release-notes: asked for ${version}; package.json says ${own}, and CHANGELOG.md has ${notes === undefined ? 'no such section' : 'it'}\n`,
    )
    process.exit(1)
  }
  process.stdout.write(`${notes}\n`)
}
