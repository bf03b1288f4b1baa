/** What lies on a holder's disk: read from a copy, so that a running daemon is not disturbed. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { toHex } from '../../src/lib/bytes.ts'
import { bucketRange } from '../../src/store/buckets.ts'
import type { BucketName } from '../../src/store/buckets.ts'
import { Database } from '../../src/store/database.ts'

export interface HeldIds {
  /** Ids of letters, hexadecimal. */
  readonly letters: ReadonlySet<string>
  /** Ids of letters that were deleted and whose tombstone is kept. */
  readonly tombstones: ReadonlySet<string>
  /** Keys of cards. */
  readonly cards: ReadonlySet<string>
}

/** The letters and tombstones in the databases under a home. */
export async function heldOnDisk(home: string): Promise<HeldIds> {
  const letters = new Set<string>()
  const tombstones = new Set<string>()
  const cards = new Set<string>()
  for (const directory of databasesUnder(home)) {
    await withCopy(directory, async (db) => {
      for (const id of await idsOf(db, 'held')) letters.add(id)
      for (const id of await idsOf(db, 'tombstones')) tombstones.add(id)
      for (const key of await idsOf(db, 'cards')) cards.add(key)
    })
  }
  return { letters, tombstones, cards }
}

/** LevelDB marks its directories with a file called CURRENT. */
function databasesUnder(home: string): readonly string[] {
  return readdirSync(home, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name === 'CURRENT')
    .map((entry) => entry.parentPath)
}

async function withCopy(directory: string, look: (db: Database) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'sotto-copy-'))
  try {
    cpSync(directory, copy, { recursive: true, filter: (path) => basename(path) !== 'LOCK' })
    const db = await Database.open(copy)
    try {
      await look(db)
    } finally {
      await db.close()
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function idsOf(db: Database, bucket: BucketName): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const key of db.keys(bucketRange(bucket))) ids.push(toHex(key.subarray(1)))
  return ids
}
