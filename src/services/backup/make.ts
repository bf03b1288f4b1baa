/** Gathers what a backup holds. No session, prekey, device key or token is in it: what was used once must never be used again. */
import { utf8, wipe } from '../../lib/bytes.ts'
import { NotFoundError } from '../../lib/errors.ts'
import { BACKUP_ENTRY, encodeEntry } from '../../store/backup-entries.ts'
import type { BackupEntry } from '../../store/backup-entries.ts'
import { UNMARKED } from '../../store/marks.ts'
import { OWN_PROFILE } from '../../store/profiles.ts'
import type { Contact } from '../../store/records.ts'
import type { BackupSource } from './ports.ts'

/** The plain bytes of a backup, entry by entry. The home may be used meanwhile: what comes while a conversation is read may be in it. */
export async function* backupBytes(source: BackupSource): AsyncGenerator<Uint8Array> {
  let entries = 0
  for await (const entry of entriesOf(source)) {
    entries++
    yield encodeEntry(entry)
  }
  yield encodeEntry({ kind: BACKUP_ENTRY.end, body: { entries } })
}

async function* entriesOf(source: BackupSource): AsyncGenerator<BackupEntry> {
  const { store, seeds, clock } = source
  const own = await store.accounts.own()
  if (own === undefined) throw new NotFoundError('this home has no account yet: create one first')
  const { accountId, card, number } = own
  yield { kind: BACKUP_ENTRY.head, body: { version: 1, accountId, createdAt: clock.now() } }
  yield { kind: BACKUP_ENTRY.account, body: { ...seeds, card, number } }
  // The rest takes as long as its reader likes.
  wipe(seeds.ed25519, seeds.mldsa65)
  yield* chosen(source)
  const contacts = await store.contacts.list()
  for (const contact of contacts) yield { kind: BACKUP_ENTRY.contact, body: withoutKeys(contact) }
  for (const id of [OWN_PROFILE, ...contacts.map((contact) => contact.accountId)]) {
    const profile = await store.profiles.get(id)
    if (profile === undefined) continue
    yield { kind: BACKUP_ENTRY.profile, body: { accountId: id === OWN_PROFILE ? undefined : id, profile } }
  }
  yield* said(source)
}

async function* chosen({ store, settings }: BackupSource): AsyncGenerator<BackupEntry> {
  for (const name of settings) {
    const value = await store.settings.get(name)
    if (value !== undefined && utf8(value).length > 0) yield { kind: BACKUP_ENTRY.setting, body: { name, value } }
  }
}

/** Each conversation behind its messages, so that it never counts one that is not there. */
async function* said({ store }: BackupSource): AsyncGenerator<BackupEntry> {
  for (const conversation of await store.conversations.all()) {
    for await (const message of store.messages.all(conversation.contact)) {
      const marks = await store.marks.of(message)
      const kept = marks === UNMARKED ? undefined : ({ ...marks, version: 1 } as const)
      yield { kind: BACKUP_ENTRY.message, body: { message, marks: kept } }
    }
    yield { kind: BACKUP_ENTRY.conversation, body: conversation }
  }
}

/** Who it is and what was decided. What its devices and ours gave each other is theirs. */
function withoutKeys(contact: Contact): Contact {
  return { ...contact, laneNumber: 0, token: undefined, devices: [] }
}
