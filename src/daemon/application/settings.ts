/** What the owner chose, for the local API. */
import type { SettingsPart } from '../../api/application/settings.ts'
import type { Daemon } from '../daemon.ts'
import { roomsOf } from './rooms.ts'

export function settingsPart(daemon: Daemon): SettingsPart {
  return {
    settings: async () => roomsOf(daemon).settings.current(),
    updateSettings: async (change) => roomsOf(daemon).settings.update(change),
    noteUse: async () => daemon.noteUse(),
    lockIfDue: async () => daemon.lockIfDue(),
    onLock: (listener) => daemon.onLock(listener),
  }
}
