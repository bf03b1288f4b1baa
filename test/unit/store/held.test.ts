import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { commitmentOf, HOUR_MS, letterId } from '../../../src/protocol/mailbox-rules.ts'
import { bucketKey, bucketRange } from '../../../src/store/buckets.ts'
import { Burials } from '../../../src/store/burials.ts'
import { Database } from '../../../src/store/database.ts'
import { factsOf, HeldStore } from '../../../src/store/held.ts'
import { Vault } from '../../../src/store/vault.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { cardOf, flipped, NOW_S } from '../protocol/card-fixtures.ts'

const NOW = NOW_S * 1_000
const rng = seededRng(3)
const address = rng.bytes(32)

async function opened() {
  const path = await mkdtemp(join(tmpdir(), 'sotto-store-'))
  let db = await Database.open(path)
  let held = await HeldStore.open(db, crypto, rng)
  const put = async (letter: Letter): Promise<Uint8Array> => {
    const id = letterId(crypto, letter)
    held.usage.addLetter(factsOf(id, letter))
    assert.equal(await held.putLetter(id, letter), 'stored')
    return id
  }
  return {
    put,
    get db() {
      return db
    },
    get held() {
      return held
    },
    reopen: async (): Promise<void> => {
      await db.close()
      db = await Database.open(path)
      held = await HeldStore.open(db, crypto, rng)
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await db.close()
      await rm(path, { recursive: true, force: true })
    },
  }
}

function letter(preimage: Uint8Array, hours = 48): Letter {
  return {
    version: 1,
    kind: 1,
    address,
    lane: new Uint8Array(16).fill(2),
    expiry: NOW / HOUR_MS + hours,
    sizeClass: 0,
    commitment: commitmentOf(crypto, preimage),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: rng.bytes(2_048),
  }
}

const listed = async (held: HeldStore): Promise<number> => (await held.list(address, 0, 100, NOW)).live.length

test('a flipped letter is dropped and counted, and no longer listed', async () => {
  await using h = await opened()
  const ids = [await h.put(letter(rng.bytes(16))), await h.put(letter(rng.bytes(16)))]
  const [bad, good] = ids as [Uint8Array, Uint8Array]
  const key = bucketKey('held', bad)
  const value = await h.db.get(key)
  assert.ok(value)
  await h.db.batch([{ type: 'put', key, value: flipped(value, 900) }])
  const letters = await h.held.getLetters(address, ids, NOW, 2 ** 20)
  assert.deepEqual(
    letters.map((each) => letterId(crypto, each)),
    [good],
  )
  assert.equal(h.held.corrupt, 1)
  assert.equal(await listed(h.held), 1)
  assert.equal(h.held.usage.letters, 1)
  assert.equal(await h.db.get(key), undefined)
})

test('a torn index entry or tombstone is dropped and counted at opening', async () => {
  await using h = await opened()
  const preimage = rng.bytes(16)
  const id = await h.put(letter(preimage))
  await h.put(letter(rng.bytes(16)))
  await h.held.bury(id, preimage, NOW)
  const entries: [Uint8Array, Uint8Array][] = []
  for await (const [key, value] of h.db.iterate(bucketRange('heldByAddress')))
    entries.push([key.slice(), value.slice()])
  const tombstoneKey = bucketKey('tombstones', id)
  const tombstone = await h.db.get(tombstoneKey)
  assert.ok(tombstone && entries.length === 2)
  await h.db.batch([
    { type: 'put', key: tombstoneKey, value: tombstone.slice(0, 5) },
    ...entries.map(([key, value]) => ({ type: 'put', key, value: value.slice(0, -1) }) as const),
  ])
  await h.reopen()
  assert.equal(h.held.corrupt, 3)
  assert.equal(h.held.usage.letters, 0)
  assert.equal(await listed(h.held), 0)
})

