/**
 * Layouts of the account's database, and how a home of one becomes a home of the next. The format is raised whenever a program of
 * before could not read what is written now: it says so instead of calling the home damaged.
 *
 * A migration may be cut short anywhere and runs again from its beginning; the new number is written last. Before the first, the
 * database is copied beside itself (`account.before-3`): whoever goes back to the older program puts the copy in its place.
 */
import { utf8 } from '../lib/bytes.ts'
import { StorageError } from '../lib/errors.ts'
import { struct, u32 } from '../wire/codec.ts'
import type { Codec } from '../wire/codec.ts'
import type { BucketName } from './buckets.ts'
import type { Database, StoreOp } from './database.ts'
import { contactCodec, conversationCodec } from './records.ts'
import type { Contact, Conversation } from './records.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

export interface Migration {
  /** The format it makes. */
  readonly to: number
  /** What is different. */
  readonly what: string
  run(database: Database, vault: Vault): Promise<void>
}

/** Records that one batch writes anew. */
const REWRITTEN_MAX = 256

/** Every one there ever was, in order; none is taken out, since homes of any age are opened. */
export const MIGRATIONS: readonly Migration[] = [
  {
    to: 2,
    what: 'contacts say whether they may learn our address',
    run: async (database, vault) =>
      rewrite<Contact>(database, vault, 'contacts', contactCodec, ({ accountId }) => accountId),
  },
  {
    to: 3,
    // Messages stay as they were written: a hundred thousand would keep their owner waiting, and their codec reads both.
    what: 'messages end, are marked and stand in causal order; conversations keep drafts, timers and pins',
    run: async (database, vault) =>
      rewrite<Conversation>(database, vault, 'conversations', conversationCodec, ({ contact }) => contact),
  },
]
/** What this program writes. */
export const FORMAT = Math.max(1, ...MIGRATIONS.map(({ to }) => to))

const formatCodec = struct({ format: u32 })
const FORMAT_NAME = { id: utf8('format') }

/**
 * Brings the home to the newest format. Throws StorageError where the database was not sealed by this vault, where a newer program
 * wrote it, or where there is no room for the copy; then it is as it was.
 */
export async function migrate(database: Database, vault: Vault, migrations = MIGRATIONS): Promise<void> {
  const records = new Repository(database, vault, 'format', formatCodec)
  const newest = newestOf(migrations)
  const found = await checkedFormat(database, vault, migrations)
  if (found === undefined) {
    await database.batch(records.put(FORMAT_NAME, { format: newest }))
    return
  }
  const due = migrations.filter(({ to }) => to > found.format)
  if (due.length === 0) return
  await database.backUp(`before-${newest}`)
  for (const migration of due) {
    await migration.run(database, vault)
    await database.batch(records.put(FORMAT_NAME, { format: migration.to }))
  }
}

const newestOf = (migrations: typeof MIGRATIONS): number => Math.max(1, ...migrations.map(({ to }) => to))

/** The format that the home has; `undefined` for a new one. Throws StorageError where a newer version of Sotto wrote it. */
export async function checkedFormat(
  database: Database,
  vault: Vault,
  migrations = MIGRATIONS,
): Promise<{ readonly format: number } | undefined> {
  const records = new Repository(database, vault, 'format', formatCodec)
  // Walked, not looked up: under another vault's key the record would not be found, and this home would seem new.
  const [found] = await records.list({ limit: 1 })
  if (found === undefined || found.format <= newestOf(migrations)) return found
  throw new StorageError('this home was written by a newer version of Sotto: use that one')
}

/** Writes every record of a bucket as it is written now. Doing so twice is doing so once. */
async function rewrite<T>(
  database: Database,
  vault: Vault,
  bucket: BucketName,
  codec: Codec<T>,
  idOf: (record: T) => Uint8Array,
): Promise<void> {
  const records = new Repository(database, vault, bucket, codec)
  let ops: StoreOp[] = []
  for await (const record of records.iterate()) {
    ops.push(...records.put({ id: idOf(record) }, record))
    if (ops.length < REWRITTEN_MAX) continue
    await database.batch(ops)
    ops = []
  }
  if (ops.length > 0) await database.batch(ops)
}
