import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { identifierOf } from '../../protocol/home-assistant.ts'
import { hasChromium, openBrowser } from '../browser.ts'
import type { Probe } from '../lab/probing.ts'
import { requires, sleep, until } from '../lab/process.ts'
import type { BuiltCard, CardPage } from './card-page.ts'
import { buildCard, installCard, makeDashboard, openFrontend } from './card-page.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'

const REMOTE4 = '203.0.113.9'
const TYPE = 'custom:homespin-card'

describe('ha: the card, the real agent and packets', function () {
  this.timeout(300_000)
  const ha = new HaHome({ devices: 2 })
  const lamp = ha.home.device(0)
  let built: BuiltCard
  let browser: Browser
  let sink: Probe
  let card: CardPage
  let page: Page

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    if (!hasChromium()) return this.skip()
    built = await buildCard()
    await ha.start()
    await ha.meet(0, 1)
    sink = ha.probe('wan', 'sink')
    ha.probe('dev1', 'source', REMOTE4)
    await installCard(ha.core, built)
    const list = await ha.core.call<{ id: string; identifiers: [string, string][] }[]>(
      'config/device_registry/list',
    )
    const device = list.find(({ identifiers }) =>
      identifiers.some(([, key]) => key === identifierOf('lab', lamp.id)),
    )
    assert.ok(device)
    await makeDashboard(ha.core, 'home', [{ type: TYPE }, { type: TYPE, devices: [device.id] }])
    browser = await openBrowser()
    card = await openFrontend(browser, ha.core, ha.core.admin, '/card-home/0')
    page = card.page
  })
  after(async () => {
    await browser?.close()
    await ha.stop()
    built?.remove()
  })

  /** The lamp is the only one that sends now. */
  async function isSending(): Promise<boolean> {
    await sleep(100)
    await sink.read()
    await sleep(500)
    return (await sink.read()).times.length > 0
  }

  const one = () => page.locator('homespin-card').nth(1)

  it('shows what a device sends in this second, and to whom', async () => {
    await one().locator('.pill.live').waitFor()
    await one()
      .locator('.now', { hasText: /[1-9][\d.]*\sk?B\/s/ })
      .waitFor()
    await one().getByRole('button', { name: 'Now', exact: true }).click()
    await one().locator('.remotes').getByText(REMOTE4).waitFor()
    assert.deepEqual(card.complaints, [])
  })

  it('stops its packets, and shows that once the kernel does', async () => {
    assert.equal(await isSending(), true)
    await one().getByRole('switch').click()
    await one().locator('[role=switch][aria-checked=false]').waitFor()
    assert.equal(await isSending(), false)
    await one().locator('.pill', { hasText: 'No internet' }).waitFor()
    const released = one().getByRole('button', { name: 'Release' })
    await released.click()
    await one().locator('[role=switch][aria-checked=true]').waitFor()
    assert.equal(await isSending(), true)
    assert.deepEqual(card.complaints, [])
  })

  it('pauses it for an hour, as the box keeps it', async () => {
    await one().getByRole('button', { name: '1 hour' }).click()
    await one()
      .locator('.pill', { hasText: /No internet\s+(?:1:00:0\d|59:\d\d) left/ })
      .waitFor()
    assert.equal(await isSending(), false)
    await one().locator('select').selectOption('open')
    const isOpen = async () => (await one().locator('select').inputValue()) === 'open'
    await until('the end of the pause', async () => (await isOpen()) || undefined, 30_000)
    assert.equal(await isSending(), true)
    assert.deepEqual(card.complaints, [])
  })

  it('does the same for a user who is no administrator', async () => {
    const other = await openFrontend(browser, ha.core, ha.core.user, '/card-home/0')
    const theirs = other.page.locator('homespin-card').nth(1)
    await theirs.locator('[role=switch][aria-checked=true]').click()
    await theirs.locator('[role=switch][aria-checked=false]').waitFor()
    assert.equal(await isSending(), false)
    // The administrator's card follows.
    await one().locator('[role=switch][aria-checked=false]').waitFor()
    await theirs.getByRole('switch').click()
    await theirs.locator('[role=switch][aria-checked=true]').waitFor()
    assert.deepEqual(other.complaints, [])
    await other.close()
  })
})
