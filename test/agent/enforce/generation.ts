// The generation of a namespace's ruleset: it counts transactions.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { succeed } from '../../lab/process.ts'
import type { SmallHome } from './small-home.ts'

/** Of the box. */
export async function generation(home: SmallHome): Promise<number> {
  const module = pathToFileURL(join(import.meta.dirname, '../../../native/nft.ts')).href
  const text = `const { Nft } = await import('${module}'); console.log(await new Nft().generation())`
  const args = home.spaces.exec('box', process.execPath, '--input-type=module', '-e', text)
  return Number(await succeed('ip', args))
}
