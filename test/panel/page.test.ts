import assert from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { hasChromium, openBrowser } from '../browser.ts'
import type { WatchedPage } from './browser.ts'
import { assertUnharmed, buildPanel, openPage } from './browser.ts'
import { HOSTILE } from './fixture-home.ts'
import type { Fixture } from './fixture-server.ts'
import { startFixture } from './fixture-server.ts'

const DESK = { width: 1440, height: 900 }
const PHONE = { width: 360, height: 740 }

describe('panel: the page in Chromium', function () {
  this.timeout(40_000)
  let browser: Browser
  let built: Awaited<ReturnType<typeof buildPanel>>
  let server: Fixture
  let watched: WatchedPage

  before(async function () {
    this.timeout(90_000)
    if (!hasChromium()) return this.skip()
    built = await buildPanel()
    browser = await openBrowser()
  })
  after(async () => {
    await browser?.close()
    await built?.remove()
  })
  afterEach(async () => {
    await watched?.close()
    await server?.stop()
  })

  /** The pixels of a canvas that are not transparent, per mille. */
  const inkOf = (selector: string): Promise<number> =>
    watched.page.locator(`${selector} canvas`).evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement
      const pen = (canvas as HTMLCanvasElement).getContext('2d')
      const { data } = pen?.getImageData(0, 0, width, height) ?? { data: [] }
      let ink = 0
      for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 0) ink += 1
      return (1000 * ink) / (width * height)
    })

  it('shows the home live, below a prefix, without breaking the policy', async () => {
    server = await startFixture({ dir: built.dir, prefix: '/api/hassio_ingress/x/' })
    watched = await openPage(browser, server.url, { viewport: DESK })
    const { page } = watched
    assert.equal(await page.title(), 'home – Homespin')
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
    assert.equal(await page.locator('homespin-devices li').count(), 12)
    await page.locator('homespin-summary dd', { hasText: '/s' }).first().waitFor()
    await page.locator('homespin-history homespin-chart canvas').waitFor()
    await page.waitForTimeout(700)
    assert.ok((await inkOf('homespin-map')) > 10)
    assert.ok((await inkOf('homespin-history')) > 50)
    await page.getByText('Kept: by minute since').waitFor()
    await page
      .getByText(/\d\s[kMGT]?B today/)
      .first()
      .waitFor()

    const figures = page.locator('homespin-devices .rates')
    const before = await figures.allTextContents()
    await page.waitForTimeout(2200)
    assert.notDeepEqual(await figures.allTextContents(), before)
    await assertUnharmed(watched)
  })

  it('shows names from the network literally, everywhere', async () => {
    server = await startFixture({ dir: built.dir })
    watched = await openPage(browser, server.url, { viewport: DESK })
    const { page } = watched
    const list = page.locator('homespin-devices')
    for (const name of [HOSTILE.device, HOSTILE.vendor, HOSTILE.braces, 'camgnp.exe']) {
      await list.getByText(name, { exact: true }).waitFor()
    }
    await page.getByRole('button', { name: 'Table' }).click()
    await page.locator('homespin-links').getByText(HOSTILE.remote).first().waitFor()
    await page.locator('homespin-connections').getByText(HOSTILE.remote).first().waitFor()

    await list.getByText(HOSTILE.device, { exact: true }).click()
    await page.locator('homespin-selection').getByText(HOSTILE.device).waitFor()
    await page.locator('homespin-remotes').getByText(HOSTILE.remote).click()
    await page.locator('homespin-selection').getByText(HOSTILE.remote).waitFor()
    await page.getByRole('searchbox').fill('<b onclick=x>')
    await list.getByText('No device matches “<b onclick=x>”').waitFor()
    await page.getByRole('searchbox').fill('')

    // Under the pointer too: the tooltips of the map.
    await page.getByRole('button', { name: 'Map', exact: true }).click()
    const chart = page.locator('homespin-map homespin-chart')
    const tip = chart.locator('[slot=tip]').getByText(HOSTILE.device)
    const box = await chart.boundingBox()
    assert.ok(box)
    for (let y = 8; y < box.height && !(await tip.isVisible()); y += 8) {
      await page.mouse.move(box.x + 60, box.y + y)
      await page.waitForTimeout(60)
    }
    assert.ok(await tip.isVisible(), 'no tooltip names the device')
    assert.equal(await page.locator('img, script:not([src])').count(), 0)
    await assertUnharmed(watched)
  })

  it('narrows everything to a device, by keyboard alone, and back', async () => {
    server = await startFixture({ dir: built.dir })
    watched = await openPage(browser, server.url, { viewport: DESK })
    const { page } = watched
    await page.locator('homespin-history homespin-remotes').waitFor()
    await page.getByRole('searchbox').focus()
    await page.keyboard.type('laptop')
    await page.waitForFunction(() => {
      const panel = document.querySelector('homespin-panel')?.shadowRoot
      const list = panel?.querySelector('homespin-devices')?.shadowRoot
      return list?.querySelectorAll('li').length === 1
    })
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    const chosen = page.locator('homespin-selection')
    await chosen.getByText('02:0d:e0:00:00:02').waitFor()
    await chosen.getByText('192.0.2.12').waitFor()
    const connections = page.locator('homespin-connections')
    assert.equal(await connections.locator('th', { hasText: 'Device' }).count(), 0)
    await connections.getByText('example').first().waitFor()
    await page.locator('homespin-remotes').getByText('mail.example.com').waitFor()
    assert.equal(await page.locator('homespin-remotes').getByText('ads.example.net').count(), 0)

    await chosen.getByRole('button', { name: /Show all devices/ }).focus()
    await page.keyboard.press('Enter')
    await chosen.waitFor({ state: 'hidden' })
    await page.locator('homespin-remotes').getByText('ads.example.net').waitFor()
    await assertUnharmed(watched)
  })

  it('says that it is reconnecting, and shows no figure meanwhile', async () => {
    server = await startFixture({ dir: built.dir, loss: { ring_packets: 1234 } })
    const full = { ok: false, reason: "history can't be stored now; the disk is full." }
    Object.assign(server.home.info.capabilities, { store: full })
    watched = await openPage(browser, server.url, { viewport: DESK })
    const { page, complaints } = watched
    await page.locator('homespin-header').getByLabel('Problem').click()
    await page.getByText('1,234 packets dropped by the capture ring').waitFor()
    await page.getByText("history can't be stored now; the disk is full.").waitFor()
    server.home.complete = false
    await page.getByText('Live, incomplete').waitFor()

    server.cut(true)
    await page.getByText('Reconnecting…').waitFor()
    await page.waitForTimeout(1200)
    const rates = await page.locator('homespin-summary dd').allTextContents()
    assert.deepEqual(
      rates.map((text) => text.replace(/of \d+/, '').trim()),
      ['–', '–', '–', '–', '–'],
    )
    assert.equal(await page.locator('homespin-devices .rates', { hasText: '0 B/s' }).count(), 0)
    server.home.complete = true
    server.cut(false)
    await page
      .getByRole('status')
      .filter({ hasText: /^\s*Live\s*$/ })
      .waitFor()
    await page.locator('homespin-summary dd', { hasText: '/s' }).first().waitFor()
    // What the browser itself writes of the refusals is expected here, and nothing else.
    assert.deepEqual(
      complaints.filter((text) => !text.includes('503')),
      [],
    )
  })

  it('asks for a token where one is needed, and keeps it for the tab', async () => {
    server = await startFixture({ dir: built.dir, token: 'correct-horse-battery' })
    watched = await openPage(browser, server.url, { viewport: DESK }, 'homespin-token input')
    const { page, complaints } = watched
    await page.getByLabel('Token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('That token was refused.').waitFor()
    await page.getByLabel('Token').fill('correct-horse-battery')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.locator('homespin-devices li').first().waitFor()
    await page.locator('homespin-remotes').waitFor()
    await page.reload()
    await page.locator('homespin-devices li').first().waitFor()
    assert.equal(await page.evaluate(() => localStorage.length), 0)
    assert.ok(!page.url().includes('correct'))
    assert.deepEqual(
      complaints.filter((text) => !text.includes('401')),
      [],
    )
  })

  it('follows the system to dark and the browser to Dutch, and what is chosen instead', async () => {
    server = await startFixture({ dir: built.dir })
    watched = await openPage(browser, server.url, {
      viewport: DESK,
      colorScheme: 'dark',
      locale: 'nl-NL',
      reducedMotion: 'reduce',
    })
    const { page } = watched
    const ground = (): Promise<string> =>
      page.locator('homespin-panel').evaluate((panel) => getComputedStyle(panel).backgroundColor)
    assert.equal(await ground(), 'rgb(15, 18, 22)')
    await page.getByRole('heading', { name: 'Wie praat met wie' }).waitFor()
    assert.equal(await page.locator('html').getAttribute('lang'), 'nl-NL')
    await page.getByRole('button', { name: 'Licht' }).click()
    await page.getByLabel('Taal').selectOption('en')
    await page.getByRole('heading', { name: 'Who talks to whom' }).waitFor()
    assert.equal(await ground(), 'rgb(245, 246, 248)')
    await page.reload()
    await page.getByRole('heading', { name: 'Who talks to whom' }).waitFor()
    assert.equal(await ground(), 'rgb(245, 246, 248)')
    await assertUnharmed(watched)
  })

  for (const locale of ['en-GB', 'nl-NL']) {
    it(`fits a phone, one view at a time (${locale})`, async () => {
      server = await startFixture({ dir: built.dir })
      watched = await openPage(browser, server.url, { viewport: PHONE, locale, hasTouch: true })
      const { page } = watched
      const views = ['devices', 'map', 'history', 'connections']
      for (const [n, view] of views.entries()) {
        await page.locator('nav.tabs button').nth(n).click()
        await page.locator(`homespin-${view}`).waitFor({ state: 'visible' })
        for (const other of views.filter((name) => name !== view)) {
          assert.equal(await page.locator(`homespin-${other}`).isVisible(), false)
        }
        if (view === 'history') await page.locator('homespin-history canvas').waitFor()
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.equal(wide, PHONE.width, `${view} is wider than the phone`)
      }
      await page.locator('nav.tabs button').first().click()
      await page.locator('homespin-devices li button').first().click()
      await page.locator('homespin-map').waitFor({ state: 'visible' })
      await assertUnharmed(watched)
    })
  }

  it('rests while it is hidden', async () => {
    server = await startFixture({ dir: built.dir })
    watched = await openPage(browser, server.url, { viewport: DESK })
    const { page } = watched
    await page.clock.install()
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await page.clock.fastForward(31_000)
    await page.waitForTimeout(300)
    assert.equal(server.feeds(), 0)
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => false })
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await page.waitForTimeout(600)
    assert.equal(server.feeds(), 1)
    await assertUnharmed(watched)
  })
})
