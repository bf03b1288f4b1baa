/** Every repository of the account's sealed database, opened together. */
import { Accounts } from './accounts.ts'
import { Burials } from './burials.ts'
import { Contacts } from './contacts.ts'
import { Conversations } from './conversations.ts'
import { Consumers } from './consumers.ts'
import type { BatchOptions, Database, StoreOp } from './database.ts'
import { Devices } from './devices.ts'
import { Events } from './events.ts'
import { Expiries } from './expiries.ts'
import { History } from './history.ts'
import { MarkRecords } from './marks.ts'
import { Messages } from './messages.ts'
import { migrate } from './migrations.ts'
import { Outbox } from './outbox.ts'
import { Parts } from './parts.ts'
import { Prekeys } from './prekeys.ts'
import { Profiles } from './profiles.ts'
import { ReceiptsDue } from './receipts-due.ts'
import { Recovery } from './recovery.ts'
import { SearchIndex } from './search-index.ts'
import { SeenIds } from './seen.ts'
import { Sessions } from './sessions.ts'
import { Settings } from './settings.ts'
import { Starred } from './starred.ts'
import type { Vault } from './vault.ts'

export interface Store {
  /** Writes the operations as one batch; see {@link Database.batch}. */
  batch(ops: readonly StoreOp[], options?: BatchOptions): Promise<void>
  /** See {@link Database.generation}. */
  readonly generation: number
  readonly settings: Settings
  readonly accounts: Accounts
  readonly devices: Devices
  readonly prekeys: Prekeys
  readonly sessions: Sessions
  readonly contacts: Contacts
  readonly conversations: Conversations
  readonly messages: Messages
  readonly marks: MarkRecords
  readonly expiries: Expiries
  readonly starred: Starred
  /** What this user did to messages, by the ids that callers gave: each counts once. */
  readonly operations: SeenIds
  /** Messages that were removed whole; a late copy of one does not come back. */
  readonly removed: SeenIds
  readonly outbox: Outbox
  readonly history: History
  readonly parts: Parts
  readonly receiptsDue: ReceiptsDue
  readonly profiles: Profiles
  readonly burials: Burials
  /** Envelopes and letters that were accepted once. */
  readonly seen: SeenIds
  readonly events: Events
  readonly search: SearchIndex
  readonly consumers: Consumers
  readonly recovery: Recovery
}

/**
 * The store over an open database and an unlocked vault; both stay the caller's to close and to lock. Throws
 * StorageError where the database was not sealed by this vault, or has a layout that this program does not know.
 */
export async function openStore(database: Database, vault: Vault): Promise<Store> {
  await migrate(database, vault)
  return {
    batch: (ops, options) => database.batch(ops, options),
    get generation() {
      return database.generation
    },
    settings: new Settings(database, vault),
    accounts: new Accounts(database, vault),
    devices: new Devices(database, vault),
    prekeys: new Prekeys(database, vault),
    sessions: new Sessions(database, vault),
    contacts: new Contacts(database, vault),
    conversations: new Conversations(database, vault),
    messages: new Messages(database, vault),
    marks: new MarkRecords(database, vault),
    expiries: new Expiries(database, vault),
    starred: new Starred(database, vault),
    operations: new SeenIds(database, vault, 'operations'),
    removed: new SeenIds(database, vault, 'removed'),
    outbox: await Outbox.open(database, vault),
    history: new History(database, vault),
    parts: new Parts(database, vault),
    receiptsDue: new ReceiptsDue(database, vault),
    profiles: new Profiles(database, vault),
    burials: new Burials(database, vault),
    seen: new SeenIds(database, vault, 'seen'),
    events: await Events.open(database, vault),
    search: await SearchIndex.open(database, vault),
    consumers: new Consumers(database, vault),
    recovery: new Recovery(database, vault),
  }
}
