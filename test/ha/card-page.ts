// The built card on a real dashboard, in Chromium that is signed in to Home Assistant's real frontend.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { Core } from './core.ts'
import type { Account } from './core-account.ts'

const PANEL = join(import.meta.dirname, '../../panel')
const FILE = 'homespin-card.js'

/** A built card; whoever asked removes it. */
export interface BuiltCard {
  file: string
  remove: () => void
}

/** Builds the card as a release does, into a folder of its own. */
export async function buildCard(): Promise<BuiltCard> {
  const dir = mkdtempSync(join(tmpdir(), 'homespin-card-'))
  // In a process of its own: the bundler's memory is free again before Core and Chromium run.
  const vite = join(PANEL, '../node_modules/vite/bin/vite.js')
  const args = [vite, 'build', PANEL, '-c', join(PANEL, 'vite.card.config.ts'), '--outDir', dir]
  await promisify(execFile)(process.execPath, [...args, '--logLevel', 'error'])
  return { file: join(dir, FILE), remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Puts the card where Home Assistant serves it, as somebody does who installs it by hand. */
export async function installCard(core: Core, { file }: BuiltCard): Promise<void> {
  copyFileSync(file, join(core.configFolder, 'www', FILE))
  await core.call('lovelace/resources/create', { res_type: 'module', url: `/local/${FILE}` })
}

/** Makes a dashboard `/card-<name>/0` with these cards, in a view of sections. */
export async function makeDashboard(
  core: Core,
  name: string,
  cards: readonly object[],
): Promise<string> {
  const url_path = `card-${name}`
  const dashboard = { url_path, title: name, mode: 'storage', show_in_sidebar: false }
  await core.call('lovelace/dashboards/create', { ...dashboard, require_admin: false })
  await saveCards(core, url_path, cards)
  return `/${url_path}/0`
}

/** Replaces the cards of a dashboard. */
async function saveCards(core: Core, url_path: string, cards: readonly object[]): Promise<void> {
  const sections = cards.map((card) => ({ type: 'grid', cards: [card] }))
  const config = { views: [{ type: 'sections', max_columns: 2, title: 'Home', sections }] }
  await core.call('lovelace/config/save', { url_path, config })
}

/** A page, and everything that it complained of. */
export interface CardPage {
  page: Page
  complaints: string[]
  close: () => Promise<void>
}

/** Opens a path of the frontend, signed in. */
export async function openFrontend(
  browser: Browser,
  core: Core,
  account: Account,
  path: string,
  options: BrowserContextOptions & { language?: string } = {},
): Promise<CardPage> {
  const { language = 'en', ...rest } = options
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/Amsterdam',
    viewport: { width: 1100, height: 1000 },
    ...rest,
  })
  const stored = { hassTokens: account.hassTokens, selectedLanguage: language }
  await context.addInitScript((items) => {
    for (const [key, value] of Object.entries(items))
      if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value))
  }, stored)
  // A slow machine that runs Core and Chromium side by side.
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`)
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const url = request.url()
    if (url.startsWith('http') && !url.startsWith(core.url))
      complaints.push(`request outside: ${url}`)
  })
  await page.goto(core.url + path)
  return { page, complaints, close: () => context.close() }
}
