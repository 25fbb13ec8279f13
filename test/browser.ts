// Debian's Chromium, without a window.
import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { chromium } from 'playwright-core'

/** The one that is made to run without a window comes first: a page costs it a third of the processor time. */
const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']

const MISSING = 'Chromium is missing: apt-get install chromium-headless-shell, or chromium'
// Without these it calls its maker's hosts at every start, and looks for a graphics card that no test has.
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Whether there is one. With CI=true a missing one is an error. */
export function hasChromium(): boolean {
  const there = PLACES.some((path) => existsSync(path))
  if (!there && process.env.CI === 'true') throw new Error(MISSING)
  return there
}

/** Starts it; the caller closes it. Rejects where there is none. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = PLACES.find((path) => existsSync(path))
  if (executablePath === undefined) throw new Error(MISSING)
  return chromium.launch({ executablePath, args: QUIET })
}
