import { z } from 'zod'
import { SETTING_BOUNDS } from '../../services/settings/values.ts'
import type { SettingsChange } from '../application/settings.ts'
import type { Route } from '../route.ts'
import { given, route } from '../route.ts'

const bounded = ({ min, max }: { readonly min: number; readonly max: number }) =>
  z.number().int().min(min).max(max).nullable().optional()
const updateSettings = z.strictObject({
  readReceipts: z.boolean().optional(),
  typing: z.boolean().optional(),
  presence: z.boolean().optional(),
  retentionDays: bounded(SETTING_BOUNDS.retentionDays),
  autoLockMinutes: bounded(SETTING_BOUNDS.autoLockMinutes),
  defaultTimerSeconds: bounded(SETTING_BOUNDS.defaultTimerSeconds),
})

/** What the owner chose. A change may weaken what protects the owner, so it takes a token of the highest scope. */
export const settingsRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/use',
    group: 'read',
    scope: 'read',
    status: 204,
    work: async ({ application }) => application.noteUse?.(),
  }),
  route({ method: 'GET', path: '/settings', group: 'read', work: (call) => call.application.settings() }),
  route({
    method: 'PATCH',
    path: '/settings',
    group: 'write',
    scope: 'admin',
    body: updateSettings,
    work: (call) => call.application.updateSettings(given(call.body) as SettingsChange),
  }),
]
