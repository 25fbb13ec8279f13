// Decides about a first packet that waits; the message carries its handle from a connection node.
import type { Node, NodeAPI, NodeMessageInFlow } from 'node-red'
import { MAX_COMMAND_TTL_MS } from '../protocol/commands.ts'
import type { AgentUserDef } from './agent-node.ts'
import { agentOf, Badge, joinAgent } from './agent-node.ts'
import type { ConnectionHandle } from './homespin-connection.ts'
import { setOutput } from './message.ts'
import { evaluateAll, field, optional } from './order-arguments.ts'
import { OrderError } from './order-desk.ts'
import { hasShape, isOneOf, isWord } from './shape.ts'

interface VerdictDef extends AgentUserDef {
  /** `accept` or `drop`; with the type `verdict` from the list, else taken from elsewhere. */
  verdict: string
  verdictType: string
  /** The same connection is decided alike for so long: `1h`. */
  remember: string
  rememberType: string
}

/** How long an answer is waited for. */
const WAIT_MS = 2000

const isHandle = hasShape({ agent: isWord, id: isWord })
const isDecided = hasShape({ connection: isWord, verdict: isOneOf('accept', 'drop') })

/** What an agent answers to a verdict. */
interface Decided {
  connection: string
  verdict: 'accept' | 'drop'
}

export default function register(RED: NodeAPI): void {
  function HomespinVerdict(this: Node, def: VerdictDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const isList = !def.verdictType || def.verdictType === 'verdict'
    const fields = {
      verdict: isList ? { value: def.verdict, type: 'raw' } : field(def.verdict, def.verdictType),
      remember: field(def.remember, def.rememberType),
    }
    let isClosed = false

    const link = joinAgent(RED, this, def, badge, { wants: [], verbs: ['verdict'] })

    const decide = async (msg: NodeMessageInFlow): Promise<Decided> => {
      if (!link) {
        const { fault } = agentOf(RED, def)
        throw new OrderError('not_sent', RED._(`homespin.error.${fault}`))
      }
      const handle = (msg as { connection?: ConnectionHandle }).connection
      if (!isHandle(handle) || !handle) {
        throw new OrderError('invalid_arguments', RED._('homespin-verdict.error.handle'))
      }
      if (handle.agent !== def.agent) {
        throw new OrderError('invalid_arguments', RED._('homespin-verdict.error.other'))
      }
      const values = await evaluateAll(RED, this, fields, msg)
      const verdict = verdictOf(values.verdict)
      const remember = optional(values.remember, fields.remember, 'time to remember')
      const args = { connection: handle.id, verdict, ...(remember !== undefined && { remember }) }
      // The agent itself keeps the deadline, and clocks of two boxes can't be compared.
      const result = await link.orders.order('verdict', args, WAIT_MS, MAX_COMMAND_TTL_MS)
      const decided = isDecided(result) ? (result as Decided) : undefined
      if (decided?.connection !== handle.id || decided.verdict !== verdict) {
        throw new OrderError('no_answer', RED._('homespin-verdict.error.answer'))
      }
      return decided
    }

    this.on('input', (msg, send, done) => {
      decide(msg).then(
        (decided) => {
          if (isClosed) return
          const accepts = decided.verdict === 'accept'
          badge.setLast(`homespin.status.${decided.verdict}`, {
            fill: accepts ? 'green' : 'blue',
            shape: 'dot',
          })
          try {
            setOutput(RED, msg, def.output, decided)
            send(msg)
            done()
          } catch (error) {
            done(error as Error)
          }
        },
        (error: unknown) => {
          if (isClosed) return
          badge.setLast(lateOr(error), { fill: 'red', shape: 'dot' })
          done(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
    this.on('close', () => {
      isClosed = true
    })
  }
  RED.nodes.registerType('homespin-verdict', HomespinVerdict)
}

/** `true` and `false` stand for the two verdicts. Throws an `OrderError` for anything else. */
function verdictOf(value: unknown): Decided['verdict'] {
  if (value === 'accept' || value === true) return 'accept'
  if (value === 'drop' || value === false) return 'drop'
  throw new OrderError('invalid_arguments', 'a verdict is accept or drop: nothing was decided')
}

/** The agent says `not_found` of a connection that no longer waits. */
function lateOr(error: unknown): string {
  const isLate = error instanceof OrderError && error.code === 'not_found'
  return isLate ? 'homespin.status.late' : 'homespin.status.failed'
}
