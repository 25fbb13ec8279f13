// The pictures of docs/card.md, taken in the real frontend: `node test/ha/card-images.ts [FOLDER]` (root; two minutes).
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../browser.ts'
import { until } from '../lab/process.ts'
import { cameraIncident } from './card-days.ts'
import { CardHome } from './card-home.ts'
import { buildCard, installCard, makeDashboard, openFrontend } from './card-page.ts'
import { Core } from './core.ts'

const TYPE = 'custom:homespin-card'
const FOLDER = resolve(process.argv[2] ?? join(import.meta.dirname, '../../docs/images'))
/** The minute of live traffic is to be full. */
const FILL_MS = 55_000

async function editor(page: Page): Promise<void> {
  const frame = page.locator('hui-card-edit-mode').first()
  await frame.locator('.row').first().waitFor()
  await frame.hover()
  const box = await frame.boundingBox()
  if (box === null) throw new Error('the card is not there to be edited')
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  await page.locator('hui-dialog-edit-card hui-form-editor ha-form').first().waitFor()
  await sleep(4000)
}

async function take(browser: Browser, core: Core): Promise<void> {
  const row = (page: Page, n: number) => page.locator('homespin-card .row .who').nth(n)
  const wide = { viewport: { width: 1120, height: 1010 } }
  const shots: [string, () => Promise<void>][] = [
    [
      'card-admin.png',
      async () => {
        const { page, close } = await openFrontend(browser, core, core.admin, '/card-home/0', wide)
        await row(page, 0).waitFor()
        await sleep(FILL_MS)
        await page.screenshot({ path: join(FOLDER, 'card-admin.png') })
        await close()
      },
    ],
    [
      'card-dark.png',
      async () => {
        const options = { ...wide, colorScheme: 'dark' as const }
        const { page, close } = await openFrontend(
          browser,
          core,
          core.user,
          '/card-home/0',
          options,
        )
        await row(page, 0).waitFor()
        await page.locator('homespin-card').first().locator('.who').nth(3).click()
        await sleep(3000)
        await page.screenshot({ path: join(FOLDER, 'card-dark.png') })
        await close()
      },
    ],
    [
      'card-phone.png',
      async () => {
        const { page, close } = await openFrontend(browser, core, core.user, '/card-home/0', {
          viewport: { width: 380, height: 840 },
          isMobile: true,
          hasTouch: true,
          deviceScaleFactor: 1.5,
        })
        await row(page, 0).waitFor()
        await sleep(3000)
        await page.screenshot({ path: join(FOLDER, 'card-phone.png') })
        await close()
      },
    ],
    [
      'card-editor.png',
      async () => {
        const { page, close } = await openFrontend(
          browser,
          core,
          core.admin,
          '/card-home/0?edit=1',
          { viewport: { width: 1120, height: 900 } },
        )
        await editor(page)
        await page.screenshot({ path: join(FOLDER, 'card-editor.png') })
        await close()
      },
    ],
  ]
  for (const [name, shoot] of shots) {
    await shoot()
    process.stdout.write(`${join(FOLDER, name)}\n`)
  }
}

const built = await buildCard()
const core = new Core()
let home: CardHome | undefined
let browser: Browser | undefined
try {
  await core.start()
  home = new CardHome(core.broker.url, false)
  await home.start()
  await installCard(core, built)
  const { devices } = home
  const registered = async (): Promise<string | undefined> => {
    const list = await core.call<{ id: string; identifiers: [string, string][] }[]>(
      'config/device_registry/list',
    )
    const ours = devices.map(({ id }) =>
      list.find(({ identifiers }) => identifiers[0]?.[1]?.endsWith(`_${id}`)),
    )
    return ours.every(Boolean) ? ours[1]?.id : undefined
  }
  const camera = await until('the devices in the registry', registered, 30_000, 200)
  const [, second] = devices
  if (second !== undefined) await home.incident(1, cameraIncident(second))
  await home.hold(3, 'local_only', Date.now() + 26 * 60_000, 'Homework first')
  await makeDashboard(core, 'home', [{ type: TYPE }, { type: TYPE, devices: [camera] }])
  browser = await openBrowser()
  await take(browser, core)
} finally {
  await browser?.close()
  await home?.stop()
  await core.stop()
  built.remove()
}
