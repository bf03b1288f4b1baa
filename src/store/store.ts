/** Every repository of the account's sealed database, opened together. */
import { utf8 } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import { struct, u32 } from '../wire/codec.ts'
import { Accounts } from './accounts.ts'
import { Burials } from './burials.ts'
import { Contacts } from './contacts.ts'
import { Conversations } from './conversations.ts'
import type { BatchOptions, Database, StoreOp } from './database.ts'
import { Devices } from './devices.ts'
import { Events } from './events.ts'
import { History } from './history.ts'
import { Messages } from './messages.ts'
import { Outbox } from './outbox.ts'
import { Parts } from './parts.ts'
import { Prekeys } from './prekeys.ts'
import { ReceiptsDue } from './receipts-due.ts'
import { Repository } from './repository.ts'
import { SeenIds } from './seen.ts'
import { Sessions } from './sessions.ts'
import { Settings } from './settings.ts'
import type { Vault } from './vault.ts'

/**
 * Raised whenever a program of before could not read what is written now: it says so instead of calling the home damaged.
 * 1: contacts in version 1. 2: in version 2, those of version 1 are read.
 */
const FORMAT = 2
const FORMATS_BEFORE = [1]
const formatCodec = struct({ format: u32 })
const FORMAT_NAME = { id: utf8('format') }

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
  readonly outbox: Outbox
  readonly history: History
  readonly parts: Parts
  readonly receiptsDue: ReceiptsDue
  readonly burials: Burials
  /** Envelopes and letters that were accepted once. */
  readonly seen: SeenIds
  readonly events: Events
}

/**
 * The store over an open database and an unlocked vault; both stay the caller's to close and to lock. Throws
 * StorageError where the database was not sealed by this vault, or has a layout that this program does not know.
 */
export async function openStore(database: Database, vault: Vault): Promise<Store> {
  await checkFormat(database, vault)
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
    outbox: await Outbox.open(database, vault),
    history: new History(database, vault),
    parts: new Parts(database, vault),
    receiptsDue: new ReceiptsDue(database, vault),
    burials: new Burials(database, vault),
    seen: new SeenIds(database, vault, 'seen'),
    events: await Events.open(database, vault),
  }
}

async function checkFormat(database: Database, vault: Vault): Promise<void> {
  const records = new Repository(database, vault, 'format', formatCodec)
  // Walked, not looked up: under another vault's key the record would not be found, and this home would seem new.
  const [found] = await records.list({ limit: 1 })
  if (found?.format === FORMAT) return
  if (found !== undefined && !FORMATS_BEFORE.includes(found.format)) {
    throw new StorageError('this home was written by another version of Sotto')
  }
  await database.batch(records.put(FORMAT_NAME, { format: FORMAT }))
}
