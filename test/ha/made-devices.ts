// Another integration of Home Assistant that knows devices of the home by their MAC, as those of routers and brands do: each of
// its entries is one device.
import { until } from '../lab/process.ts'
import type { Core } from './core.ts'

const DOMAIN = 'made_devices'

const FLOW = `from homeassistant import config_entries


class Flow(config_entries.ConfigFlow, domain="${DOMAIN}"):
    async def async_step_user(self, user_input=None):
        if user_input is None:
            return self.async_show_form(step_id="user")
        return self.async_create_entry(title=user_input["name"], data=user_input)
`

const SETUP = `from homeassistant.helpers import device_registry


async def async_setup_entry(hass, entry):
    device_registry.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        connections={("mac", entry.data["mac"])},
        identifiers={("${DOMAIN}", entry.data["mac"])},
        name=entry.data["name"],
        manufacturer=entry.data["manufacturer"],
        model=entry.data["model"],
    )
    return True


async def async_unload_entry(hass, entry):
    return True
`

const FOLDER = `custom_components/${DOMAIN}`

/** What Core has to have for it. */
export const MADE_DEVICES: Readonly<Record<string, string>> = {
  [`${FOLDER}/manifest.json`]: JSON.stringify({
    domain: DOMAIN,
    name: 'Made devices',
    version: '1.0.0',
    config_flow: true,
    codeowners: [],
    documentation: 'https://example.com/',
    iot_class: 'local_push',
    integration_type: 'device',
    requirements: [],
  }),
  [`${FOLDER}/__init__.py`]: SETUP,
  [`${FOLDER}/config_flow.py`]: FLOW,
}

/** Core says of each one that is not its own that it was not tested. */
export const NOT_TESTED = /custom integration made_devices/

export interface DeviceEntry {
  id: string
  name: string
  name_by_user: string | null
  manufacturer: string | null
  model: string | null
  area_id: string | null
  identifiers: [string, string][]
}

/** The entry of the device registry that has an identifier. */
export async function entryOf(core: Core, domain: string, id: string): Promise<DeviceEntry> {
  return await until(`${id} in the registry`, async () => {
    const all = await core.call<DeviceEntry[]>('config/device_registry/list')
    return all.find(({ identifiers }) =>
      identifiers.some(([of, key]) => of === domain && key === id),
    )
  })
}

/** Sets up a device; gives its entry. */
export async function makeDevice(
  core: Core,
  device: { mac: string; name: string; manufacturer: string; model: string },
): Promise<DeviceEntry> {
  const headers = {
    authorization: `Bearer ${core.admin.token}`,
    'content-type': 'application/json',
  }
  let url = `${core.url}/api/config/config_entries/flow`
  for (const body of [{ handler: DOMAIN }, device]) {
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${DOMAIN}: ${answer.status} ${await answer.text()}`)
    url = `${url}/${((await answer.json()) as { flow_id: string }).flow_id}`
  }
  return await entryOf(core, DOMAIN, device.mac)
}
