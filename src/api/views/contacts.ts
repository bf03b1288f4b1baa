import { z } from 'zod'
import type { ContactView, VerifyView } from '../application/contacts.ts'
import type { ProfileView } from '../application/profile.ts'
import type { SettingsView } from '../application/settings.ts'
import { account, count, time, viewOf } from './view.ts'

export const contactView = viewOf<ContactView>()(
  z.object({
    accountId: account,
    name: z.string(),
    state: z.enum(['requested', 'incoming', 'accepted', 'blocked']),
    verified: z.boolean(),
    changed: z.boolean(),
    pinSource: z.enum(['network', 'invite', 'qr']),
    note: z.string(),
    favourite: z.boolean(),
    direct: z.enum(['always', 'never']),
    addedAt: time,
    lastSeenAt: time.nullable(),
    online: z.boolean(),
    profileName: z.string(),
    profileNumber: count,
    devices: count,
  }),
)

export const verifyView = viewOf<VerifyView>()(
  z.object({ accountId: account, digits: z.string(), qr: z.string(), verified: z.boolean() }),
)
export const inviteView = z.object({ link: z.string() })

export const profileView = viewOf<ProfileView>()(
  z.object({
    name: z.string(),
    bio: z.string(),
    avatar: z.object({ type: z.enum(['image/png', 'image/jpeg', 'image/webp']), data: z.string() }).nullable(),
    number: count,
  }),
)

export const settingsView = viewOf<SettingsView>()(
  z.object({
    readReceipts: z.boolean(),
    typing: z.boolean(),
    presence: z.boolean(),
    retentionDays: z.number().nullable(),
    autoLockMinutes: z.number().nullable(),
    defaultTimerSeconds: z.number().nullable(),
  }),
)
