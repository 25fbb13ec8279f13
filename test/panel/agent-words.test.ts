import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { AGENT_SENTENCES, agentText } from '../../panel/src/agent-words.ts'
import { createI18n } from '../../panel/src/i18n.ts'
import { HOSTILE } from './fixture-home.ts'

const AGENT = new URL('../../agent/', import.meta.url)
const dutch = createI18n('nl', 'nl-NL')

describe('panel: sentences of the agent', () => {
  it('are those that the agent says', () => {
    const source = readdirSync(AGENT, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(new URL(file, AGENT), 'utf8'))
      .join('\n')
    const missing = AGENT_SENTENCES.filter(([sentence]) =>
      sentence.split(/\{\w+\}/).some((part) => !source.includes(part)),
    )
    assert.deepEqual(missing, [])
  })

  it('are told in the language, with what differs as it came', () => {
    assert.deepEqual(agentText('It is outside its windows now.', dutch), {
      text: 'Nu buiten de ingestelde tijden.',
    })
    assert.deepEqual(
      agentText(
        'everything that is routed from and to lan0, lan1; not what devices say to each other there',
        dutch,
      ),
      {
        text: 'Ziet alles wat van en naar lan0, lan1 wordt gerouteerd; niet wat apparaten daar tegen elkaar zeggen.',
      },
    )
  })

  it('stay English where they are not known, and are cleaned', () => {
    assert.deepEqual(agentText(`Broken: ${HOSTILE.reversed}`, dutch), {
      text: 'Broken: camgnp.exe',
      lang: 'en',
    })
    assert.deepEqual(agentText(undefined, dutch), { text: '' })
    const { text } = agentText(
      `everything that the mirror port sends to ${'x'.repeat(9000)}`,
      dutch,
    )
    assert.ok([...text].length <= 320)
  })
})
