/** What is recovered, as entries of chunks and back. Pure. */
import { encode, tryDecode } from '../../wire/codec.ts'
import {
  RECOVERY_ENTRY,
  recoveredContactCodec,
  recoveredSettingCodec,
  recoveryEntryCodec,
} from '../../wire/recovery.ts'
import type { RecoveredContact, RecoveredSetting, RecoveryEntry } from '../../wire/recovery.ts'
import { toHex } from '../../lib/bytes.ts'
import type { RecoveryContent } from './ports.ts'

/** Settings and profile first, then contacts by the time at which they came: so that a new one changes the last chunk alone. */
export function entriesOf({ contacts, settings, profile }: RecoveryContent): readonly RecoveryEntry[] {
  const byName = [...settings].sort((a, b) => (a.name < b.name ? -1 : 1))
  const byAge = [...contacts].sort(
    (a, b) => a.addedAt - b.addedAt || (toHex(a.accountId) < toHex(b.accountId) ? -1 : 1),
  )
  return [
    ...byName.map((setting) => entry(RECOVERY_ENTRY.setting, encode(recoveredSettingCodec, setting))),
    ...(profile === undefined ? [] : [entry(RECOVERY_ENTRY.profile, profile)]),
    ...byAge.map((contact) => entry(RECOVERY_ENTRY.contact, encode(recoveredContactCodec, contact))),
  ]
}

const entry = (type: number, body: Uint8Array): RecoveryEntry => ({ type, body })

/** What the entries say, those first that come first: of one contact or setting the first word counts. What is unknown is passed over. */
export function contentOf(entries: readonly RecoveryEntry[]): RecoveryContent {
  const contacts = new Map<string, RecoveredContact>()
  const settings = new Map<string, RecoveredSetting>()
  let profile: Uint8Array | undefined
  for (const { type, body } of entries) {
    if (type === RECOVERY_ENTRY.profile) profile ??= body
    const contact = type === RECOVERY_ENTRY.contact ? tryDecode(recoveredContactCodec, body) : undefined
    if (contact !== undefined) addFirst(contacts, toHex(contact.accountId), contact)
    const setting = type === RECOVERY_ENTRY.setting ? tryDecode(recoveredSettingCodec, body) : undefined
    if (setting !== undefined) addFirst(settings, setting.name, setting)
  }
  return { contacts: [...contacts.values()], settings: [...settings.values()], profile }
}

function addFirst<T>(known: Map<string, T>, name: string, value: T): void {
  if (!known.has(name)) known.set(name, value)
}

/** The bytes that say whether anything has changed. */
export function encodedEntries(entries: readonly RecoveryEntry[]): readonly Uint8Array[] {
  return entries.map((each) => encode(recoveryEntryCodec, each))
}
