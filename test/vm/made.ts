// A machine made into a router (guest/provision.sh), with everything that it needs in a folder of its own.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, removeFolder } from '../lab/folders.ts'
import { requires, succeed } from '../lab/process.ts'
import { copyDisk, makeBase, whyNoMachine } from './base.ts'
import { Machine } from './machine.ts'

const GUEST = join(import.meta.dirname, 'guest')

export interface Made {
  machine: Machine
  remove: () => Promise<void>
}

/** For `before`: skips the tests that follow where no machine can be had, and says why; with `CI=true` it fails. */
export async function makeMachine(
  context: Mocha.Context,
  fill: (share: string) => void = () => {},
): Promise<Made> {
  const why = whyNoMachine()
  if (why !== undefined) {
    if (process.env.CI === 'true') throw new Error(why)
    console.error(`      skipped, ${why}`)
    context.skip()
  }
  requires(context, 'dpkg-deb', 'cc')
  await makeBase()
  const folder = makeFolder()
  const share = join(folder, 'share')
  const machine = new Machine({ folder, share })
  const remove = async (): Promise<void> => {
    await machine.stop()
    removeFolder(folder)
  }
  try {
    mkdirSync(share)
    for (const name of readdirSync(GUEST)) copyFileSync(join(GUEST, name), join(share, name))
    await succeed('cc', ['-O2', '-o', join(share, 'wire'), join(GUEST, 'wire.c')])
    fill(share)
    copyDisk(join(folder, 'disk.img'))
    await machine.provision('provision.sh')
    await machine.start()
  } catch (error) {
    await remove()
    throw error
  }
  return { machine, remove }
}
