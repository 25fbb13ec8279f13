// The real editor of Node-RED in a real Chromium, and what a person does there.
import assert from 'node:assert/strict'
import { globSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import type { NodeRed } from './node-red.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Where pictures go, if anyone wants to look at them. */
const PICTURES = process.env.HOMESPIN_SCREENSHOTS

/** Takes a picture, if anyone wants to look at it. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!PICTURES) return
  mkdirSync(PICTURES, { recursive: true })
  // Dialogs slide in.
  await page.waitForTimeout(500)
  await page.screenshot({ path: join(PICTURES, `${name}.png`) })
}

/** The part of the editor's own API that is looked at. */
export interface Editor {
  nodes: {
    eachConfig: (look: (node: { id: string; type: string }) => void) => void
    filterNodes: (filter: { type: string }) => { agent: string }[]
  }
}

/** Pastes an example into the dialog that imports nodes. */
export async function importExample(page: Page, name: string): Promise<void> {
  const [file = ''] = globSync(`examples/${name}.json`, { cwd: ROOT })
  await page.keyboard.press('Control+i')
  const place = page.locator('#red-ui-clipboard-dialog-import-text')
  await place.fill(readFileSync(join(ROOT, file), 'utf8'))
  // What was put there is looked at when a key is let go.
  await place.press('End')
  await page.locator('#red-ui-clipboard-dialog-ok').click()
}

/** Opens the editor in a language, and waits until it can be worked in. */
export async function openEditor(
  browser: Browser,
  nodeRed: NodeRed,
  locale: string,
): Promise<Page> {
  const context = await browser.newContext({ locale, viewport: { width: 1400, height: 900 } })
  const page = await context.newPage()
  page.setDefaultTimeout(20000)
  await page.goto(nodeRed.url)
  await page.locator('#red-ui-palette-homespin').waitFor()
  await page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden' })
  return page
}

/**
 * Opens the dialog of a node, and waits until it has slid in. Before that it is beside the page: a click on it would make
 * the browser scroll the editor, and land where the button was.
 */
export async function openDialog(page: Page, node: Locator): Promise<void> {
  await node.dblclick()
  await dialogIsThere(page)
}

/** Waits until every dialog stands still where it belongs. */
export async function dialogIsThere(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const trays = [...document.querySelectorAll('.red-ui-tray')]
    const isStill = (tray: Element): boolean =>
      getComputedStyle(tray).right === '0px' && tray.getAnimations().length === 0
    return trays.length > 0 && trays.every(isStill)
  })
}

/** Presses Done or Cancel of a node's dialog, and waits until it has slid away with the shades under it. */
export async function closeDialog(page: Page, button: 'ok' | 'cancel' = 'ok'): Promise<void> {
  await dialogIsThere(page)
  await page.locator(`#node-dialog-${button}`).click()
  await workspaceIsFree(page)
}

/** A dialog that slides away, and the shade of a deploy, take what the mouse does. */
export async function workspaceIsFree(page: Page): Promise<void> {
  await page.locator('.red-ui-tray').waitFor({ state: 'detached' })
  await page.waitForFunction(
    "$('.red-ui-sidebar-shade:visible, #red-ui-editor-shade:visible').length === 0",
  )
}

/** Drags a node from the palette to a place on the workspace. */
export async function drop(page: Page, type: string, x: number, y: number): Promise<Locator> {
  await workspaceIsFree(page)
  const entry = page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`)
  const nodes = page.locator('.red-ui-flow-node-group')
  const before = await nodes.count()
  const chart = await boxOf(page.locator('#red-ui-workspace-chart'))
  // Unlike a look at its box this waits until the entry stands still, with nothing over it: palettes unfold.
  await entry.hover()
  await page.mouse.down()
  await page.mouse.move(chart.x + x - 40, chart.y + y - 20, { steps: 8 })
  await page.mouse.move(chart.x + x, chart.y + y, { steps: 4 })
  await page.mouse.up()
  await nodes.nth(before).waitFor()
  return nodes.nth(before)
}

/** Draws a wire from the output of one node to the input of another. */
export async function wire(page: Page, source: Locator, target: Locator): Promise<void> {
  const from = await boxOf(source.locator('.red-ui-flow-port-output .red-ui-flow-port').first())
  const to = await boxOf(target.locator('.red-ui-flow-port-input .red-ui-flow-port').first())
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2)
  await page.mouse.down()
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 10 })
  await page.mouse.up()
  await page.locator('.red-ui-flow-link-line').first().waitFor({ state: 'attached' })
}

/** Presses Deploy, and waits until it is done. */
export async function deploy(page: Page): Promise<void> {
  const done = page.waitForResponse(
    (response) => response.request().method() === 'POST' && response.url().endsWith('/flows'),
  )
  await page.locator('#red-ui-header-button-deploy').click()
  assert.equal((await done).status(), 200)
}

async function boxOf(
  locator: Locator,
): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await locator.boundingBox()
  if (!box) throw new Error('it is not to be seen')
  return box
}
