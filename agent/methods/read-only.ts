// Methods of an agent that stands by for another one with its id: it answers, and changes nothing.
import type { Methods } from './registry.ts'
import { MethodError } from './registry.ts'

/** What nobody may be kept from. */
const ALWAYS: readonly string[] = ['panic']

/** The same methods; while `why` has a sentence, those that change something are refused with it. */
export function readOnlyWhile(methods: Methods, why: () => string | undefined): Methods {
  const changes = new Set(
    methods
      .list()
      .filter(({ name, role }) => role === 'admin' && !ALWAYS.includes(name))
      .map(({ name }) => name),
  )
  return {
    list: () => methods.list(),
    call: async (name, args, caller) => {
      const reason = caller.role === 'admin' && changes.has(name) ? why() : undefined
      if (reason !== undefined) throw new MethodError('conflict', reason)
      return await methods.call(name, args, caller)
    },
  }
}
