// A filter whose parts may come from a context store or from the environment, and may change while the flow runs.
import type { Node, NodeAPI, NodeMessage } from 'node-red'
import { readProperty } from './message.ts'

/** One part of a filter: what the editor stored as value and type. */
export interface TypedField {
  value: unknown
  /** A type of Node-RED's typed input: `str`, `num`, `msg`, `flow`, `global`, `env`, `jsonata`; `raw`: the value itself. */
  type: string
}

/** Asks Node-RED for the value of a typed input. `done` is called once, at once where the store is in memory. */
export function evaluate(
  RED: NodeAPI,
  node: Node,
  field: TypedField,
  msg: NodeMessage,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const { type } = field
  if (type === 'raw') {
    done(null, field.value)
    return
  }
  const text = String(field.value ?? '')
  let value: unknown
  try {
    if (type !== 'msg') {
      RED.util.evaluateNodeProperty(text, type, node, msg, done)
      return
    }
    value = readProperty(RED, msg, text)
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)))
    return
  }
  done(null, value)
}

/** Compiles a filter, and again whenever one of its values has changed. */
export class LiveFilter<Test> {
  readonly #RED: NodeAPI
  readonly #node: Node
  readonly #fields: Readonly<Record<string, TypedField>>
  readonly #compile: (values: Record<string, unknown>) => Test
  readonly #onCompiled: (error: Error | undefined) => void
  #override: Record<string, unknown> = {}
  #compiled: string | undefined
  #test: Test | undefined
  #isEvaluating = false

  /** `onCompiled` is told once for each set of values: undefined, or what is wrong with it. */
  constructor(
    RED: NodeAPI,
    node: Node,
    fields: Readonly<Record<string, TypedField>>,
    compile: (values: Record<string, unknown>) => Test,
    onCompiled: (error: Error | undefined) => void,
  ) {
    this.#RED = RED
    this.#node = node
    this.#fields = fields
    this.#compile = compile
    this.#onCompiled = onCompiled
  }

  /** The filter as it is now. Undefined where its values are wrong or not known yet: then nothing may pass. */
  current(): Test | undefined {
    this.#refresh()
    return this.#test
  }

  /** Sets values over those of the editor until the next call; `{}` takes them away. Throws where they make no filter. */
  override(values: Record<string, unknown>): void {
    this.#compile(values)
    this.#override = structuredClone(values)
    this.#refresh()
  }

  #refresh(): void {
    // A store that answers late is asked one question at a time; until it answers the last filter holds.
    if (this.#isEvaluating) return
    this.#isEvaluating = true
    const fields = Object.entries(this.#fields)
    const values: Record<string, unknown> = {}
    let failure: Error | undefined
    let open = fields.length
    for (const [key, field] of fields) {
      evaluate(this.#RED, this.#node, field, {}, (error, value) => {
        if (error) failure ??= error
        values[key] = value
        open -= 1
        if (open === 0) this.#use({ ...values, ...this.#override }, failure)
      })
    }
  }

  #use(values: Record<string, unknown>, failure: Error | undefined): void {
    this.#isEvaluating = false
    const key = failure ? failure.message : keyOf(values)
    if (key === this.#compiled) return
    this.#compiled = key
    this.#test = undefined
    try {
      if (failure) throw failure
      this.#test = this.#compile(values)
      this.#onCompiled(undefined)
    } catch (error) {
      this.#onCompiled(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

/** What a context holds may be anything, also what JSON cannot say; that makes no filter either. */
function keyOf(values: Record<string, unknown>): string {
  try {
    return JSON.stringify(values)
  } catch {
    return 'not a value'
  }
}
