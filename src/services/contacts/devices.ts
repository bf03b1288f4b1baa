/** A contact's devices as values. Pure. */
import { toHex } from '../../lib/bytes.ts'
import type { Grant } from '../../wire/content.ts'
import { DEVICES_MAX } from '../../wire/card.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { ContactDevice } from '../../store/records.ts'

/** What is new of a device. */
export interface DeviceNews {
  readonly prekeys?: PrekeyCard | undefined
  readonly grant?: Grant | undefined
}

/** The list with the news of one device taken in. A prekey card never goes back to a lower number. */
export function withDevice(
  devices: readonly ContactDevice[],
  deviceId: Uint8Array,
  news: DeviceNews,
  nowMs: number,
): readonly ContactDevice[] {
  const known = devices.find((device) => toHex(device.deviceId) === toHex(deviceId))
  if (known === undefined && devices.length >= DEVICES_MAX) return devices
  const before = known ?? { deviceId, prekeys: undefined, prekeysAt: 0, grant: undefined, grantSent: 0 }
  const newer = news.prekeys !== undefined && news.prekeys.body.number >= (before.prekeys?.body.number ?? 0)
  const after: ContactDevice = {
    ...before,
    prekeys: newer ? news.prekeys : before.prekeys,
    prekeysAt: newer ? nowMs : before.prekeysAt,
    grant: news.grant ?? before.grant,
  }
  return [...devices.filter((device) => device !== known), after]
}
