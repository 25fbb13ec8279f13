// Saving Homespin's blueprints in Home Assistant: asked for by a person on the page, never done by itself.
import { z } from 'zod'
import type { BlueprintInstalled } from '../../protocol/results.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod, MethodError } from './registry.ts'

/** What the method is carried out by. */
export interface BlueprintInstallable {
  /** Rejects with a sentence for people. Absent: as in a test, there is no Home Assistant. */
  installBlueprints?: () => Promise<BlueprintInstalled[]>
}

/** The method `blueprints-install`, over HTTP and the socket alone. */
export function blueprintMethods(from: BlueprintInstallable): AnyMethod[] {
  return [
    defineMethod({
      name: 'blueprints-install',
      description: 'save the blueprints of Homespin in Home Assistant, over earlier ones of theirs',
      role: 'admin',
      safe: false,
      result: 'BlueprintList',
      schema: z.strictObject({}),
      handler: async () => {
        if (from.installBlueprints === undefined)
          throw new MethodError('unavailable', 'there is no Home Assistant here')
        try {
          return { blueprints: await from.installBlueprints() }
        } catch (error) {
          throw new MethodError('unavailable', (error as Error).message, { cause: error })
        }
      },
    }),
  ]
}
