// How long the pause of a device lasts that says nothing: what the button Pause in Home Assistant does.
import { z } from 'zod'
import { MAX_PAUSE_MINUTES } from '../../protocol/home-assistant.ts'
import { device } from './arguments.ts'
import type { DeviceIndex } from './devices.ts'
import { findDevice } from './devices.ts'
import type { AnyMethod } from './registry.ts'
import { defineMethod } from './registry.ts'

/** What the method is carried out by. */
export interface PauseSettable {
  devices: DeviceIndex
  /** Throws where the disk refuses. Absent: nothing is kept, as in a test. */
  setPauseMinutes?: (deviceId: string, minutes: number) => void
}

/** The method, of the role `admin`. */
export function pauseMethods(from: PauseSettable): AnyMethod[] {
  return [
    defineMethod({
      name: 'pause-minutes',
      description: 'set how long a pause of a device lasts that says nothing',
      role: 'admin',
      safe: true,
      result: 'PauseMinutes',
      schema: z.strictObject({
        device,
        minutes: z.number().int().min(1).max(MAX_PAUSE_MINUTES).meta({
          description: 'in minutes, at most a day',
          example: '30',
        }),
      }),
      handler: ({ device, minutes }) => {
        const { id } = findDevice(device, from.devices)
        from.setPauseMinutes?.(id, minutes)
        return { device_id: id, minutes }
      },
    }),
  ]
}
