import type { ProfilePart } from '../application/profile.ts'
import type { SettingsPart } from '../application/settings.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

export interface UseCall {
  /** A key or a pointer moved: puts the sealing of the keys off. Asked every 30 s at the most. */
  noteUse(): Promise<void>
}

export function ownerCalls({ get, patch, post }: Requests): ProfilePart & SettingsPart & UseCall {
  return {
    profile: () => get('/profile'),
    updateProfile: (change) => patch('/profile', change),
    contactProfile: (accountId) => get(pathOf`/contacts/${accountId}/profile`),
    settings: () => get('/settings'),
    updateSettings: (change) => patch('/settings', change),
    noteUse: () => post('/use'),
  }
}
