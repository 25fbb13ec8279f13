import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { ActLab } from './act-lab.ts'
import { connectionRateOf } from './fixture-findings.ts'
import { HOSTILE } from './fixture-home.ts'

const SIZES = [
  { name: 'a desk', viewport: { width: 1400, height: 900 } },
  { name: 'a phone', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  { name: 'a small phone', viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true },
]
const VIEWS = [
  'devices',
  'map',
  'history',
  'connections',
  'rules',
  'incidents',
  'blocked',
  'journal',
]

/** What of the page lies beyond its right edge, looked for in every shadow. */
function tooWide(): string[] {
  const found: string[] = []
  const visit = (root: Document | ShadowRoot): void => {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot !== null) visit(element.shadowRoot)
      const box = element.getBoundingClientRect()
      const isSeen = box.width > 2 && box.height > 2
      if (
        isSeen &&
        element.matches('section, .card, .act, .pill, button') &&
        box.right > innerWidth + 1
      )
        found.push(`${element.tagName.toLowerCase()}.${element.className} ${Math.round(box.right)}`)
    }
  }
  visit(document)
  return found
}

async function assertFits(page: Page, width: number, where: string): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.equal(wide, width, `${where} is ${wide} wide`)
  assert.deepEqual(await page.evaluate(tooWide), [], where)
}

describe('panel: names that have no place to break', function () {
  this.timeout(120_000)
  const lab = new ActLab()
  lab.hooks()

  for (const { name, ...context } of SIZES) {
    for (const locale of ['en-GB', 'nl-NL']) {
      it(`push nothing off ${name} (${locale})`, async () => {
        const page = await lab.open({}, { ...context, locale })
        const { width } = context.viewport
        const { server } = lab
        const [first, second] = server.home.devices.slice(10).map(({ id }) => id)
        assert.ok(first && second)
        const { policy } = server
        for (const device of [first, second]) {
          policy.call('block', {
            device,
            domain: 'x.example.org',
            reason: HOSTILE.endless,
            for: 9e6,
          })
          policy.call('quarantine', { device, level: 'full', reason: HOSTILE.endless })
          const id = `run-${device.slice(-1)}x`
          policy.incidents.push(connectionRateOf(device, { id, opened_ms: Date.now() }))
        }
        policy.call('group-set', { group: 'long', name: HOSTILE.endless, devices: [first, second] })
        policy.behaviour.risky = true
        policy.call('block', { device: second, domain: 'y.example.org' })
        server.tell()
        server.say('blocked', {
          type: 'blocked_batch',
          seq: 1,
          from_ms: Date.now(),
          to_ms: Date.now(),
          blocked: [
            {
              device_id: second,
              cause: 'block',
              remote: `${'r'.repeat(63)}.${'s'.repeat(63)}.example.org`,
              direction: 'from_device',
              packets: 1,
              bytes: 60,
            },
          ],
        })
        await page.locator('homespin-notices .card').first().waitFor()
        for (const selected of [
          '',
          `&device=${first}`,
          `&device=${second}&remote=${HOSTILE.endless}`,
        ]) {
          for (const view of VIEWS) {
            await page.evaluate((hash) => {
              location.hash = hash
            }, `view=${view}${selected}`)
            const shown = page.locator(`homespin-${view}`)
            await shown.waitFor({ state: 'visible' })
            await assertFits(page, width, `${view}${selected}`)
          }
        }
        await page.evaluate((hash) => {
          location.hash = hash
        }, `view=map&device=${second}`)
        for (const n of [0, 1, 2, 3, 4]) {
          await lab.control.locator('> section > .acts button').nth(n).click()
          await lab.control.locator('.form').first().waitFor()
          await assertFits(page, width, `form ${n}`)
        }
        await lab.unharmed()
      })
    }
  }
})
