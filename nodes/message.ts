// Where nodes read in messages, and where they write. Paths are what a person has typed, messages are anything.
import type { Node, NodeAPI, NodeMessage } from 'node-red'

/** The property `path` of `msg`; undefined where it, or one of its parents, is missing. Throws an Error for an impossible path. */
export function readProperty(RED: NodeAPI, msg: NodeMessage, path: string): unknown {
  try {
    return RED.util.getMessageProperty(msg, path)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** Puts `value` under the property that a node is configured to write. Throws an Error for an impossible path. */
export function setOutput(
  RED: NodeAPI,
  msg: NodeMessage,
  path: string | undefined,
  value: unknown,
): void {
  if (!RED.util.setMessageProperty(msg, path || 'payload', value, true)) {
    throw new Error(`msg.${path} cannot be written: put the result somewhere else`)
  }
}

/**
 * Sends `msg` with `value` under the property that `node` is configured to write. Where that can't be, nothing is sent and a
 * catch node hears of it: much of this runs in timers, where what is thrown would end Node-RED.
 */
export function sendOutput<Msg extends NodeMessage>(
  RED: NodeAPI,
  node: Node,
  msg: Msg,
  path: string | undefined,
  value: unknown,
  send: (msg: Msg) => void = (each) => node.send(each),
): void {
  try {
    setOutput(RED, msg, path, value)
    send(msg)
  } catch (error) {
    node.error(error, msg)
  }
}

/** Whether `path` can be written in a message that has `others` already; where not, the log says so at once. */
export function canWrite(
  RED: NodeAPI,
  node: Node,
  path: string | undefined,
  others: object,
): boolean {
  try {
    setOutput(RED, structuredClone(others) as NodeMessage, path, true)
    return true
  } catch (error) {
    node.error(error)
    return false
  }
}
