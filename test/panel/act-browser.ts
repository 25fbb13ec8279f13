// A browser inside the box of a home: `node act-browser.ts URL ADDRESS quarantine|release` chooses the device with this
// address on the agent's page, orders, waits until the page shows it, and prints one line of JSON.
import { openBrowser } from '../browser.ts'

/** What the browser saw. */
export interface ActReport {
  /** What the device's card says is closed. */
  closure: string | null
  /** From the click until the page showed what the kernel has, in milliseconds. */
  took_ms: number
  faults: string[]
}

const [url, address, what] = process.argv.slice(2)
if (url === undefined || address === undefined || what === undefined) {
  throw new Error('usage: act-browser.ts URL ADDRESS quarantine|release')
}
const browser = await openBrowser()
try {
  const faults: string[] = []
  const page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1440, height: 1000 } })
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  await page.goto(url)
  const row = page.locator('homespin-devices li button', { hasText: address })
  await row.click()
  await row.and(page.locator('[aria-pressed=true]')).waitFor()
  const control = page.locator('homespin-device-control')
  const pill = control.locator('[data-closure]')
  await pill.waitFor()
  let clicked: number
  if (what === 'quarantine') {
    await control.getByRole('button', { name: 'Quarantine', exact: true }).click()
    const form = page.locator('homespin-level')
    await form.getByRole('radio', { name: /Shut off/ }).check()
    await form.getByLabel('Reason').fill('a test')
    clicked = performance.now()
    await form.getByRole('button', { name: 'Quarantine', exact: true }).click()
    await control.locator('[data-closure=full]').waitFor()
  } else {
    clicked = performance.now()
    await control.getByRole('button', { name: 'Release', exact: true }).click()
    await control.locator('[data-closure=open]').waitFor()
  }
  const took_ms = Math.round(performance.now() - clicked)
  const closure = await pill.getAttribute('data-closure')
  const report: ActReport = { closure, took_ms, faults }
  console.log(JSON.stringify(report))
} catch (error) {
  const body = browser.contexts()[0]?.pages()[0]?.locator('body')
  const shown = await body?.ariaSnapshot({ timeout: 1000 }).catch(String)
  throw new Error(`the page shows: ${shown}`, { cause: error })
} finally {
  await browser.close()
}
