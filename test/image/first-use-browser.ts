// A browser where the Supervisor is: `node first-use-browser.ts look|quarantine USER ADDRESS MODE PICTURE` opens the page as
// the sidebar does, does it, takes a picture where one is named, and prints what it saw as a line of JSON.
import { openBrowser } from '../browser.ts'

export interface FirstUseReport {
  /** Whether the device can be acted on, and what is said where it can't. */
  buttons: string[]
  note: string | null
  closure: string | null
  faults: string[]
}

const [what = '', user = '', address = '', mode = '', picture = ''] = process.argv.slice(2)
const browser = await openBrowser()
try {
  const faults: string[] = []
  const page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1280, height: 860 } })
  page.setDefaultTimeout(60_000)
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  await page.goto(`http://127.0.0.1:8123/${user}`)
  const frame = page.frameLocator('iframe')
  const header = frame.locator('homespin-header')
  await header.getByText(mode, { exact: false }).first().waitFor()
  let note: string | null = null
  let closure: string | null = null
  let buttons: string[] = []
  if (address !== '') {
    await frame.locator('homespin-devices li button', { hasText: address }).click()
    const control = frame.locator('homespin-device-control')
    const pill = control.locator('[data-closure]')
    await pill.waitFor()
    if (what === 'quarantine') {
      await control.getByRole('button', { name: 'Quarantine', exact: true }).click()
      const form = frame.locator('homespin-level')
      await form.getByRole('radio', { name: /Shut off/ }).check()
      await form.getByLabel('Reason').fill('it talks too much')
      await form.getByRole('button', { name: 'Quarantine', exact: true }).click()
      await control.locator('[data-closure=full]').waitFor()
    }
    closure = await pill.getAttribute('data-closure')
    buttons = await control.getByRole('button').allTextContents()
    const notes = await control.locator('p.note').allTextContents()
    note = notes.map((text) => text.trim()).join(' ') || null
  }
  if (picture !== '') await page.screenshot({ path: picture })
  const report: FirstUseReport = {
    buttons: buttons.map((text) => text.trim()),
    note,
    closure,
    faults,
  }
  console.log(JSON.stringify(report))
} finally {
  await browser.close()
}
