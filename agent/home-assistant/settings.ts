// The keys of the configuration that are about Home Assistant.
import { z } from 'zod'
import { DISCOVERY_PREFIX } from '../../protocol/home-assistant.ts'
import { isTopicPrefix } from '../../protocol/topics.ts'

const DISCOVERY = ['auto', 'on', 'off'] as const
const ANNOUNCED = ['all', 'known', 'none'] as const

/** `home_assistant` of the configuration. */
export const homeAssistantSettings = z
  .strictObject({
    discovery: z
      .enum(DISCOVERY)
      .default('auto')
      .meta({
        example: 'on',
        help: 'devices and entities in Home Assistant by MQTT discovery; auto: once Home Assistant was heard on the broker',
        flag: DISCOVERY.join('|'),
      }),
    prefix: z
      .string()
      .refine(isTopicPrefix, 'expected topic levels of letters, digits, _ and -')
      .default(DISCOVERY_PREFIX)
      .meta({ example: 'homeassistant' }),
    announce: z
      .enum(ANNOUNCED)
      .default('known')
      .meta({
        example: 'known',
        help: 'devices that Home Assistant is told of: all, those that are accepted, or none but the agent',
        flag: ANNOUNCED.join('|'),
      }),
    url: z
      .string()
      .refine(isPage, 'expected http://HOST[:PORT] or https://HOST[:PORT]')
      .optional()
      .meta({
        example: 'http://homeassistant.example:8123',
        help: 'where names, areas and manufacturers of devices are read from; needs token',
        flag: 'URL',
      }),
    token: z
      .string()
      .min(16, 'expected a long-lived access token')
      .max(4096)
      .optional()
      .meta({ example: "a long-lived access token of an administrator's profile" }),
  })
  .refine(({ url, token }) => url === undefined || token !== undefined, {
    error: 'expected token beside it',
    path: ['url'],
  })
  .prefault({})
  .meta({ help: 'entities in Home Assistant' })

/** What is configured of it. */
export type HomeAssistantSettings = z.infer<typeof homeAssistantSettings>

function isPage(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, search, hash } = new URL(text)
  const bare = username === '' && search === '' && hash === ''
  return ['http:', 'https:'].includes(protocol) && hostname !== '' && bare
}
