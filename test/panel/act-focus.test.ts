import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { ActLab } from './act-lab.ts'

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

/** What the focused element shows, looked for in every shadow. */
function focused(): string {
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  return `${element?.tagName} ${element?.textContent?.replace(/\s+/g, ' ').trim()}`
}

describe('panel: where the reader is, in Chromium', function () {
  this.timeout(60_000)
  const lab = new ActLab()
  lab.hooks()

  const names = (page: Page): Promise<string[]> =>
    page.locator('homespin-devices li .title bdi').allTextContents()

  it('keeps the order of the list while a device has the focus', async () => {
    const page = await lab.open()
    const rows = page.locator('homespin-devices li button')
    await rows.nth(5).focus()
    const before = await names(page)
    const at = await page.evaluate(focused)
    // Whoever was last becomes the busiest: without the focus the list would follow.
    const { server } = lab
    for (const device of server.home.devices.slice(-3)) {
      server.say('incident', {
        ...server.policy.incidents[0],
        id: `x${device.id}`,
        device_id: device.id,
      } as never)
    }
    await page.locator('homespin-devices .badge.incident').nth(4).waitFor()
    assert.deepEqual(await names(page), before)
    assert.equal((await page.evaluate(focused)).slice(0, 12), at.slice(0, 12))
    await page.locator('homespin-sections nav button').first().focus()
    await page.waitForFunction(
      (first) =>
        document
          .querySelector('homespin-panel')
          ?.shadowRoot?.querySelector('homespin-devices')
          ?.shadowRoot?.querySelectorAll('li .title bdi')[2]?.textContent !== first,
      before[2],
    )
    await lab.unharmed()
  })

  it('leads whoever released a device to what holds now', async () => {
    const page = await lab.open()
    lab.server.policy.call('quarantine', { device: '020de0000005', level: 'full' })
    lab.server.tell()
    await lab.choose('NAS')
    await lab.button('Release').focus()
    await page.keyboard.press('Enter')
    await lab.button('Release').waitFor({ state: 'detached' })
    assert.match(await page.evaluate(focused), /^DIV .*1 block$/)
    await lab.unharmed()
  })

  for (const [what, context] of [
    ['a desk', {}],
    ['a phone', PHONE],
  ] as const) {
    it(`says what is not in order until it is read, on ${what}`, async () => {
      const page = await lab.open({ loss: { ring_packets: 12 } }, context)
      const { info } = lab.server.home
      const capture = { ok: false, reason: 'Nothing can be captured on <b>eth1</b>.' } as const
      info.capabilities.capture = capture
      info.capabilities.store = { ok: false, reason: 'The disk is full.' }
      lab.server.say('info', info)
      const header = page.locator('homespin-header')
      await header.getByRole('status').getByText('Sees nothing').waitFor()
      const popover = header.locator('.losses')
      const open = (): Promise<void> => header.getByLabel('Problem').click()
      await open()
      await popover.getByText(capture.reason).click()
      await popover.getByText('The disk is full.').waitFor()
      await popover.getByText('12 packets').waitFor()
      const box = await popover.boundingBox()
      const width = page.viewportSize()?.width ?? 0
      assert.ok(box && box.x >= 0 && box.x + box.width <= width)
      await page.keyboard.press('Escape')
      await popover.waitFor({ state: 'hidden' })
      await open()
      await popover.waitFor()
      await page.mouse.click(width - 20, 700)
      await popover.waitFor({ state: 'hidden' })
      await lab.unharmed()
    })
  }
})
