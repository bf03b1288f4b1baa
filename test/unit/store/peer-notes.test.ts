/** What a holder remembers of other holders. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { utf8 } from '../../../src/lib/bytes.ts'
import { bucketKey } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import { PeerNotes } from '../../../src/store/peer-notes.ts'
import { openDatabase, temporary, tools } from './fixtures.ts'

test('MB-17 MB-20 ages and lies outlive the process', async (t) => {
  const path = join(temporary(t), 'held')
  const first = await Database.open(path)
  const before = new PeerNotes(first, tools.crypto)
  const sightings = [
    { peerId: 'a', first: 1, last: 2 },
    { peerId: 'b', first: 1_800_000_000_000, last: 1_800_000_000_001 },
  ]
  assert.deepEqual(await before.load(), [])
  await before.save(sightings)
  await before.evidence.save({ peerId: 'liar', kind: 'receipt', at: 5, bytes: new Uint8Array(5_000) })
  await before.evidence.save({ peerId: 'liar', kind: 'possession', at: 6, bytes: Uint8Array.of(7) })
  await before.evidence.save({ peerId: 'other', kind: 'prekey', at: 7, bytes: new Uint8Array(5_000) })
  await first.close()
  const after = new PeerNotes(await openDatabase(t, path), tools.crypto)
  assert.deepEqual(await after.load(), sightings)
  await after.evidence.remove(['nobody'])
  const all = await after.evidence.all()
  assert.deepEqual(
    all.map(({ peerId, kind, at, bytes }) => [peerId, kind, at, bytes.length]),
    [
      ['liar', 'possession', 6, 1],
      ['other', 'prekey', 7, 4_096],
    ],
  )
  await after.evidence.remove(['liar', 'other'])
  assert.deepEqual(await after.evidence.all(), [])
})

test('damaged notes are nothing, and a name that is too long is left out', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'held'))
  const notes = new PeerNotes(database, tools.crypto)
  await notes.save([
    { peerId: 'x'.repeat(200), first: 1, last: 2 },
    { peerId: 'a', first: 1, last: 2 },
  ])
  await notes.evidence.save({ peerId: 'x'.repeat(200), kind: 'receipt', at: 1, bytes: new Uint8Array(1) })
  assert.equal((await notes.load()).length, 1)
  assert.equal((await notes.evidence.all()).length, 0)
  await notes.evidence.save({ peerId: 'liar', kind: 'receipt', at: 1, bytes: new Uint8Array(1) })
  for (const key of [bucketKey('sightings'), bucketKey('liars', utf8('liar'))])
    await database.batch([{ type: 'put', key, value: new Uint8Array(40) }])
  assert.deepEqual(await notes.load(), [])
  assert.deepEqual(await notes.evidence.all(), [])
})
