import assert from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { hasChromium, openBrowser } from '../browser.ts'
import { AgentDouble, CAMERA, device, flow, LAMP } from './agent-double.ts'
import type { Editor } from './editor.ts'
import {
  closeDialog,
  deploy,
  dialogIsThere,
  drop,
  importExample,
  openDialog,
  openEditor,
  picture,
  wire,
  workspaceIsFree,
} from './editor.ts'
import { lamp } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import type { NodeRed } from './node-red.ts'
import { startNodeRed } from './node-red.ts'
import { OrderDouble, ordered, policy, rule } from './order-double.ts'

/** A name that does harm where it is taken for markup. */
const HOSTILE = '<img src=x onerror="window.harmed=1">camera'

const LEVELS_HERE = {
  ok: true,
  reason: 'as a test has it',
  values: ['observe', 'local_only', 'full'],
}
const BY_FLOW = { kind: 'flow', name: 'Flow 1' }

/** Every node that a flow can have, by the end of its type. */
const WORDS = [
  'device',
  'dns',
  'traffic',
  'block',
  'quarantine',
  'blocked',
  'incident',
  'connection',
  'verdict',
  'rate',
]

describe('nodes in the editor', function () {
  this.timeout(240000)
  let broker: Mosquitto
  let agent: AgentDouble
  let nodeRed: NodeRed
  let browser: Browser

  before(async function () {
    if (!hasMosquitto() || !hasChromium()) this.skip()
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
    await agent.arrive([device({ name: HOSTILE }), lamp])
    nodeRed = await startNodeRed()
    browser = await openBrowser()
  })
  after(async () => {
    await browser?.close()
    await nodeRed?.stop()
    await agent?.leave()
    await broker?.stop()
  })

  it('are dragged, configured, deployed, and heard in the debug sidebar', async () => {
    const page = await openEditor(browser, nodeRed, 'en-US')
    const traffic = await drop(page, 'homespin-traffic', 300, 160)
    const debug = await drop(page, 'debug', 560, 160)
    await wire(page, traffic, debug)

    // Before the first deploy there is no list yet, and the dialog says what to do.
    await openDialog(page, traffic)
    await page.locator('.homespin-devices-hint').getByText('Deploy once').waitFor()
    await page.locator('#node-input-btn-agent-add, #node-input-lookup-agent').first().click()
    const port = page.locator('#node-config-input-port')
    await port.waitFor()
    await dialogIsThere(page)
    await picture(page, 'agent')
    assert.equal(await page.locator('#node-config-input-host').inputValue(), '127.0.0.1')
    assert.ok(await page.locator('#homespin-agent-row-tls').isHidden())
    await port.fill(String(broker.port))
    await page.locator('#node-config-dialog-ok').click()
    await port.waitFor({ state: 'detached' })
    await closeDialog(page)
    await deploy(page)
    await page.getByText('connected', { exact: true }).first().waitFor()
    const config = nodeRed.flows().find((node) => node.type === 'homespin-agent')
    assert.deepEqual(
      [config?.host, config?.port, config?.usetls, config?.tls, config?.prefix, config?.agent],
      ['127.0.0.1', String(broker.port), false, '', 'homespin', 'home'],
    )

    // Now the agent has filled the list.
    await openDialog(page, traffic)
    const rows = page.locator('.homespin-devices-list label')
    await rows.nth(1).waitFor()
    assert.deepEqual(await rows.locator('.homespin-name').allTextContents(), [HOSTILE, 'lamp'])
    await page.locator('.homespin-search').fill('192.0.2.11')
    assert.deepEqual(await Promise.all([rows.nth(0).isVisible(), rows.nth(1).isVisible()]), [
      true,
      false,
    ])
    await rows.nth(0).click()
    await page.getByText('1 device chosen').waitFor()
    await page.locator('#node-input-when').selectOption('every')
    await page
      .locator('#node-input-remote + .red-ui-typedInput-container input')
      .fill('example.com')
    await picture(page, 'traffic')
    await closeDialog(page)
    await deploy(page)
    const stored = nodeRed.flows().find((node) => node.type === 'homespin-traffic')
    assert.deepEqual(stored?.devices, [CAMERA])
    assert.deepEqual([stored?.when, stored?.remote], ['every', 'example.com'])

    const asked = await drop(page, 'homespin-dns', 300, 260)
    await openDialog(page, asked)
    await rows.nth(1).waitFor()
    const [only] = nodeRed.flows().filter((node) => node.type === 'homespin-agent')
    assert.equal(await page.locator('#node-input-agent').inputValue(), only?.id)
    await closeDialog(page, 'cancel')

    await page.getByText('connected', { exact: true }).first().waitFor()
    await agent.flows([
      flow({ id: 'seen', remote_name: 'shown.example.com' }),
      flow({ id: 'lamp', device_id: LAMP, remote_name: 'hidden.example.com' }),
      flow({ id: 'other', remote_name: 'hidden.example.net' }),
    ])
    const heard = page.locator('.red-ui-debug-msg')
    await heard.first().waitFor()
    await heard
      .first()
      .locator('.red-ui-debug-msg-object-expand, .red-ui-debug-msg-row')
      .first()
      .click()
    await page.getByText('"shown.example.com"').first().waitFor()
    await page.getByText('1 flow', { exact: true }).first().waitFor()
    await picture(page, 'debug')
    assert.equal(await heard.count(), 1)
    assert.equal(await page.evaluate('window.harmed'), undefined)
    assert.doesNotMatch(nodeRed.log(), /\[error\]/)
    await page.context().close()
  })

  it('order about a device that is found by its name, and show what the kernel has', async () => {
    const page = await openEditor(browser, nodeRed, 'en-US')
    const desk = await OrderDouble.connect(broker.port)
    const open = device({ name: HOSTILE, policy: policy() })
    try {
      await agent.info({ capabilities: { levels: LEVELS_HERE } })
      await agent.device(open)
      const inject = await drop(page, 'inject', 200, 560)
      const node = await drop(page, 'homespin-quarantine', 440, 560)
      await wire(page, inject, node)
      await openDialog(page, node)
      const typed = page.locator('#node-input-device + .red-ui-typedInput-container input')
      await page.getByText('This agent cannot hold here: internet only').waitFor()
      await typed.pressSequentially('camer')
      const proposal = page.locator('.homespin-proposal')
      await proposal.first().waitFor()
      assert.deepEqual(await proposal.locator('.homespin-name').allTextContents(), [HOSTILE])
      await picture(page, 'proposal')
      await proposal.first().click()
      await page.locator('#homespin-device-hint').getByText(HOSTILE).waitFor()
      await page.locator('#node-input-for + .red-ui-typedInput-container input').fill('30m')
      await picture(page, 'quarantine')
      await closeDialog(page)
      await deploy(page)
      const stored = nodeRed.flows().find(({ type }) => type === 'homespin-quarantine')
      assert.deepEqual(
        [stored?.who, stored?.device, stored?.deviceType, stored?.level, stored?.levelType],
        ['device', CAMERA, 'str', 'local_only', 'level'],
      )
      assert.deepEqual([stored?.for, stored?.forType, stored?.wait], ['30m', 'str', 10])
      assert.equal(stored?.confirm, true)
      await page.getByText('not quarantined', { exact: true }).waitFor()

      let answer = (): void => {}
      desk.answer = ({ verb, id }) => {
        const held = { level: 'local_only', desired_level: 'local_only' } as const
        const result = ordered(held, rule())
        answer = () => void desk.respond(verb, { type: 'response', id, ok: true, result })
      }
      await inject.locator('.red-ui-flow-node-button-button').click()
      await page.getByText('asking the agent', { exact: true }).waitFor()
      assert.deepEqual(
        [desk.taken[0]?.verb, desk.taken[0]?.args],
        ['quarantine', { device: CAMERA, level: 'local_only', for: '30m', by: BY_FLOW }],
      )
      answer()
      await page.getByText('local only', { exact: true }).waitFor()
      await picture(page, 'quarantined')
      await agent.device(open)
      await page.getByText('not quarantined', { exact: true }).waitFor()
      assert.equal(await page.evaluate('window.harmed'), undefined)
    } finally {
      await desk.leave()
      await page.context().close()
    }
  })

  it('come with their examples one after the other, and all of these share one agent', async () => {
    const page = await openEditor(browser, nodeRed, 'en-US')
    const agents = (): Promise<string[]> =>
      page.evaluate(() => {
        const ids: string[] = []
        const { RED } = window as unknown as { RED: Editor }
        RED.nodes.eachConfig((node) => {
          if (node.type === 'homespin-agent') ids.push(node.id)
        })
        return ids
      })
    const before = await agents()
    await importExample(page, '01 *')
    await workspaceIsFree(page)
    await importExample(page, '02 *')
    // What the editor offers where nodes are there already; it keeps the agent, and whatever was set in it.
    await page.getByRole('button', { name: 'Import copy' }).click()
    await page.getByText('See which names are asked for').first().waitFor()
    const [agent, ...others] = (await agents()).filter((id) => !before.includes(id))
    assert.deepEqual(others, [])
    const used = await page.evaluate(() => {
      const { RED } = window as unknown as { RED: Editor }
      return ['homespin-traffic', 'homespin-dns'].map((type) =>
        RED.nodes.filterNodes({ type }).map((node) => node.agent),
      )
    })
    for (const each of used) assert.ok(each.includes(agent ?? ''), JSON.stringify(used))
    await page.context().close()
  })

  it('says of a threshold that it cannot keep that it is wrong', async () => {
    const page = await openEditor(browser, nodeRed, 'en-US')
    const rate = await drop(page, 'homespin-rate', 300, 300)
    await openDialog(page, rate)
    const box = '#node-input-threshold + .red-ui-typedInput-container'
    await page.locator('#node-input-count').selectOption('distinct')
    for (const [value, look] of [
      ['10001', '.input-error'],
      ['10000', ':not(.input-error)'],
    ] as const) {
      await page.locator(`${box} input`).fill(value)
      await page.keyboard.press('Tab')
      await page.locator(`${box}${look}`).waitFor()
    }
    await closeDialog(page, 'cancel')
    await page.context().close()
  })

  it('are explained in the language of the reader', async () => {
    for (const [language, words] of Object.entries({
      'en-US': 'flow by flow',
      nl: 'flow voor flow',
    })) {
      const headers = { Accept: 'text/html', 'Accept-Language': language }
      const page = await (await fetch(`${nodeRed.url}nodes`, { headers })).text()
      assert.ok(page.includes(words), language)
    }
  })

  it('open their dialogs without a fault, in Dutch too', async () => {
    const tab = { id: 'all', type: 'tab', label: 'All' }
    const each = WORDS.map((word, index) => ({
      id: `one-${word}`,
      type: `homespin-${word}`,
      z: tab.id,
      x: 260 + 240 * (index % 3),
      y: 140 + 80 * Math.floor(index / 3),
      wires: [],
    }))
    const deployed = await fetch(`${nodeRed.url}flows`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify([tab, ...each]),
    })
    assert.equal(deployed.status, 204)
    for (const [language, labels] of Object.entries({
      'en-US':
        'device, device dns, device traffic, block, quarantine, blocked, incident, connection waits, verdict, rate',
      nl: 'apparaat, dns, verkeer, blokkeren, quarantaine, geblokkeerd, incident, verbinding wacht, oordeel, tempo',
    })) {
      const page = await openEditor(browser, nodeRed, language)
      const faults: string[] = []
      page.on('pageerror', (error) => faults.push(String(error)))
      for (const [index, label] of labels.split(', ').entries()) {
        const word = WORDS[index]
        const entry = page.locator(`.red-ui-palette-node[data-palette-type="homespin-${word}"]`)
        const shown = await entry.locator('.red-ui-palette-label').textContent()
        assert.equal(shown?.replace(/\s+/g, ' '), label)
        await openDialog(page, page.locator(`#one-${word}`))
        await page.locator('#node-input-output').waitFor({ state: 'attached' })
        const texts = await page.locator('#dialog-form').allInnerTexts()
        assert.doesNotMatch(
          texts.join(),
          /homespin-[a-z]+\.[a-z]/,
          'a label that is not translated',
        )
        await picture(page, `homespin-${word}-${language}`)
        await closeDialog(page)
      }
      assert.deepEqual(faults, [])
      await page.context().close()
    }
  })
})
