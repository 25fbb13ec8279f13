// How a node finds its agent and shows the agent's state.
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red'
import type { AgentLink, LinkState, LinkUser } from './agent-link.ts'

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
  waiting: { fill: 'yellow', shape: 'dot', text: 'homespin.status.waiting' },
  offline: { fill: 'red', shape: 'ring', text: 'homespin.status.offline' },
  protocol: { fill: 'red', shape: 'dot', text: 'homespin.status.protocol' },
  online: { fill: 'green', shape: 'dot', text: 'homespin.status.online' },
}

/** The badge of a node: the agent's state, over it a fault of the node's own, under it what passed last. */
export class Badge {
  readonly #node: Node
  #state: LinkState = 'connecting'
  #fault: string | undefined
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
  setFault(id: string | undefined): void {
    this.#fault = id
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
    const badge: BadgeShape = this.#fault
      ? { fill: 'red', shape: 'dot', text: this.#fault }
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

/** Joins `node` to its agent as `user` until it is closed. Undefined, with a badge, where no agent is configured. */
export function joinAgent(
  RED: NodeAPI,
  node: Node,
  def: AgentUserDef,
  badge: Badge,
  user: Omit<LinkUser, 'state'> & Partial<Pick<LinkUser, 'state'>>,
): AgentLink | undefined {
  const link = (RED.nodes.getNode(def.agent) as AgentNode | null)?.link
  if (!link) {
    badge.setFault('homespin.status.no_agent')
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

/** Puts `value` under the property that the node is configured to write. Throws an Error for an impossible path. */
export function setOutput(
  RED: NodeAPI,
  msg: NodeMessage,
  path: string | undefined,
  value: unknown,
): void {
  if (!RED.util.setMessageProperty(msg, path || 'payload', value, true)) {
    throw new Error(`msg.${path} cannot be written`)
  }
}
