// Sentences of the agent in the reader's language, where they are always the same. Any other is shown as it came, in English.
import { shownSentence } from './display-name.ts'
import type { I18n, Key } from './i18n.ts'

/** What is drawn; `lang` where it is not the reader's language. */
export interface AgentText {
  text: string
  lang?: 'en'
}

/** As the agent says them, and their texts; what differs is named in braces. Whatever may stand there is a name or a word. */
export const AGENT_SENTENCES: readonly (readonly [sentence: string, key: Key])[] = [
  // What it sees (agent/capture/plan.ts, agent/source.ts).
  ['nothing yet: the agent is starting', 'sees_starting'],
  ['everything that the mirror port sends to {names}', 'sees_mirror'],
  [
    "this box's own traffic, and broadcast and multicast of its network, on {names}; not what other devices say to the internet",
    'sees_host',
  ],
  [
    'everything that is routed from and to {names}; not what devices say to each other there',
    'sees_two_armed',
  ],
  [
    'IPv4 of the devices that use this box as their default gateway, by {names}; not IPv6, nor devices that use another gateway. Received bytes are seen only where this box masquerades',
    'sees_one_armed',
  ],
  [
    'everything that crosses the bridge {names}, also from device to device across its ports',
    'sees_bridge',
  ],
  [
    'a made-up home of ten devices and their router, for trying things out; nothing here is real',
    'sees_demo',
  ],
  ['what is in the captures that are played', 'sees_file'],
  // Why nothing can be enforced (agent/agent.ts, agent/enforce/place/).
  [
    'Nothing passes this box: what is shown is made up or was captured earlier. Start in mode gateway or bridge to enforce.',
    'no_way_captured',
  ],
  [
    'Mode {mode} only sees traffic: nothing that devices send passes this box. Use mode gateway or bridge.',
    'no_way_sees',
  ],
  ['It is not known yet where this box stands in the network.', 'no_way_unknown'],
  ['The interfaces towards the devices are not there; they are waited for.', 'no_way_waits'],
  // Why a rule is not held (agent/policy/).
  ['It is outside its windows now.', 'idle_windows'],
  ['It waits until the clock is synchronised.', 'idle_clock'],
  ['Its time is over.', 'idle_over'],
  ['The kernel does not have it.', 'failed_kernel'],
  [
    'Everything is released while the file DISABLE is in the data folder; remove it first.',
    'idle_disabled',
  ],
  // What is open though ordered (agent/enforce/place/uncovered.ts).
  [
    'Only IPv4 that this box routes is covered; IPv6 and other routers go round it.',
    'open_ipv6_round',
  ],
  ['Only what this box routes is covered; other routers go round it.', 'open_round'],
]

const PATTERNS = AGENT_SENTENCES.map(([sentence, key]) => {
  const parts = sentence.split(/\{(\w+)\}/)
  const pattern = parts
    .map((part, index) => (index % 2 === 0 ? literal(part) : `(?<${part}>.+)`))
    .join('')
  return { pattern: new RegExp(`^${pattern}$`, 'su'), key }
})

/** A sentence of the agent, cleaned. */
export function agentText(raw: string | undefined, i18n: I18n): AgentText {
  const text = shownSentence(raw)
  if (text === '') return { text }
  for (const { pattern, key } of PATTERNS) {
    const found = pattern.exec(text)
    if (found !== null) return { text: i18n.t(key, { ...found.groups }) }
  }
  return { text, lang: 'en' }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
