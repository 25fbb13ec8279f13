// The picture of the page in README.md, taken of the demo home: `node test/panel/page-images.ts [FOLDER]` (five minutes, so
// that there is something to see). The page must be built: scripts/setup.sh does that.
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBrowser } from '../browser.ts'
import { cleanEnvironment, homespin } from '../lab/agent-process.ts'
import { makeFolder, removeFolder } from '../lab/folders.ts'
import { Program } from '../lab/process.ts'
import { openPage } from './browser.ts'

const FOLDER = resolve(process.argv[2] ?? join(import.meta.dirname, '../../docs/images'))
/** History of some minutes. */
const FILL_MS = 240_000
/** The minute of rates is to be full. */
const RATES_MS = 62_000

const data = makeFolder()
const ports = ['--http', '127.0.0.1:0', '--mqtt-embedded-port', '0']
const [command, ...args] = homespin('start', '--mode', 'demo', '--json', '--data', data, ...ports)
const agent = new Program(command, args, cleanEnvironment()).start()
const browser = await openBrowser()
try {
  const [, url = ''] = await agent.until(/"page":"([^"]+)"/, 60_000)
  await sleep(FILL_MS)
  const context = { viewport: { width: 1440, height: 900 }, colorScheme: 'light' } as const
  const { page, close } = await openPage(browser, url, context)
  await page.locator('homespin-history').getByRole('button', { name: '1 hour' }).click()
  await sleep(RATES_MS)
  await page.screenshot({ path: join(FOLDER, 'page.png') })
  await close()
  process.stdout.write(`${join(FOLDER, 'page.png')}\n`)
} finally {
  await browser.close()
  await agent.stop('SIGTERM')
  removeFolder(data)
}