test('MB-41 usage, cursors and order survive, under a new boot id', async () => {
  await using h = await opened()
  const first = await h.put(letter(rng.bytes(16)))
  const before = { boot: h.held.boot, bytes: h.held.usage.bytes, listing: await h.held.list(address, 0, 10, NOW) }
  await h.reopen()
  assert.notDeepEqual(h.held.boot, before.boot)
  assert.equal(h.held.usage.bytes, before.bytes)
  const second = await h.put(letter(rng.bytes(16)))
  const all = await h.held.list(address, 0, 10, NOW)
  assert.deepEqual(
    all.live.map(({ id }) => id),
    [first, second],
  )
  const fresh = await h.held.list(address, before.listing.cursor, 10, NOW)
  assert.deepEqual(
    fresh.live.map(({ id }) => id),
    [second],
  )
})

test('the same letter twice at once is stored once', async () => {
  await using h = await opened()
  const one = letter(rng.bytes(16))
  const id = letterId(crypto, one)
  const outcomes = await Promise.all([h.held.putLetter(id, one), h.held.putLetter(id, one)])
  assert.deepEqual(outcomes.toSorted(), ['known', 'stored'])
})

test('a letter and its tombstone at once end dead in either order', async () => {
  await using h = await opened()
  for (const first of ['put', 'bury'] as const) {
    const preimage = rng.bytes(16)
    const one = letter(preimage)
    const id = letterId(crypto, one)
    const put = () => h.held.putLetter(id, one)
    const bury = () => h.held.bury(id, preimage, NOW)
    await Promise.all(first === 'put' ? [put(), bury()] : [bury(), put()])
    assert.equal(await h.held.stateOf(id, one), 'gone')
  }
  assert.equal(await listed(h.held), 0)
})

test('I5 nothing is kept past expiry and a day', async () => {
  await using h = await opened()
  const preimage = rng.bytes(16)
  const id = await h.put(letter(preimage, 24))
  await h.put(letter(rng.bytes(16), 24))
  await h.held.bury(id, preimage, NOW)
  await h.held.bury(rng.bytes(32), rng.bytes(16), NOW)
  assert.deepEqual(await h.held.sweep(NOW + 24 * HOUR_MS), { letters: 1, tombstones: 0, cards: 0 })
  assert.deepEqual(await h.held.sweep(NOW + 48 * HOUR_MS), { letters: 0, tombstones: 1, cards: 0 })
  assert.deepEqual(await h.held.sweep(NOW + 32 * 24 * HOUR_MS), { letters: 0, tombstones: 1, cards: 0 })
  const left: unknown[] = []
  for await (const key of h.db.keys({})) left.push(key)
  assert.deepEqual(left, [])
})

test('a card goes with its expiry, the memory of its number half a year later', async () => {
  await using h = await opened()
  const card = await cardOf(1, { expiresAt: NOW_S + 86_400 })
  assert.equal(await h.held.cards.put({ kind: 1, body: card }, NOW), 'stored')
  assert.equal(await h.held.cards.put({ kind: 1, body: card }, NOW), 'known')
  const key = (await h.db.keys({ ...bucketRange('cards') }).next()).value?.slice(1)
  assert.ok(key)
  assert.ok(h.held.usage.bytes > 10_000)
  assert.equal((await h.held.sweep(NOW + 25 * HOUR_MS)).cards, 1)
  assert.equal(h.held.usage.bytes, 0)
  assert.equal((await h.held.cards.version(key))?.number, 1)
  await h.held.sweep(NOW + 181 * 24 * HOUR_MS)
  assert.equal(await h.held.cards.version(key), undefined)
})

test('burials come back from the sealed store', async () => {
  await using h = await opened()
  const vault = new Vault(rng.bytes(32), { crypto, rng })
  const burials = new Burials(h.db, vault)
  const burial = {
    id: rng.bytes(32),
    preimage: rng.bytes(16),
    address,
    until: NOW + 1,
    acked: ['peer-1', 'peer-2'],
    attempts: 2,
    nextAt: NOW,
  }
  await burials.save([burial])
  const [stored] = await burials.all()
  assert.deepEqual({ ...stored, version: undefined }, { ...burial, version: undefined })
  await burials.remove([burial.id])
  assert.equal((await burials.all()).length, 0)
})
