// What a value must look like, in small parts. Shapes are made of them once and asked for each message.
import { isIP } from 'node:net'
import { DEVICE_ID } from '../protocol/topics.ts'

export type Check = (value: unknown) => boolean

export const isText =
  (max: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= max
export const isWord: Check = (value) => isText(64)(value) && value !== ''
// 255 octets in the presentation of RFC 1035, where one octet takes up to four characters.
export const isName = isText(1024)
export const isCount: Check = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
export const isPort: Check = (value) =>
  isCount(value) && Number.isInteger(value) && Number(value) <= 65535
export const isFlag: Check = (value) => typeof value === 'boolean'
export const isAddress: Check = (value) => typeof value === 'string' && isIP(value) !== 0
export const isMac: Check = (value) =>
  typeof value === 'string' && /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(value)
export const isDeviceId: Check = (value) => typeof value === 'string' && DEVICE_ID.test(value)

export const isOneOf =
  (...words: unknown[]): Check =>
  (value) =>
    words.includes(value)
export const isAbsentOr =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
export const isListOf =
  (check: Check, max: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(check)

/** Keys that are not in the table pass: later agents may say more. */
export function hasShape(table: Record<string, Check>): Check {
  const checks = Object.entries(table)
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    checks.every(([key, check]) =>
      check(Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined),
    )
}

/** One end of a flow. */
export const isEndpoint: Check = hasShape({
  ip: isAddress,
  port: isAbsentOr(isPort),
  mac: isAbsentOr(isMac),
})
