// Makes dist/, what npm publishes: nodes/ and protocol/ compiled, and in node-red/ what Node-RED finds of them: entries, with the editor's files
// beside them. Quick where nothing changed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
const ENTRIES = 'node-red'
const CACHE = join(ROOT, '.cache')
const STAMP = join(CACHE, 'nodes.sha256')

/** Compiled by tsc; everything else that belongs to the nodes is copied as it is. */
const SOURCES = ['protocol/*.ts', 'nodes/*.ts']
const COPIED = ['nodes/*.html', 'nodes/icons/*.svg', 'nodes/locales/*/*.{json,html}']
const RULES = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build-nodes.ts']

/** Builds `dist/`. Returns false where it was up to date. Throws an Error with the compiler's words where it cannot be built. */
export function buildNodes(): boolean {
  const inputs = globSync([...SOURCES, ...COPIED, ...RULES], { cwd: ROOT }).sort()
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(`${input}\0`).update(readFileSync(join(ROOT, input)))
  const digest = hash.digest('hex')
  if (existsSync(join(DIST, 'nodes')) && existsSync(STAMP)) {
    if (readFileSync(STAMP, 'utf8') === digest) return false
  }
  // Built aside and moved into place, so that a Node-RED that loads dist/ in this moment never finds half of it.
  const aside = join(CACHE, `dist-${process.pid}`)
  rmSync(aside, { recursive: true, force: true })
  mkdirSync(aside, { recursive: true })
  try {
    compile(aside)
    writeEntries(aside)
    for (const file of globSync(COPIED, { cwd: ROOT })) {
      const to = join(aside, ENTRIES, relative('nodes', file))
      mkdirSync(dirname(to), { recursive: true })
      cpSync(join(ROOT, file), to)
    }
    moveIntoPlace(aside)
    writeFileSync(STAMP, digest)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
  return true
}

/**
 * What Node-RED loads of each node. Node-RED 4.1 does so by require(), which takes no ES modules before Node.js 22.12; both it and
 * Node-RED 5 wait for a promise. The page and the texts of a node are found beside its entry, by the same name: by node-red-dev, too,
 * which knows no other ending than `.js`.
 */
function writeEntries(outDir: string): void {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    'node-red': { nodes: Record<string, string> }
  }
  mkdirSync(join(outDir, ENTRIES))
  writeFileSync(join(outDir, ENTRIES, 'package.json'), '{ "type": "commonjs" }\n')
  for (const entry of Object.values(manifest['node-red'].nodes)) {
    const name = basename(entry)
    const load = `module.exports = async (RED) => (await import('../nodes/${name}')).default(RED)`
    writeFileSync(join(outDir, ENTRIES, name), `'use strict'\n${load}\n`)
  }
}

/** Two builds at once do the same work; the one that comes second finds the place taken and tries again. */
function moveIntoPlace(aside: string): void {
  for (let attempt = 1; ; attempt += 1) {
    rmSync(DIST, { recursive: true, force: true, maxRetries: 3 })
    try {
      renameSync(aside, DIST)
      return
    } catch (error) {
      if (attempt === 5) throw error
    }
  }
}

function compile(outDir: string): void {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
  const args = [join(dirname(manifest), bin.tsc), '-p', 'tsconfig.build.json', '--outDir', outDir]
  const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  if (run.error) throw new Error('The compiler did not start: run npm ci', { cause: run.error })
  if (run.status !== 0) throw new Error(`The nodes do not compile:\n${run.stdout}${run.stderr}`)
}

if (import.meta.main) {
  const isBuilt = buildNodes()
  process.stdout.write(isBuilt ? 'dist/ built\n' : 'dist/ is up to date\n')
}
