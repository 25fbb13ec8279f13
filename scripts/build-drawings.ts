// Draws docs/app/*.png, the ways in which traffic comes to a Home Assistant box, with Chromium: node scripts/build-drawings.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser } from '../test/browser.ts'

const FOLDER = join(import.meta.dirname, '../docs/app')
const WIDTH = 760
const HEIGHT = 250

interface Box {
  x: number
  y: number
  text: string
  sub?: string
  /** The Home Assistant box. */
  own?: boolean
}

interface Line {
  from: [number, number]
  to: [number, number]
  /** Traffic that Homespin sees. */
  seen?: boolean
  text?: string
  /** Where the text stands, above the middle unless given. */
  at?: [number, number]
}

interface Drawing {
  boxes: Box[]
  lines: Line[]
}

const W = 150
const H = 58

const DRAWINGS: Record<string, Drawing> = {
  beside: {
    boxes: [
      { x: 90, y: 60, text: 'Internet' },
      { x: 330, y: 60, text: 'Router', sub: '192.0.2.1' },
      { x: 640, y: 60, text: 'TV, camera, …' },
      { x: 330, y: 190, text: 'Home Assistant', sub: 'with Homespin', own: true },
    ],
    lines: [
      { from: [165, 60], to: [255, 60] },
      { from: [405, 60], to: [565, 60], text: 'not seen' },
      {
        from: [330, 89],
        to: [330, 161],
        seen: true,
        text: 'its own traffic, and what devices call out to all',
        at: [500, 135],
      },
    ],
  },
  gateway: {
    boxes: [
      { x: 90, y: 60, text: 'Internet' },
      { x: 330, y: 60, text: 'Router', sub: '192.0.2.1' },
      { x: 640, y: 190, text: 'TV, camera, …', sub: 'gateway: 192.0.2.10' },
      { x: 330, y: 190, text: 'Home Assistant', sub: '192.0.2.10', own: true },
    ],
    lines: [
      { from: [165, 60], to: [255, 60] },
      { from: [330, 89], to: [330, 161], seen: true },
      { from: [405, 190], to: [565, 190], seen: true, text: 'their IPv4 traffic' },
    ],
  },
  mirror: {
    boxes: [
      { x: 90, y: 60, text: 'Router' },
      { x: 330, y: 60, text: 'Switch', sub: 'with a mirror port' },
      { x: 640, y: 60, text: 'TV, camera, …' },
      { x: 330, y: 190, text: 'Home Assistant', sub: 'second port', own: true },
    ],
    lines: [
      { from: [165, 60], to: [255, 60] },
      { from: [405, 60], to: [565, 60] },
      { from: [330, 89], to: [330, 161], seen: true, text: 'a copy of everything', at: [430, 135] },
    ],
  },
  router: {
    boxes: [
      { x: 90, y: 60, text: 'Internet' },
      { x: 330, y: 60, text: 'Linux router', sub: 'OpenWrt, Debian …' },
      { x: 640, y: 60, text: 'TV, camera, …' },
      { x: 330, y: 190, text: 'Home Assistant', sub: 'with Homespin', own: true },
    ],
    lines: [
      { from: [165, 60], to: [255, 60] },
      { from: [405, 60], to: [565, 60], seen: true },
      {
        from: [330, 89],
        to: [330, 161],
        seen: true,
        text: 'SSH: what the router sees',
        at: [450, 135],
      },
    ],
  },
}

function svgOf({ boxes, lines }: Drawing): string {
  const drawnLines = lines.map(({ from, to, seen, text, at }) => {
    const [x, y] = at ?? [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2 - 10]
    const look = seen
      ? 'stroke="#1f5fbf" stroke-width="5"'
      : 'stroke="#8a94a3" stroke-width="2.5" stroke-dasharray="7 6"'
    const label =
      text === undefined
        ? ''
        : `<text x="${x}" y="${y}" fill="${seen ? '#1f5fbf' : '#596273'}">${text}</text>`
    return `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" ${look} stroke-linecap="round"/>${label}`
  })
  const drawnBoxes = boxes.map(({ x, y, text, sub, own }) => {
    const fill = own ? '#1f5fbf' : '#eef1f5'
    const ink = own ? '#fff' : '#171b22'
    const up = sub === undefined ? 5 : -3
    const second =
      sub === undefined
        ? ''
        : `<text class="sub" x="${x}" y="${y + 16}" fill="${own ? '#dbe7fb' : '#596273'}">${sub}</text>`
    return `<rect x="${x - W / 2}" y="${y - H / 2}" width="${W}" height="${H}" rx="10" fill="${fill}" stroke="#c3cad4"/>
      <text class="name" x="${x}" y="${y + up}" fill="${ink}">${text}</text>${second}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">
    <style>text { font: 14px "DejaVu Sans", sans-serif; text-anchor: middle } .name { font-weight: 600; font-size: 15px } .sub { font-size: 12px }</style>
    <rect width="${WIDTH}" height="${HEIGHT}" rx="12" fill="#fff"/>${drawnLines.join('')}${drawnBoxes.join('')}</svg>`
}

const browser = await openBrowser()
try {
  mkdirSync(FOLDER, { recursive: true })
  const page = await browser.newPage({
    viewport: { width: WIDTH, height: HEIGHT },
    deviceScaleFactor: 2,
  })
  for (const [name, drawing] of Object.entries(DRAWINGS)) {
    await page.setContent(`<style>* { margin: 0 } svg { display: block }</style>${svgOf(drawing)}`)
    const shot = await page.screenshot({ omitBackground: true, type: 'png' })
    writeFileSync(join(FOLDER, `${name}.png`), shot)
  }
} finally {
  await browser.close()
}
