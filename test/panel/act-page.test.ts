import assert from 'node:assert/strict'
import { ActLab } from './act-lab.ts'
import { connectionOf } from './fixture-findings.ts'
import { HOSTILE } from './fixture-home.ts'
import type { Came } from './fixture-policy.ts'

describe('panel: acting on the page in Chromium', function () {
  this.timeout(40_000)
  const lab = new ActLab()
  lab.hooks()

  it('quarantines with level, duration and reason; busy until the feed tells it', async () => {
    const page = await lab.open()
    await lab.choose('NAS')
    assert.equal(await lab.closure(), 'wider')
    lab.server.policy.behaviour.delayMs = 700
    await lab.button('Quarantine').click()
    const form = page.locator('homespin-level')
    await form.getByRole('radio', { name: /No internet/ }).check()
    await form.getByLabel('How long').selectOption('two_hours')
    await form.getByLabel('Reason').fill('<b>noisy</b>')
    const go = lab.button('Quarantine', form)
    await go.click()
    await page.waitForTimeout(300)
    // Clicked, and not there: the page goes on showing what the kernel has.
    assert.equal(await go.getAttribute('aria-busy'), 'true')
    assert.equal(await lab.closure(), 'wider')
    await lab.control.locator('[data-closure=local_only]').waitFor()
    await page.locator('homespin-level button[aria-busy=false]').waitFor()
    const { verb, args } = lab.last() as Came
    assert.equal(verb, 'quarantine')
    assert.deepEqual(
      { ...args },
      { device: '020de0000005', level: 'local_only', for: 7200, reason: '<b>noisy</b>' },
    )
    await lab.control.getByText(/^\s*(2:00:00|1:59:\d\d) left\s*$/).waitFor()
    await lab.control.getByText('“<b>noisy</b>”').first().waitFor()
    await page.locator('homespin-devices .badge', { hasText: 'No internet' }).waitFor()

    lab.server.policy.behaviour.delayMs = 0
    await lab.button('Release').click()
    await lab.control.locator('[data-closure=wider]').waitFor()
    await lab.unharmed()
  })

  it('shows the kernel where it differs from what was clicked', async () => {
    await lab.open()
    await lab.choose('NAS')
    lab.server.policy.behaviour.problem = 'The kernel has no sets <i>left</i>.'
    await lab.button('Pause').click()
    await lab.button('30 minutes').click()
    await lab.control.getByText('The kernel has no sets <i>left</i>.').first().waitFor()
    await lab.control.locator('.status').getByText('Not in force').waitFor()
    assert.equal(await lab.closure(), 'wider')
    assert.deepEqual(lab.last(), { verb: 'pause', args: { device: '020de0000005', for: 1800 } })
    await lab.unharmed()
  })

  it('reads the state where the feed does not tell it', async () => {
    const page = await lab.open()
    await lab.choose('NAS')
    lab.server.policy.behaviour.told = false
    await lab.button('Block').click()
    const form = page.locator('homespin-block')
    await lab.button('Block everything', form).click()
    await lab.control.locator('[data-closure=blocked]').waitFor({ timeout: 6000 })
    await page.locator('homespin-block button[aria-busy=true]').waitFor({ state: 'detached' })
    await lab.unharmed()
  })

  it('shows a refusal beside its control, in the agent’s words, and nothing changes', async () => {
    const page = await lab.open()
    await lab.choose('NAS')
    lab.server.policy.behaviour.refuse =
      '192.0.2.1 is the gateway <img src=x onerror=window.pwned=9>'
    await lab.button('Block').click()
    const form = page.locator('homespin-block')
    await form.getByLabel('To', { exact: true }).fill('192.0.2.1')
    await lab.button('Block', form.locator('.acts')).click()
    await form.getByRole('alert').getByText(lab.server.policy.behaviour.refuse).waitFor()
    assert.equal(lab.last()?.args.endpoint, '192.0.2.1')
    assert.equal(await lab.closure(), 'wider')
    await lab.button('Dismiss', form).click()
    await form.getByRole('alert').waitFor({ state: 'detached' })

    lab.server.policy.behaviour.refuse = undefined
    await form.getByLabel('To', { exact: true }).fill('Ads.Example.org')
    await form.getByLabel('Protocol').selectOption('tcp')
    await form.getByLabel('Port').fill('80-90')
    await lab.button('Block', form.locator('.acts')).click()
    await lab.control.getByText('Blocked: Ads.Example.org, TCP').waitFor()
    assert.equal(lab.last()?.args.port, '80-90')
    assert.equal(await page.evaluate('window.pwned'), undefined)
    lab.onlyRefusals(422)
  })

  it('holds to what can be held, says why not, accepts and renames', async () => {
    const page = await lab.open()
    await lab.choose('Thermostat')
    await lab.button('Limits').click()
    const limits = page.locator('homespin-limits')
    await limits.getByText('The kernel has neither nft queue nor the xt target.').waitFor()
    assert.equal(await lab.button(/Switch on: Ask/, limits).count(), 0)
    await lab.button('Switch off: No encrypted DNS', limits).click()
    await lab.button('Switch on: No encrypted DNS', limits).waitFor()
    assert.equal(lab.last()?.verb, 'unrestrict')

    await lab.choose('Printer')
    await lab.control.getByText('Ordered for New devices.').waitFor()
    assert.equal(await lab.button('Release').count(), 0)
    await lab.button('Accept').click()
    await lab.control.locator('[data-closure=wider]').waitFor()
    await lab.button('Rename').click()
    await page.getByLabel('Name', { exact: true }).fill('<u>office</u>')
    await lab.button('Save name').click()
    await page.locator('homespin-devices').getByText('<u>office</u>', { exact: true }).waitFor()
    await lab.unharmed()
  })

  it('blocks a remote for a device or for the home, and takes it back', async () => {
    const page = await lab.open()
    await lab.choose('laptop-anna')
    await page.locator('homespin-remotes').getByText('mail.example.com').click()
    const remote = page.locator('homespin-remote-control')
    await lab.button('Block for laptop-anna', remote).click()
    await remote.getByText('laptop-anna · Blocked: mail.example.com').waitFor()
    assert.deepEqual(lab.last(), {
      verb: 'block',
      args: { device: '020de0000002', domain: 'mail.example.com' },
    })
    await lab.button('Block for laptop-anna', remote).waitFor({ state: 'detached' })
    await lab.button('Block for the whole home', remote).click()
    await remote.getByText('Every device · Blocked: mail.example.com').waitFor()
    await lab.button(/Remove: Every device/, remote).click()
    await remote.getByText('Every device · Blocked').waitFor({ state: 'detached' })
    assert.equal(lab.last()?.verb, 'unblock')
    await lab.unharmed()
  })

  it('lists rules, confirms in time, sets the default policy, makes groups', async () => {
    const page = await lab.open()
    lab.server.policy.behaviour.risky = true
    await lab.section(/^Rules/)
    const rules = page.locator('homespin-rules')
    assert.equal(await rules.locator('ul.rules > li').count(), 5)
    await rules.getByText('It is outside its windows now.').waitFor()
    await lab.button('New rule', rules).click()
    const form = rules.locator('section').first().locator('homespin-block')
    await form.getByLabel('To', { exact: true }).fill('203.0.113.0/24')
    await lab.button('Block', form.locator('.acts')).click()
    const notice = page.locator('homespin-notices')
    await notice.getByText(/This could lock you out/).waitFor()
    await notice.getByText(/^0:5\d$|^1:00$/).waitFor()
    await lab.button('Confirm', notice).click()
    await notice.waitFor({ state: 'hidden' })
    assert.equal(lab.last()?.verb, 'confirm')
    lab.server.policy.behaviour.risky = false

    const fresh = page.locator('homespin-new-devices')
    await lab.button('Leave new devices open', fresh).click()
    await fresh.getByText('Nothing closed').waitFor()
    await lab.button('Level', fresh).click()
    await fresh.getByRole('radio', { name: /Shut off/ }).check()
    await lab.button('Set for new devices', fresh).click()
    await fresh.locator('.head').getByText('Shut off').waitFor()
    assert.deepEqual(lab.last()?.args, { new_devices: true, level: 'full', reason: '' })

    const groups = page.locator('homespin-groups')
    await lab.button('New group', groups).click()
    await groups.getByLabel('Name', { exact: true }).fill(HOSTILE.device)
    await groups.getByLabel('NAS').check()
    await lab.button('Save', groups).click()
    await groups.locator('li').getByText(HOSTILE.device).waitFor()
    assert.deepEqual(lab.last()?.args.devices, ['020de0000005'])
    await lab.unharmed()
  })

  it('undoes the last change, one change, and everything since', async () => {
    const page = await lab.open()
    await lab.section(/^Journal/)
    const journal = page.locator('homespin-journal')
    await journal.getByText('Thermostat · No encrypted DNS').waitFor()
    assert.equal(await journal.locator('li').count(), 5)
    await lab.button('Undo the last change', journal).click()
    await journal.locator('li.undone').waitFor()
    assert.equal(await journal.locator('li').count(), 6)
    assert.deepEqual(lab.last(), { verb: 'undo', args: {} })
    await lab.button('Undo change 2', journal).click()
    await journal.locator('li.undone').nth(1).waitFor()
    assert.deepEqual(lab.last()?.args, { seq: 2 })
    await journal.locator('li').last().getByRole('button', { name: 'Back to here' }).click()
    await lab.button('Undo everything after this', journal).click()
    await lab.button('Undo everything after this', journal).waitFor({ state: 'detached' })
    await page.waitForTimeout(200)
    assert.equal(lab.last()?.args.to_ms, lab.server.policy.journal.at(-1)?.time_ms)
    await lab.unharmed()
  })

  it('shows incidents with their evidence, acts on them, and lists closed ones', async () => {
    const page = await lab.open()
    await lab.section(/^Incidents/)
    const incidents = page.locator('homespin-incidents')
    await incidents
      .getByText(`${HOSTILE.device} began 240 connections to 90 remotes within 10 seconds`)
      .waitFor()
    await incidents.getByText('Quarantined automatically: Shut off.').waitFor()
    await incidents.getByText('limit 100, usual 4').first().waitFor()
    await lab.button('Quarantine: Shut off, 1 hour', incidents).click()
    await lab.button('Quarantine: Shut off, 1 hour', incidents).waitFor({ state: 'detached' })
    assert.deepEqual(lab.last()?.args, {
      device: '020de0000006',
      level: 'full',
      for: 3600,
      reason: 'Incident run-i1',
    })
    await lab.button('Allow again', incidents).last().click()
    await page.waitForTimeout(300)
    assert.equal(lab.last()?.verb, 'release')
    await lab.button('Mark as handled', incidents).first().click()
    await incidents.locator('li').nth(1).waitFor({ state: 'detached' })
    await lab.button('Closed', incidents).click()
    await incidents.getByText(`Pixel-8 calls ${HOSTILE.remote} every 60 seconds.`).waitFor()
    await incidents.getByText('handled').waitFor()
    await lab.unharmed()
  })

  it('sums what was blocked, decides about held connections, and releases everything', async () => {
    const page = await lab.open()
    await lab.section(/^Blocked/)
    const blocked = page.locator('homespin-blocked')
    await blocked.getByText(HOSTILE.remote).waitFor()
    await blocked.locator('td.cause', { hasText: 'shut off' }).waitFor()
    assert.equal(await blocked.locator('tbody tr').count(), 3)

    const connection = connectionOf('020de0000004', 20_000)
    lab.server.say('connection', connection)
    const notices = page.locator('homespin-notices')
    await notices.getByText(HOSTILE.remote).waitFor()
    await lab.button('Drop for 1 hour', notices).click()
    await notices.getByText('dropped by you').waitFor()
    assert.deepEqual(lab.last()?.args, {
      connection: connection.id,
      verdict: 'drop',
      remember: 3600,
    })
    lab.server.say('connection', { ...connectionOf('020de0000004', -1), id: 'late' })
    await notices.getByText('time over: allowed').waitFor()

    await lab.section(/^Rules/)
    const panic = page.locator('homespin-panic')
    await lab.button('Release everything', panic).click()
    await lab.button('Cancel', panic).click()
    assert.equal(lab.last()?.verb, 'verdict')
    await lab.button('Release everything', panic).click()
    await lab.button('Yes, release everything', panic).click()
    await page.getByText('No rules yet').waitFor()
    assert.equal(lab.last()?.verb, 'panic')
    await lab.unharmed()
  })
})
