// Makes a Debian package of this checkout, for a router: the agent with its own Node and all that it needs, so that nothing
// is built or downloaded there. The checkout must have been set up (npm start or npm test, once).
//
//   node packaging/build-deb.ts [FOLDER]     writes homespin_VERSION_ARCHITECTURE.deb there; default: build/
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const HERE = import.meta.dirname
const LIB = 'usr/lib/homespin'
const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
/** What packages of npm carry that a running agent does not read. */
const NOT_READ =
  /(?:\.map|\.d\.[cm]?ts|\.md|\.markdown)$|\/(?:test|tests|examples|benchmarks?|\.github)$/

interface Manifest {
  version: string
  dependencies?: Record<string, string>
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** Where Node would find a package from a folder on. */
function findPackage(name: string, from: string): string {
  for (let at = from; at.startsWith(ROOT); at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    if (existsSync(join(folder, 'package.json'))) return folder
  }
  throw new Error(`the package ${name} is not installed: run npm test once`)
}

/** Folders of all packages that one needs, without those of this repository. */
function packagesOf(folder: string, found = new Set<string>()): Set<string> {
  for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
    if (name.startsWith('@homespin/')) continue
    const needed = findPackage(name, folder)
    if (found.has(needed)) continue
    found.add(needed)
    packagesOf(needed, found)
  }
  return found
}

function copyTree(from: string, to: string, skip: RegExp): void {
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (path) => !skip.test(path.slice(from.length)),
  })
}

function install(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { dereference: true })
  chmodSync(to, mode)
}

/** Everything that the package holds, below `tree`. */
function fill(tree: string): void {
  const lib = join(tree, LIB)
  const addon = 'native/build/Release/homespin_native.node'
  for (const needed of [addon, 'panel/dist/index.html']) {
    if (!existsSync(join(ROOT, needed))) throw new Error(`${needed} is missing: run npm start once`)
  }
  copyTree(join(ROOT, 'agent'), join(lib, 'agent'), /\/node_modules$/)
  copyTree(join(ROOT, 'native'), join(lib, 'native'), /\/(?:node_modules|build|src|fuzz)$/)
  install(join(ROOT, addon), join(lib, addon), 0o644)
  copyTree(join(ROOT, 'protocol'), join(lib, 'protocol'), /\/node_modules$/)
  copyTree(join(ROOT, 'blueprints'), join(lib, 'blueprints'), /\/node_modules$/)
  copyTree(join(ROOT, 'panel/dist'), join(lib, 'panel/dist'), /\.map$/)
  for (const folder of packagesOf(join(ROOT, 'agent'))) {
    const within = folder.slice(ROOT.length + 1).replace(/^agent\//, '')
    copyTree(folder, join(lib, within), new RegExp(`/node_modules$|${NOT_READ.source}`))
  }
  install(realpathSync(process.execPath), join(lib, 'node'), 0o755)
  install(join(HERE, 'remove-rules.ts'), join(lib, 'packaging/remove-rules.ts'), 0o644)
  install(join(HERE, 'debian/homespin.sh'), join(tree, 'usr/bin/homespin'), 0o755)
  install(join(HERE, 'debian/homespin.yaml'), join(tree, 'etc/homespin/homespin.yaml'), 0o600)
  for (const unit of ['homespin-boot.service', 'homespin.service']) {
    install(join(HERE, 'systemd', unit), join(tree, 'usr/lib/systemd/system', unit), 0o644)
  }
  const doc = join(tree, 'usr/share/doc/homespin')
  for (const page of ['router.md', 'configuration.md']) {
    install(join(ROOT, 'docs', page), join(doc, page), 0o644)
  }
  install(join(ROOT, 'LICENSE'), join(doc, 'copyright'), 0o644)
}

function control(tree: string, version: string, architecture: string): void {
  const kilobytes = execFileSync('du', ['-sk', tree]).toString().split('\t')[0]
  const folder = join(tree, 'DEBIAN')
  mkdirSync(folder)
  const lines = [
    'Package: homespin',
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Maintainer: Homespin <homespin@localhost>',
    'Section: net',
    'Priority: optional',
    `Installed-Size: ${kilobytes}`,
    'Depends: nftables, libc6 (>= 2.28), libstdc++6',
    'Recommends: systemd',
    'Description: shows what every device of the home says to the network, and stops it',
    ' The agent for a Linux router, with its page and an MQTT broker of its own. What is blocked',
    ' stays blocked while the agent is away, and over reboots from the first packet on.',
  ]
  writeFileSync(join(folder, 'control'), `${lines.join('\n')}\n`)
  writeFileSync(join(folder, 'conffiles'), '/etc/homespin/homespin.yaml\n')
  for (const script of ['postinst', 'prerm', 'postrm']) {
    install(join(HERE, 'debian', script), join(folder, script), 0o755)
  }
}

/** Writes the package into a folder; gives its path. */
export function buildDeb(into: string): string {
  const { version } = manifestOf(join(ROOT, 'agent'))
  const architecture = ARCHITECTURES[process.arch]
  if (architecture === undefined) throw new Error(`there is no package for ${process.arch} yet`)
  const tree = mkdtempSync(join(tmpdir(), 'homespin-deb-'))
  try {
    chmodSync(tree, 0o755)
    fill(tree)
    control(tree, version, architecture)
    mkdirSync(into, { recursive: true })
    const file = join(resolve(into), `homespin_${version}_${architecture}.deb`)
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, file])
    return file
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const file = buildDeb(process.argv[2] ?? join(ROOT, 'build'))
  process.stdout.write(`${basename(file)}: ${Math.round(statSync(file).size / 1e6)} MB\n${file}\n`)
}
