import assert from 'node:assert/strict'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { hasChromium, openBrowser } from '../browser.ts'
import { until } from '../lab/process.ts'
import { cameraIncident, HOSTILE_NAME, HOSTILE_REMOTE } from './card-days.ts'
import { CardHome } from './card-home.ts'
import type { BuiltCard, CardPage } from './card-page.ts'
import { buildCard, installCard, makeDashboard, openFrontend } from './card-page.ts'
import { Core, requiresCore } from './core.ts'
import type { Account } from './core-account.ts'

const TYPE = 'custom:homespin-card'
const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  isMobile: true,
  hasTouch: true,
}
const CAMERA = 1
const TABLET = 3
const THERMOSTAT = 4

describe('ha: the card in the real frontend', function () {
  this.timeout(120_000)
  let built: BuiltCard
  let core: Core
  let home: CardHome
  let browser: Browser
  let opened: CardPage[] = []
  /** Ids of the registry, by the home's order. */
  let ids: string[]

  before(async function () {
    this.timeout(400_000)
    requiresCore(this)
    if (!hasChromium()) return this.skip()
    built = await buildCard()
    core = new Core()
    await core.start()
    home = new CardHome(core.broker.url)
    await home.start()
    await installCard(core, built)
    ids = await until('the devices in the registry', registered, 30_000, 200)
    await core.untilState(await entityOf(home.devices.length - 1, 'internet'))
    browser = await openBrowser()
    await makeDashboard(core, 'all', [{ type: TYPE, max_devices: 8 }])
    await makeDashboard(core, 'one', [{ type: TYPE, devices: [ids[THERMOSTAT]] }])
  })
  after(async () => {
    await browser?.close()
    await home?.stop()
    await core?.stop()
    built?.remove()
  })
  afterEach(async () => {
    for (const { close } of opened.splice(0)) await close()
    opened = []
    if (home === undefined) return
    home.kernelMs = 250
    for (const n of [CAMERA, TABLET, THERMOSTAT]) await home.hold(n, undefined)
  })

  async function registered(): Promise<string[] | undefined> {
    const list = await core.call<{ id: string; identifiers: [string, string][] }[]>(
      'config/device_registry/list',
    )
    const found = home.devices.map(
      ({ id }) => list.find(({ identifiers }) => identifiers[0]?.[1]?.endsWith(`_${id}`))?.id,
    )
    return found.every((id) => id !== undefined) ? found : undefined
  }

  async function entityOf(n: number, key: string): Promise<string> {
    const look = async (): Promise<string | undefined> =>
      (await core.entities()).get(home.uniqueId(n, key))
    return until(`the entity ${key}`, look, 30_000, 200)
  }

  async function open(
    account: Account,
    path: string,
    options: Parameters<typeof openFrontend>[4] = {},
  ): Promise<CardPage> {
    const page = await openFrontend(browser, core, account, path, options)
    opened.push(page)
    return page
  }

  const rowOf = (page: Page, name: string): Locator =>
    page.locator('homespin-card .row').filter({ hasText: name })

  const unharmed = async ({ page, complaints }: CardPage): Promise<void> => {
    assert.equal(await page.evaluate('window.pwned'), undefined)
    assert.deepEqual(complaints, [])
  }

  /** The commands that a page sends over its websocket from now on. */
  function sentBy(page: Page): { type: string; id: number; subscription?: number }[] {
    const sent: { type: string; id: number; subscription?: number }[] = []
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => {
        const read = JSON.parse(String(payload))
        sent.push(...(Array.isArray(read) ? read : [read]))
      })
    })
    return sent
  }

  it('shows an administrator the home live, and every name as text', async () => {
    const card = await open(core.admin, '/card-all/0')
    const { page } = card
    await page.locator('homespin-card .row').nth(7).waitFor()
    assert.equal(await page.locator('homespin-card .row').count(), 8)
    await page.locator('homespin-card .pill.live').waitFor()
    await rowOf(page, 'Living room TV').getByText('kB/s').first().waitFor()
    await page.locator('homespin-card .now .spark').waitFor()
    await rowOf(page, HOSTILE_NAME).locator('.who').click()
    await page.locator('homespin-card .remotes').getByText(HOSTILE_REMOTE).waitFor()
    await page.getByRole('button', { name: 'Now', exact: true }).click()
    await page.locator('homespin-card .remotes strong', { hasText: '/s' }).waitFor()
    await page.locator('homespin-card .remotes').getByText(HOSTILE_REMOTE).waitFor()
    assert.equal(await page.locator('homespin-card img').count(), 0)
    await unharmed(card)
  })

  it('shows other users what the entities say, and asks for nothing they may not have', async () => {
    const card = await openFrontend(browser, core, core.user, '/profile')
    opened.push(card)
    const { page } = card
    const sent = sentBy(page)
    await page.goto(`${core.url}/card-all/0`)
    await rowOf(page, 'Living room TV').getByText('GB').waitFor()
    await page.locator('homespin-card-traffic canvas').first().waitFor()
    assert.equal(await page.locator('homespin-card .pill.live').count(), 0)
    assert.ok(sent.some(({ type }) => type === 'config/entity_registry/get_entries'))
    assert.ok(!sent.some(({ type }) => type === 'mqtt/subscribe'))
    await rowOf(page, "Anna's laptop").locator('.who').click()
    await page.locator('homespin-card .remotes').getByText('docs.example.com').waitFor()
    await unharmed(card)
  })

  it('ends its subscriptions when it leaves the page', async () => {
    const card = await open(core.admin, '/profile')
    const { page } = card
    const sent = sentBy(page)
    await page.goto(`${core.url}/card-all/0`)
    await page.locator('homespin-card .pill.live').waitFor()
    const live = sent.filter(({ type }) => type === 'mqtt/subscribe').map(({ id }) => id)
    assert.equal(live.length, 2)
    await page.evaluate(() => {
      history.pushState(null, '', '/profile')
      dispatchEvent(new CustomEvent('location-changed', { detail: { replace: false } }))
    })
    await page.locator('homespin-card').waitFor({ state: 'detached' })
    const ended = (): true | undefined => {
      const gone = sent.filter(({ type }) => type === 'unsubscribe_events')
      return live.every((id) => gone.some(({ subscription }) => subscription === id)) || undefined
    }
    await until('the subscriptions to end', async () => ended(), 10_000)
    await unharmed(card)
  })

  it('shows what the kernel has, never what was clicked', async () => {
    home.kernelMs = 1500
    const card = await open(core.user, '/card-one/0')
    const { page } = card
    const access = page.getByRole('switch')
    const level = page.locator('homespin-card select')
    await access.waitFor()
    assert.equal(await access.getAttribute('aria-checked'), 'true')
    await access.click()
    await page.locator('homespin-card [role=switch][aria-busy=true]').waitFor()
    // Home Assistant has sent the order; the kernel has not carried it out.
    await until('the order', async () => home.ordered.at(-1)?.device, 10_000, 20)
    assert.equal(await access.getAttribute('aria-checked'), 'true')
    await page.locator('homespin-card [role=switch][aria-checked=false]').waitFor()
    await page.locator('homespin-card [role=switch][aria-busy=false]').waitFor()
    assert.equal(await level.inputValue(), 'local_only')
    await page.locator('homespin-card .pill', { hasText: 'No internet' }).waitFor()

    await level.selectOption('full')
    assert.equal(await level.inputValue(), 'local_only')
    await until('the level', async () => (await level.inputValue()) === 'full' || undefined, 15_000)

    // Somebody else releases it: the card follows.
    await home.hold(THERMOSTAT, undefined)
    await page.locator('homespin-card [role=switch][aria-checked=true]').waitFor()

    await page.getByRole('button', { name: '1 hour' }).click()
    await page
      .locator('homespin-card .pill', { hasText: /No internet\s+(?:1:00:00|59:\d\d) left/ })
      .waitFor()
    assert.deepEqual(
      home.ordered.slice(-2).map(({ verb }) => verb),
      ['pause-minutes', 'pause'],
    )
    await page.getByRole('button', { name: 'Release' }).click()
    await page.locator('homespin-card [role=switch][aria-checked=true]').waitFor()
    await unharmed(card)
  })

  it('says so where the agent does not carry an order out', async () => {
    home.kernelMs = Number.POSITIVE_INFINITY
    const card = await open(core.user, '/card-one/0')
    const { page } = card
    await page.getByRole('switch').click()
    await page.getByRole('alert').getByText('The agent did not answer').waitFor({ timeout: 30_000 })
    assert.equal(await page.getByRole('switch').getAttribute('aria-checked'), 'true')
    await page.getByRole('button', { name: 'Dismiss' }).click()
    await page.getByRole('alert').waitFor({ state: 'detached' })
    await unharmed(card)
  })

  it("shows an incident first, in the reader's language where the agent is heard, and shuts off", async () => {
    const [camera] = home.devices.slice(CAMERA)
    assert.ok(camera)
    await home.incident(CAMERA, cameraIncident(camera))
    const card = await open(core.admin, '/card-all/0', { language: 'nl' })
    const { page } = card
    const first = page.locator('homespin-card .row').first()
    await first.getByText('Incident', { exact: true }).waitFor()
    await first.locator('.who').click()
    await page.getByText('Hallway camera begon 412 verbindingen').waitFor()
    await page.getByText('grens 120, gewoonlijk 9').waitFor()
    await page.getByRole('button', { name: 'Afsluiten', exact: true }).click()
    await rowOf(page, 'Hallway camera').getByText('Afgesloten').waitFor()
    await home.hold(CAMERA, undefined)
    await home.incident(CAMERA, cameraIncident(camera, 'closed'))
    await page.getByText('Laatste incident').waitFor()
    await unharmed(card)
  })

  it('is configured by its editor', async () => {
    await makeDashboard(core, 'edited', [{ type: TYPE }])
    const card = await open(core.admin, '/card-edited/0?edit=1', {
      viewport: { width: 1200, height: 1300 },
    })
    const { page } = card
    const frame = page.locator('hui-card-edit-mode').first()
    await frame.locator('.row').first().waitFor()
    await frame.hover()
    const box = await frame.boundingBox()
    assert.ok(box)
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
    const dialog = page.locator('hui-dialog-edit-card')
    const form = dialog.locator('hui-form-editor ha-form').first()
    await form.locator('input').first().fill('The children')
    await dialog.locator('homespin-card h2', { hasText: 'The children' }).waitFor()
    await form.getByText('Top remotes').click()
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'hidden' })
    const saved = async (): Promise<object | undefined> => {
      const config = await core.call<{ views: { sections: { cards: object[] }[] }[] }>(
        'lovelace/config',
        { url_path: 'card-edited' },
      )
      const [one] = config.views[0]?.sections[0]?.cards ?? []
      return one !== undefined && 'title' in one ? one : undefined
    }
    assert.deepEqual(await until('the saved card', saved, 10_000), {
      type: TYPE,
      title: 'The children',
      hide: ['remotes'],
    })
    await unharmed(card)
  })

  it('follows the theme to dark, its charts too', async () => {
    const card = await open(core.user, '/card-one/0', { colorScheme: 'light' })
    const { page } = card
    const chart = page.locator('homespin-card-traffic canvas').first()
    await chart.waitFor()
    const look = async (): Promise<{ ground: string; ink: string }> => ({
      ground: await page
        .locator('homespin-card ha-card')
        .evaluate((card) => getComputedStyle(card).backgroundColor),
      ink: await chart.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL()),
    })
    await page.waitForTimeout(500)
    const light = await look()
    await page.emulateMedia({ colorScheme: 'dark' })
    await until(
      'the dark card',
      async () => {
        const dark = await look()
        return dark.ground !== light.ground && dark.ink !== light.ink ? true : undefined
      },
      15_000,
    )
    await unharmed(card)
  })

  it('fits a phone', async () => {
    await home.hold(TABLET, 'local_only', Date.now() + 1_200_000, 'Homework')
    const card = await open(core.user, '/card-all/0', PHONE)
    const { page } = card
    const row = rowOf(page, 'Tablet')
    await row.getByText('No internet').waitFor()
    await row.locator('.who').tap()
    await page.locator('homespin-card homespin-card-device .remotes').waitFor()
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= 360, `the page is ${wide} pixels wide`)
    const inner = await page
      .locator('homespin-card .body')
      .evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
    assert.ok(inner <= 0, `the card is ${inner} pixels too wide`)
    await unharmed(card)
  })

  it('says what is wrong with its configuration, and what it does not find', async () => {
    await makeDashboard(core, 'wrong', [
      { type: TYPE, devices: 7 },
      { type: TYPE, devices: ['0123456789abcdef0123456789abcdef'] },
    ])
    const card = await open(core.admin, '/card-wrong/0')
    const { page } = card
    // The dashboard tells what a card threw where it is edited.
    await page.getByText('Configuration error').waitFor()
    await page.getByText("This card's device is gone").waitFor()
    const said = await page.evaluate(() => {
      const one = document.createElement('homespin-card') as unknown as {
        setConfig(config: object): void
      }
      try {
        one.setConfig({ type: 'custom:homespin-card', devices: 7 })
        return 'nothing'
      } catch (error) {
        return (error as Error).message
      }
    })
    assert.match(said, /"devices" must be a list of device ids of Home Assistant/)
    await unharmed(card)
  })

  it('says when the agent is away, and when it is back', async () => {
    const card = await open(core.user, '/card-all/0')
    const { page } = card
    await page.locator('homespin-card .row').first().waitFor()
    await home.setStatus('offline')
    await page.locator('homespin-card .pill', { hasText: 'Agent away' }).waitFor()
    await rowOf(page, 'Living room TV').getByText('unavailable').waitFor()
    assert.equal(await page.getByRole('switch').count(), 0)
    await home.setStatus('online')
    for (const device of home.devices) await home.show(device)
    await page
      .locator('homespin-card .pill', { hasText: 'Agent away' })
      .waitFor({ state: 'detached' })
    await page.getByRole('switch').first().waitFor()
    await unharmed(card)
  })

  it('is offered for its own entities', async () => {
    const card = await open(core.admin, '/card-all/0')
    const { page } = card
    await page.locator('homespin-card .row').first().waitFor()
    const entity = await entityOf(CAMERA, 'internet')
    const offered = await page.evaluate((entityId) => {
      const { hass } = document.querySelector('home-assistant') as unknown as { hass: object }
      const { customCards = [] } = window as unknown as {
        customCards?: {
          type: string
          getEntitySuggestion(hass: object, entityId: string): unknown
        }[]
      }
      const ours = customCards.find(({ type }) => type === 'homespin-card')
      return [
        ours?.getEntitySuggestion(hass, entityId),
        ours?.getEntitySuggestion(hass, 'zone.home'),
      ]
    }, entity)
    assert.deepEqual(offered, [{ config: { type: TYPE, devices: [ids[CAMERA]] } }, null])
  })
})
