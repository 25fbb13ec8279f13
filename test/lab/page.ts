// A browser inside the box of a home, where the agent's page is served: `node page.ts URL TEXT…` opens the page and waits
// for each text. Prints one line of JSON: the texts that did not come, and what went wrong in the page.
import { openBrowser } from '../browser.ts'

/** What the browser saw. */
export interface PageReport {
  missing: string[]
  faults: string[]
}

const [url, ...texts] = process.argv.slice(2)
if (url === undefined) throw new Error('usage: page.ts URL TEXT…')
const browser = await openBrowser()
try {
  const report: PageReport = { missing: [], faults: [] }
  const page = await browser.newPage()
  page.on('pageerror', (error) => report.faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') report.faults.push(message.text())
  })
  await page.goto(url)
  for (const text of texts) {
    const found = page.getByText(text).first()
    await found
      .waitFor({ state: 'attached', timeout: 10_000 })
      .catch(() => report.missing.push(text))
  }
  console.log(JSON.stringify(report))
} finally {
  await browser.close()
}
