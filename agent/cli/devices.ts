// homespin devices: what the running agent knows.
import type { DeviceList } from '../../protocol/http.ts'
import { call } from './client.ts'
import { LineWriter } from './output.ts'
import { deviceTable } from './text.ts'

export async function runDevices(data: string, json: boolean): Promise<number> {
  const { devices } = (await call(data, '/api/devices')) as DeviceList
  const out = new LineWriter()
  out.start()
  if (json) for (const device of devices) out.json(device)
  else if (devices.length === 0) out.line('no devices yet')
  else {
    out.line(deviceTable(devices))
    if (devices.some((device) => device.random_mac))
      out.line('\n* a MAC made up by the device; it may change')
  }
  await out.end()
  return 0
}
