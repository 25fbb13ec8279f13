// A page that acts, in a real Chromium, on the fixture's home: what tests of orders share.
import assert from 'node:assert/strict'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { hasChromium, openBrowser } from '../browser.ts'
import type { WatchedPage } from './browser.ts'
import { assertUnharmed, buildPanel, openPage } from './browser.ts'
import type { Came } from './fixture-policy.ts'
import type { Fixture, FixtureOptions } from './fixture-server.ts'
import { startFixture } from './fixture-server.ts'

const DESK = { width: 1440, height: 1000 }

/** One browser and one built page for a suite; a server and an opened page for each test. */
export class ActLab {
  #browser: Browser | undefined
  #built: Awaited<ReturnType<typeof buildPanel>> | undefined
  server!: Fixture
  watched!: WatchedPage

  /** Registers what is done before and after; call it inside `describe`. */
  hooks(): void {
    const lab = this
    before(async function () {
      this.timeout(90_000)
      if (!hasChromium()) return this.skip()
      lab.#built = await buildPanel()
      lab.#browser = await openBrowser()
    })
    after(async () => {
      await lab.#browser?.close()
      await lab.#built?.remove()
    })
    afterEach(() => lab.close())
  }

  /** Starts a server and opens its page. */
  async open(
    options: Partial<FixtureOptions> = {},
    context: BrowserContextOptions = {},
    ready?: string,
  ): Promise<Page> {
    assert.ok(this.#browser && this.#built)
    this.server = await startFixture({ dir: this.#built.dir, acts: true, ...options })
    const all = { viewport: DESK, ...context }
    this.watched = await openPage(this.#browser, this.server.url, all, ready)
    return this.watched.page
  }

  async close(): Promise<void> {
    await this.watched?.close()
    await this.server?.stop()
  }

  get control(): Locator {
    return this.watched.page.locator('homespin-device-control')
  }

  /** A button of the device's card, or of another. */
  button(name: string | RegExp, within: Locator = this.control): Locator {
    return within.getByRole('button', { name, exact: typeof name === 'string' })
  }

  /** What the device's card says is closed. */
  closure(): Promise<string | null> {
    return this.control.locator('[data-closure]').getAttribute('data-closure')
  }

  /** The last order that came. */
  last(): Came | undefined {
    return this.server.policy.came.at(-1)
  }

  async choose(name: string): Promise<void> {
    await this.watched.page.locator('homespin-devices').getByText(name, { exact: true }).click()
    await this.control.waitFor()
  }

  async section(name: RegExp): Promise<void> {
    await this.button(name, this.watched.page.locator('homespin-sections nav')).click()
  }

  unharmed(): Promise<void> {
    return assertUnharmed(this.watched)
  }

  /** What Chromium itself writes of answers that are refusals is expected, and nothing else. */
  onlyRefusals(...statuses: number[]): void {
    const rest = this.watched.complaints.filter(
      (text) => !statuses.some((status) => text.includes(`status of ${status} `)),
    )
    assert.deepEqual(rest, [])
  }
}
