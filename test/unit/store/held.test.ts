import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { StorageError } from '../../../src/lib/errors.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { equal, toHex } from '../../../src/lib/bytes.ts'
import { HOUR_MS } from '../../../src/lib/time.ts'
import { deadDigest } from '../../../src/protocol/mailbox-digest.ts'
import { commitmentOf, letterId, nameOfLetter } from '../../../src/protocol/mailbox-rules.ts'
import { bucketKey, bucketRange } from '../../../src/store/buckets.ts'
import { Burials } from '../../../src/store/burials.ts'
import { Database } from '../../../src/store/database.ts'
import { factsOf, HeldStore } from '../../../src/store/held.ts'
import type { HeldLimits } from '../../../src/store/held.ts'
import { Vault } from '../../../src/store/vault.ts'
import type { Letter, Tombstone } from '../../../src/wire/letter.ts'
import { cardOf, flipped, NOW_S } from '../protocol/card-fixtures.ts'

const NOW = NOW_S * 1_000
const rng = seededRng(3)
const address = rng.bytes(32)

async function opened(limits?: Partial<HeldLimits>) {
  const path = await mkdtemp(join(tmpdir(), 'sotto-store-'))
  let db = await Database.open(path)
  let held = await HeldStore.open(db, crypto, rng, { cursorMax: 2 ** 32 - 1, unseenMax: 8_192, ...limits })
  const put = async (letter: Letter): Promise<Uint8Array> => {
    const id = letterId(crypto, letter)
    held.usage.addLetter(factsOf(id, letter))
    assert.equal(await held.putLetter(id, depositOf(letter)), 'stored')
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
      held = await HeldStore.open(db, crypto, rng, { cursorMax: 2 ** 32 - 1, unseenMax: 8_192, ...limits })
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

const PROOF = { kind: 2, body: { reserved: 0 } } as const
const depositOf = (letter: Letter) => ({ letter, proof: PROOF, rung: 0 }) as const
const tombstoneOf = (letter: Letter, preimage: Uint8Array): Tombstone => ({
  ...nameOfLetter(crypto, letter),
  preimage,
  proof: PROOF,
})
const listed = async (held: HeldStore): Promise<number> => (await held.list(address, 0, 100, NOW)).live.length

test('a flipped letter is dropped and counted, and no longer listed', async () => {
  await using h = await opened()
  const ids = [await h.put(letter(rng.bytes(16))), await h.put(letter(rng.bytes(16)))]
  const [bad, good] = ids as [Uint8Array, Uint8Array]
  const key = bucketKey('held', bad)
  const value = await h.db.get(key)
  assert.ok(value)
  await h.db.batch([{ type: 'put', key, value: flipped(value, 900) }])
  const letters = await h.held.deposits(address, ids, NOW, 2 ** 20)
  assert.deepEqual(
    letters.map((each) => letterId(crypto, each.letter)),
    [good],
  )
  assert.equal(h.held.corrupt, 1)
  assert.equal(await listed(h.held), 1)
  assert.equal(h.held.usage.letters, 1)
  assert.equal(await h.db.get(key), undefined)
})

test('LS-08 TE-07 a store with damage on a full disk opens, and serves what is whole', async () => {
  await using h = await opened()
  const ids = [await h.put(letter(rng.bytes(16))), await h.put(letter(rng.bytes(16)))]
  const [bad, good] = ids as [Uint8Array, Uint8Array]
  for (const bucket of ['held', 'heldByExpiry'] as const) {
    for await (const [key, value] of h.db.iterate(bucketRange(bucket)))
      if (toHex(key).includes(toHex(bad)) && value.length > 0)
        await h.db.batch([{ type: 'put', key, value: flipped(value, value.length - 1) }])
  }
  const index = bucketRange('heldByAddress')
  for await (const [key, value] of h.db.iterate(index)) {
    await h.db.batch([{ type: 'put', key, value: flipped(value, value.length - 1) }])
    break
  }
  h.db.batch = async () => {
    throw new StorageError('the disk is full')
  }
  const again = await HeldStore.open(h.db, crypto, rng)
  assert.equal(again.usage.letters, 1)
  assert.equal((await again.deposits(address, [bad, good], NOW, 2 ** 20)).length, 1)
})

test('a letter that is found damaged by whoever does not know its mailbox is no longer listed after the next sweep', async () => {
  for (const find of ['deposit', 'stateOf', 'bury'] as const) {
    await using h = await opened()
    const preimage = rng.bytes(16)
    const one = letter(preimage)
    const id = await h.put(one)
    const key = bucketKey('held', id)
    await h.db.batch([{ type: 'put', key, value: flipped((await h.db.get(key)) ?? assert.fail(), 700) }])
    if (find === 'deposit') assert.equal(await h.held.deposit(id, NOW), undefined)
    if (find === 'stateOf') assert.equal(await h.held.stateOf(id), undefined)
    if (find === 'bury') assert.equal(await h.held.bury(id, tombstoneOf(one, preimage)), 'unseen')
    if (find === 'stateOf') await h.put(one)
    await h.held.sweep(NOW)
    const left = find === 'stateOf' ? 1 : 0
    assert.deepEqual([await listed(h.held), h.held.usage.letters], [left, left])
  }
})

test('a torn index entry or tombstone is dropped and counted at opening', async () => {
  await using h = await opened()
  const preimage = rng.bytes(16)
  const one = letter(preimage)
  const id = await h.put(one)
  await h.put(letter(rng.bytes(16)))
  await h.held.bury(id, tombstoneOf(one, preimage))
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
  const { dead } = await h.held.summary(address, 0)
  assert.deepEqual(dead, deadDigest(crypto, []), 'others may bring the tombstone again')
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

test('MB-14 cursors that run out begin anew under another boot id, and nothing is passed over', async () => {
  await using h = await opened({ cursorMax: 20 })
  const ids: Uint8Array[] = []
  const boots = new Set<string>()
  let cursor = { boot: h.held.boot, at: 0 }
  const seen = new Set<string>()
  for (let i = 0; i < 60; i++) {
    const preimage = rng.bytes(16)
    const one = letter(preimage)
    ids.push(await h.put(one))
    if (i >= 4) await h.held.evict(address, ids[i - 4] as Uint8Array)
    if (i % 3 > 0) continue
    const after = equal(cursor.boot, h.held.boot) ? cursor.at : 0
    let listing = await h.held.list(address, after, 100, NOW)
    if (after > 0 && !equal(listing.boot, cursor.boot)) listing = await h.held.list(address, 0, 100, NOW)
    assert.ok(listing.cursor <= 20, `cursor ${listing.cursor}`)
    for (const { id } of listing.live) seen.add(toHex(id))
    cursor = { boot: listing.boot, at: listing.cursor }
    boots.add(toHex(listing.boot))
  }
  assert.deepEqual(
    ids.slice(0, -2).filter((id) => !seen.has(toHex(id))),
    [],
  )
  assert.ok(boots.size > 3)
})

test('I4 AS-01 of letters that were never here a mailbox has so many tombstones, no lane more than its share of the second half', async () => {
  await using h = await opened({ unseenMax: 128 })
  const add = async (lane: number, of = address): Promise<string> => {
    const preimage = rng.bytes(16)
    const one = { ...letter(preimage), lane: new Uint8Array(16).fill(lane), address: of }
    return h.held.adoptTombstone(letterId(crypto, one), tombstoneOf(one, preimage))
  }
  const many = (count: number, lane: number) => Promise.all(Array.from({ length: count }, () => add(lane)))
  const fullOnes = (outcomes: readonly string[]) => outcomes.filter((outcome) => outcome !== 'buried')
  assert.deepEqual(fullOnes(await many(70, 1)), Array<string>(6).fill('full'))
  for (let lane = 2; lane < 18; lane++) assert.deepEqual(fullOnes(await many(5, lane)), ['full'])
  assert.equal(await add(99), 'full', 'all 128 are there')
  assert.equal(await add(1, rng.bytes(32)), 'buried')
  await h.reopen()
  assert.equal(await add(99), 'full')
  const preimage = rng.bytes(16)
  const seen = letter(preimage)
  const id = await h.put(seen)
  assert.equal(await h.held.bury(id, tombstoneOf(seen, preimage)), 'buried', 'what is here can always be deleted')
  await h.held.sweep(NOW + 73 * HOUR_MS)
  assert.equal(h.held.usage.mailDiskBytes, 0)
  assert.equal(await add(99), 'buried')
})

test('every mailbox is walked with its letters and its dead, and a mailbox is summed up', async () => {
  await using h = await opened()
  const preimage = rng.bytes(16)
  const [a, b] = [letter(preimage), { ...letter(rng.bytes(16)), address: rng.bytes(32) }]
  const id = await h.put(a)
  await h.put(letter(rng.bytes(16)))
  await h.put(b)
  const after = NOW / HOUR_MS
  const before = await h.held.summary(address, after)
  await h.held.bury(id, tombstoneOf(a, preimage))
  const walked = new Map<string, readonly [live: number, dead: number]>()
  for await (const box of h.held.mailboxes()) walked.set(toHex(box.address), [box.letters.length, box.dead])
  const expected = new Map([[toHex(address), [1, 1]] as const, [toHex(b.address), [1, 0]] as const])
  assert.deepEqual(walked, expected)
  const summary = await h.held.summary(address, after)
  assert.notDeepEqual(summary.dead, before.dead)
  assert.deepEqual(summary.dead, deadDigest(crypto, [id]))
  assert.deepEqual((await h.held.summary(address, a.expiry)).dead, before.dead)
  assert.deepEqual((await h.held.graves.get(id))?.tombstone, tombstoneOf(a, preimage))
})

test('the same letter twice at once is stored once', async () => {
  await using h = await opened()
  const one = letter(rng.bytes(16))
  const id = letterId(crypto, one)
  const outcomes = await Promise.all([h.held.putLetter(id, depositOf(one)), h.held.putLetter(id, depositOf(one))])
  assert.deepEqual(outcomes.toSorted(), ['known', 'stored'])
})

test('a letter and its tombstone at once end dead in either order', async () => {
  await using h = await opened()
  for (const first of ['put', 'bury'] as const) {
    const preimage = rng.bytes(16)
    const one = letter(preimage)
    const id = letterId(crypto, one)
    const put = () => h.held.putLetter(id, depositOf(one))
    const bury = () => h.held.adoptTombstone(id, tombstoneOf(one, preimage))
    await Promise.all(first === 'put' ? [put(), bury()] : [bury(), put()])
    assert.equal(await h.held.stateOf(id), 'gone')
  }
  assert.equal(await listed(h.held), 0)
})

test('I5 nothing is kept past expiry and a day', async () => {
  await using h = await opened()
  const preimage = rng.bytes(16)
  const one = letter(preimage, 24)
  const id = await h.put(one)
  await h.put(letter(rng.bytes(16), 24))
  await h.held.bury(id, tombstoneOf(one, preimage))
  const unseen = letter(preimage, 30 * 24)
  await h.held.adoptTombstone(letterId(crypto, unseen), tombstoneOf(unseen, preimage))
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
  assert.equal(h.held.usage.cards, 1)
  assert.equal((await h.held.sweep(NOW + 25 * HOUR_MS)).cards, 1)
  assert.deepEqual([h.held.usage.bytes, h.held.usage.cards], [0, 0])
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
    tombstone: tombstoneOf(letter(rng.bytes(16)), rng.bytes(16)),
    rungs: [1],
    until: NOW + 1,
    acked: ['peer-1', 'peer-2'],
    attempts: 2,
    nextAt: NOW,
  } as const
  await burials.save([burial])
  const [stored] = await burials.all()
  assert.deepEqual({ ...stored, version: undefined }, { ...burial, version: undefined })
  await burials.remove([burial.id])
  assert.equal((await burials.all()).length, 0)
})
