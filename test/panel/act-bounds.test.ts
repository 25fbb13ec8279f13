import assert from 'node:assert/strict'
import { ActLab } from './act-lab.ts'
import { connectionOf } from './fixture-findings.ts'
import { HOSTILE } from './fixture-home.ts'

const PHONE = { width: 360, height: 740 }

describe('panel: who may act, where, and how, in Chromium', function () {
  this.timeout(40_000)
  const lab = new ActLab()
  lab.hooks()

  it('lets a viewer see and not act, told beforehand or by the first refusal', async () => {
    const tokens = { token: 'correct-horse-battery', viewToken: 'only-looking-around' }
    for (const saysRole of [true, false]) {
      const page = await lab.open({ ...tokens, saysRole }, {}, 'homespin-token input')
      await page.getByLabel('Token').fill(tokens.viewToken)
      await page.getByRole('button', { name: 'Open' }).click()
      await lab.choose(HOSTILE.reversed.replace('\u202e', ''))
      assert.equal(await lab.closure(), 'full')
      if (!saysRole) await lab.button('Release').click()
      await lab.control.getByText('You may look, and change nothing').waitFor()
      assert.equal(await lab.control.getByRole('button').count(), 0)
      await lab.section(/^Journal/)
      await page.locator('homespin-journal li').first().waitFor()
      assert.equal(await page.locator('homespin-journal').getByRole('button').count(), 0)
      assert.equal(await page.locator('homespin-panic button').count(), 0)
      assert.equal(lab.server.policy.came.length, 0)
      lab.onlyRefusals(401, 403)
      if (!saysRole) break
      await lab.close()
    }
  })

  it('offers nothing where nothing can be enforced, and says why', async () => {
    const page = await lab.open({ acts: false })
    lab.server.home.info.capabilities.enforce = { ok: false, reason: 'This is a mirror port.' }
    lab.server.say('info', lab.server.home.info)
    await lab.choose('NAS')
    await lab.control.getByText('This is a mirror port.').waitFor()
    assert.deepEqual(await lab.control.getByRole('button').allInnerTexts(), ['Rename'])
    await page.locator('homespin-remotes').getByText('backup.example.org').click()
    await page.locator('homespin-remote-control').getByText('This is a mirror port.').waitFor()
    assert.equal(await page.locator('homespin-remote-control').getByRole('button').count(), 0)
    await lab.unharmed()
  })

  it('says what is left open', async () => {
    await lab.open()
    await lab.choose('NAS')
    const uncovered = 'IPv6 goes round this box.'
    lab.server.policy.behaviour.uncovered = uncovered
    lab.server.tell()
    await lab.control.getByText(uncovered).waitFor()
    await lab.unharmed()
  })

  it('orders nothing while the agent is away', async () => {
    await lab.open()
    await lab.choose('NAS')
    await lab.button('Pause').click()
    lab.server.cut(true)
    await lab.watched.page.getByText('Reconnecting…').waitFor()
    assert.equal(await lab.button('30 minutes').getAttribute('aria-disabled'), 'true')
    await lab.button('30 minutes').click({ force: true })
    await lab.watched.page.waitForTimeout(200)
    assert.equal(lab.server.policy.came.length, 0)
    lab.onlyRefusals(503)
  })

  it('is worked by keyboard alone', async () => {
    const page = await lab.open()
    await lab.choose('NAS')
    await lab.button('Pause').focus()
    await page.keyboard.press('Enter')
    for (let n = 0; n < 5; n++) await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await lab.control.locator('[data-closure=local_only]').waitFor()
    assert.deepEqual(lab.last()?.args, { device: '020de0000005', for: 1800 })
    await lab.unharmed()
  })

  for (const locale of ['en-GB', 'nl-NL']) {
    it(`fits a phone (${locale})`, async () => {
      const page = await lab.open({}, { viewport: PHONE, locale, hasTouch: true })
      const fits = async (what: string): Promise<void> => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.equal(wide, PHONE.width, `${what} is wider than the phone`)
      }
      lab.server.say('connection', connectionOf('020de0000004', 20_000))
      await page.locator('nav.tabs button').nth(4).click()
      const sections = page.locator('homespin-sections nav button:visible')
      for (const [n, name] of ['rules', 'incidents', 'blocked', 'journal'].entries()) {
        await sections.nth(n).click()
        await page.locator(`homespin-${name}`).waitFor()
        await page.waitForTimeout(200)
        await fits(name)
        assert.equal(await page.locator('homespin-map').isVisible(), false)
      }
      await page.locator('nav.tabs button').first().click()
      await lab.choose('NAS')
      const opens = lab.control.locator('button[aria-expanded]')
      assert.equal(await opens.count(), 5)
      for (let n = 0; n < 5; n++) {
        await opens.nth(n).click()
        await fits(`panel ${n}`)
      }
      await lab.unharmed()
    })
  }
})
