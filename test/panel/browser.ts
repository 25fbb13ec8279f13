// A built page in a real Chromium, and everything that must not happen in it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { build } from 'vite'

const PANEL = fileURLToPath(new URL('../../panel', import.meta.url))

/** Builds the page into a folder of its own, which `remove` takes away. */
export async function buildPanel(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'homespin-panel-'))
  await build({ root: PANEL, logLevel: 'error', build: { outDir: dir, emptyOutDir: true } })
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** A page that remembers every complaint: errors, console errors, policy violations, requests that fail. */
export interface WatchedPage {
  page: Page
  complaints: string[]
  close(): Promise<void>
}

/** Opens `url` and waits until the first figures are drawn, or for `ready`. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  ready = 'homespin-devices li',
): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`)
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`request outside: ${request.url()}`)
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`)
    })
  })
  await page.goto(url)
  await page.locator(ready).first().waitFor({ timeout: 15_000 })
  return { page, complaints, close: () => context.close() }
}

/** Fails when a page complained, or when a name from the network ran in it. */
export async function assertUnharmed({ page, complaints }: WatchedPage): Promise<void> {
  assert.equal(await page.evaluate('window.pwned'), undefined)
  assert.deepEqual(complaints, [])
}
