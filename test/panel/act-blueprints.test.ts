import assert from 'node:assert/strict'
import { ActLab } from './act-lab.ts'

describe('panel: the button that installs blueprints, in Chromium', function () {
  this.timeout(40_000)
  const lab = new ActLab()
  lab.hooks()

  it('installs nothing by itself, and says what is there after it was pressed', async () => {
    const page = await lab.open()
    await lab.section(/^Rules/)
    const part = page.locator('homespin-blueprints')
    const button = part.getByRole('button', { name: 'Install blueprints' })
    await button.waitFor()
    assert.deepEqual(lab.server.policy.came, [])
    await button.click()
    await part.getByText('In Home Assistant now').waitFor()
    assert.deepEqual(await part.getByRole('listitem').allInnerTexts(), [
      'Homespin: hold a new device',
      'Homespin: streaming (replaced)',
    ])
    assert.deepEqual(
      lab.server.policy.came.map(({ verb }) => verb),
      ['blueprints-install'],
    )
    if (process.env.HOMESPIN_SHOTS) await page.screenshot({ path: process.env.HOMESPIN_SHOTS })
    await lab.unharmed()
  })

  it('says why where the agent has no access', async () => {
    const page = await lab.open()
    lab.server.policy.behaviour.refuse = 'this agent has no access to Home Assistant'
    await lab.section(/^Rules/)
    const part = page.locator('homespin-blueprints')
    await part.getByRole('button', { name: 'Install blueprints' }).click()
    await part.getByText('this agent has no access to Home Assistant').waitFor()
    assert.equal(await part.getByRole('listitem').count(), 0)
    lab.onlyRefusals(422)
  })

  it('is not there for who may only look', async () => {
    const tokens = { token: 'correct-horse-battery', viewToken: 'only-looking-around' }
    const page = await lab.open({ ...tokens, saysRole: true }, {}, 'homespin-token input')
    await page.getByLabel('Token').fill(tokens.viewToken)
    await page.getByRole('button', { name: 'Open' }).click()
    await lab.section(/^Rules/)
    await page.locator('homespin-rules').getByText('You may look').first().waitFor()
    assert.equal(await page.locator('homespin-blueprints button').count(), 0)
  })
})
