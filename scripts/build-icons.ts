// Makes ha-addon/icon.png (128 × 128) and logo.png (250 × 100) of the page's icon, with Chromium: node scripts/build-icons.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser } from '../test/browser.ts'

const ROOT = join(import.meta.dirname, '..')
const svg = readFileSync(join(ROOT, 'panel/assets/icon.svg'), 'utf8')

const browser = await openBrowser()
try {
  await draw('icon.png', 128, 128, 'svg { width: 128px; height: 128px }', '')
  // One colour that can be read on light and on dark.
  const style = `
    main { display: flex; align-items: center; justify-content: center; gap: 12px; height: 100px }
    svg { width: 56px; height: 56px }
    b { font: 600 31px/1 "Inter", "DejaVu Sans", sans-serif; letter-spacing: -0.02em; color: #3b7de0 }`
  await draw('logo.png', 250, 100, style, '<b>Homespin</b>')
} finally {
  await browser.close()
}

async function draw(
  name: string,
  width: number,
  height: number,
  style: string,
  text: string,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height } })
  await page.setContent(
    `<style>* { margin: 0 } svg { display: block } ${style}</style><main>${svg}${text}</main>`,
  )
  const file = join(ROOT, 'ha-addon', name)
  writeFileSync(file, await page.screenshot({ omitBackground: true, type: 'png' }))
  await page.close()
}
