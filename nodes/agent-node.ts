// How a node finds its agent and shows the agent's state.
import type { Node, NodeAPI, NodeDef } from 'node-red'
import type { AgentLink } from './agent-link.ts'
import type { LinkState, LinkUser } from './link-user.ts'
import { canWrite } from './message.ts'

/** The config node at run time. */
export interface AgentNode extends Node {
  /** Undefined where its settings are wrong. */
  link: AgentLink | undefined
}

/** What every node of ours has in its stored configuration. */
export interface AgentUserDef extends NodeDef {
  /** Id of the config node. */
  agent: string
  /** Message property that results go to. */
  output?: string
}

/** A user of a link whose badge shows the state by itself. */
export type JoiningUser = Omit<LinkUser, 'state'> & Partial<Pick<LinkUser, 'state'>>

/** How a badge looks. */
export interface Look {
  fill: 'green' | 'yellow' | 'red' | 'blue' | 'grey'
  shape: 'dot' | 'ring'
}

type BadgeShape = Look & { text: string }

const BADGES: Record<LinkState, BadgeShape> = {
  connecting: { fill: 'yellow', shape: 'ring', text: 'homespin.status.connecting' },
  disconnected: { fill: 'red', shape: 'ring', text: 'homespin.status.disconnected' },
  refused: { fill: 'red', shape: 'dot', text: 'homespin.status.refused' },
  tls: { fill: 'red', shape: 'dot', text: 'homespin.status.tls' },
  waiting: { fill: 'yellow', shape: 'dot', text: 'homespin.status.waiting' },
  offline: { fill: 'red', shape: 'ring', text: 'homespin.status.offline' },
  protocol: { fill: 'red', shape: 'dot', text: 'homespin.status.protocol' },
  online: { fill: 'green', shape: 'dot', text: 'homespin.status.online' },
}

/** What may be wrong with a node itself, the gravest first. */
const FAULTS = ['agent', 'output', 'filter'] as const
type Fault = (typeof FAULTS)[number]

/** The badge of a node: the agent's state, over it a fault of the node's own, under it what passed last. */
export class Badge {
  readonly #node: Node
  #state: LinkState = 'connecting'
  readonly #faults = new Map<Fault, string>()
  #last = ''
  #look: Look | undefined
  #shown: string | undefined

  constructor(node: Node) {
    this.#node = node
  }

  /** Texts that are message ids are translated in the editor, into the language of who looks. */
  setState(state: LinkState): void {
    this.#state = state
    this.#show()
  }

  /** A fault of the node's own, as message id; undefined: it is over. */
  setFault(fault: Fault, id: string | undefined): void {
    if (id === undefined) this.#faults.delete(fault)
    else this.#faults.set(fault, id)
    this.#show()
  }

  /** What passed last, in words; where it has a look of its own, in that. */
  setLast(text: string, look?: Look): void {
    this.#last = text
    this.#look = look
    this.#show()
  }

  #show(): void {
    const state = BADGES[this.#state]
    const fault = FAULTS.flatMap((each) => this.#faults.get(each) ?? [])[0]
    const badge: BadgeShape = fault
      ? { fill: 'red', shape: 'dot', text: fault }
      : this.#state === 'online' && this.#last
        ? { ...state, ...this.#look, text: this.#last }
        : state
    // Batches come every second, and each status is sent to every editor that is open.
    const shown = JSON.stringify(badge)
    if (shown === this.#shown) return
    this.#shown = shown
    this.#node.status(badge)
  }
}

/** Where the agent of a node is, or what is wrong: none is chosen, or the settings of the one that is can't work. */
export function agentOf(
  RED: NodeAPI,
  def: AgentUserDef,
): { link: AgentLink; fault?: undefined } | { link?: undefined; fault: 'no_agent' | 'settings' } {
  const chosen = RED.nodes.getNode(def.agent) as AgentNode | null
  if (chosen?.link) return { link: chosen.link }
  return { fault: chosen?.type === 'homespin-agent' ? 'settings' : 'no_agent' }
}

/**
 * Joins `node` to its agent as `user` until it is closed. Undefined, with a badge, where there is none. `others`: what its
 * messages have besides the result.
 */
export function joinAgent(
  RED: NodeAPI,
  node: Node,
  def: AgentUserDef,
  badge: Badge,
  user: JoiningUser,
  others: object = {},
): AgentLink | undefined {
  if (!canWrite(RED, node, def.output, others)) badge.setFault('output', 'homespin.status.output')
  const { link, fault } = agentOf(RED, def)
  if (!link) {
    badge.setFault('agent', `homespin.status.${fault}`)
    return undefined
  }
  const member: LinkUser = {
    ...user,
    state: (state) => {
      badge.setState(state)
      user.state?.(state)
    },
  }
  // Only once this flow's other nodes are there too: a message sent before would be lost.
  const timer = setImmediate(() => link.use(member))
  node.on('close', (done: () => void) => {
    clearImmediate(timer)
    link.release(member).then(done, done)
  })
  return link
}

/** A device as it goes along with what a node tells of it. */
export function deviceLabel(link: AgentLink, id: string): { id: string; name: string } {
  return { id, name: link.inventory.get(id)?.name ?? id }
}
