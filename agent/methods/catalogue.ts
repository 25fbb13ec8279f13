// Every method there is: with its parts for the agent, without them for the command line and for documentation.
import type { BlueprintInstallable } from './blueprints.ts'
import { blueprintMethods } from './blueprints.ts'
import type { Changeable } from './changes.ts'
import { changeMethods } from './changes.ts'
import type { Limitable } from './limits.ts'
import { limitMethods } from './limits.ts'
import { orderMethods } from './orders.ts'
import type { PauseSettable } from './pauses.ts'
import { pauseMethods } from './pauses.ts'
import { policyReadMethods } from './policy-reads.ts'
import type { Readable } from './reads.ts'
import { readMethods } from './reads.ts'
import type { AnyMethod } from './registry.ts'

/** What all methods together need. */
export interface MethodParts {
  read: Readable
  change: Changeable & Limitable & PauseSettable & BlueprintInstallable
}

/** What of a method can be known without carrying it out. */
export type MethodDescription = Omit<AnyMethod, 'run'>

/** The methods of an agent, in the order in which they are documented. */
export function agentMethods({ read, change }: MethodParts): AnyMethod[] {
  return [
    ...readMethods(read),
    ...policyReadMethods(change),
    ...orderMethods(change),
    ...changeMethods(change),
    ...limitMethods(change),
    ...pauseMethods(change),
    ...blueprintMethods(change),
  ]
}

/** The same methods as descriptions. */
export function catalogue(): readonly MethodDescription[] {
  // Parts are used when a method is carried out, and these can't be.
  const none = {} as MethodParts['read'] & MethodParts['change']
  return agentMethods({ read: none, change: none })
}
