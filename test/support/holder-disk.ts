/** What lies on a holder's disk: read from a copy, so that a running daemon is not disturbed. */
import { selectProvider } from '../../src/crypto/select.ts'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { bucketRange } from '../../src/store/buckets.ts'
import type { BucketName } from '../../src/store/buckets.ts'
import type { Database } from '../../src/store/database.ts'
import { checked, heldLetterCodec } from '../../src/store/held-records.ts'
import type { Letter } from '../../src/wire/letter.ts'
import { databasesUnder, withCopy } from './disk-copy.ts'

export interface HeldIds {
  /** Ids of letters that are what was written, hexadecimal. */
  readonly letters: ReadonlySet<string>
  /** Ids of letters that were deleted and whose tombstone is kept. */
  readonly tombstones: ReadonlySet<string>
  /** Keys of cards. */
  readonly cards: ReadonlySet<string>
  /** Of all letters as they lie on the disk. */
  readonly letterBytes: number
  /** The hour (since 1970) in which the first letter runs out; Infinity where there is none. */
  readonly firstExpiryHour: number
}

const crypto = selectProvider(undefined)

/** The letters and tombstones in the databases under a home. */
export async function heldOnDisk(home: string): Promise<HeldIds> {
  const letters = new Set<string>()
  const tombstones = new Set<string>()
  const cards = new Set<string>()
  let letterBytes = 0
  let firstExpiryHour = Infinity
  for (const directory of databasesUnder(home)) {
    letterBytes += await withCopy(directory, async (db) => {
      let bytes = 0
      for await (const [key, value] of db.iterate(bucketRange('held'))) {
        bytes += value.length
        if (checked(crypto, key, heldLetterCodec, value) !== undefined) letters.add(idOf(key))
      }
      for (const id of await idsOf(db, 'tombstones')) tombstones.add(id)
      for (const key of await idsOf(db, 'cards')) cards.add(key)
      firstExpiryHour = Math.min(firstExpiryHour, await firstHour(db))
      return bytes
    })
  }
  return { letters, tombstones, cards, letterBytes, firstExpiryHour }
}

/** A key without its bucket's number. */
const idOf = (key: Uint8Array): string => toHex(key.subarray(1))

async function idsOf(db: Database, bucket: BucketName): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const key of db.keys(bucketRange(bucket))) ids.push(idOf(key))
  return ids
}

async function firstHour(db: Database): Promise<number> {
  for await (const key of db.keys({ ...bucketRange('heldByExpiry'), limit: 1 })) {
    return new DataView(key.buffer, key.byteOffset).getUint32(1)
  }
  return Infinity
}

/** Every letter in the databases under a home, by its id (hexadecimal). */
export async function lettersOnDisk(home: string, crypto: CryptoProvider): Promise<ReadonlyMap<string, Letter>> {
  const letters = new Map<string, Letter>()
  for (const directory of databasesUnder(home)) {
    await withCopy(directory, async (db) => {
      for await (const [key, value] of db.iterate(bucketRange('held'))) {
        const held = checked(crypto, key, heldLetterCodec, value)
        if (held !== undefined) letters.set(idOf(key), held.letter)
      }
    })
  }
  return letters
}
