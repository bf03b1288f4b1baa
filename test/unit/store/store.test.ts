import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { toBase64url, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { LockedError, StorageError } from '../../../src/lib/errors.ts'
import { BUCKET, bucketRange } from '../../../src/store/buckets.ts'
import type { BucketName } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import type { StoreOp } from '../../../src/store/database.ts'
import { Repository } from '../../../src/store/repository.ts'
import { isDamage } from '../../../src/store/storage-error.ts'
import { openStore } from '../../../src/store/store.ts'
import { openVault, Vault } from '../../../src/store/vault.ts'
import { text } from '../../../src/wire/codec.ts'
import {
  bytes,
  collect,
  contact,
  everyByte,
  message,
  newHome,
  openDatabase,
  outboxItem,
  temporary,
  tools,
} from './fixtures.ts'
import type { Home } from './fixtures.ts'
import { oneTimeFixture } from './own-fixtures.ts'

const CANARY = 'canary-7f3a-never-in-the-clear'

/** Every way in which the bytes could be there. */
function spellings(secret: Uint8Array): Buffer[] {
  const hex = toHex(secret)
  const base64 = Buffer.from(secret).toString('base64').slice(0, -3)
  return [
    Buffer.from(secret),
    Buffer.from(hex),
    Buffer.from(hex.toUpperCase()),
    Buffer.from(base64),
    Buffer.from(toBase64url(secret).slice(0, -1)),
  ]
}

const TIME = Buffer.alloc(8)
TIME.writeBigUInt64BE(1_800_000_000_000n)

function assertAbsent(home: Home, hidden: readonly Uint8Array[]): void {
  const disk = everyByte(home.path)
  assert.ok(disk.length > 2_000)
  for (const secret of hidden) assert.equal(disk.includes(Buffer.from(secret)), false)
}

async function fill(home: Home, ids: readonly Uint8Array[], secrets: readonly Uint8Array[]): Promise<void> {
  const { store } = home
  const [alice, device, id, envelope] = ids as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  const [x25519, kemSeed, book] = secrets as [Uint8Array, Uint8Array, Uint8Array]
  const own = message(alice, 1, { id, text: CANARY })
  await store.batch([
    ...store.settings.put(CANARY, CANARY),
    ...store.contacts.put(contact(alice, { name: CANARY, note: CANARY })),
    ...(await store.messages.insert(own)),
    ...store.sessions.put(alice, device, book),
    ...store.sessions.seenInitials.put(envelope, 2_000_000_000_000),
    ...store.seen.put(envelope, 2_000_000_000_000),
    ...store.prekeys.signed.put({ version: 1, id: 7, secret: x25519, createdAt: 1, retiredAt: 0 }),
    ...store.prekeys.kem.put({ version: 1, id: 8, seed: kemSeed, createdAt: 1, retiredAt: 0 }),
    ...store.prekeys.oneTime.put(oneTimeFixture(9, { secret: x25519, kemSeed })),
    ...store.outbox.put(
      outboxItem(store.outbox.next(), { messageId: id, contact: alice, deviceId: device, content: utf8(CANARY) }),
    ),
    ...store.events.append([{ version: 1, at: 1_800_000_000_000, type: 'message:queued', data: CANARY }]).ops,
  ])
}

test('LS-01 LS-16 ID-16 SE-13 LS-17 no text, id, time or private key is in any byte on the disk', async (t) => {
  const home = await newHome(t)
  const ids = [bytes(32), bytes(16), bytes(16), bytes(32)]
  const secrets = [bytes(32), bytes(64), bytes(300)]
  await fill(home, ids, secrets)
  const needles = [CANARY, CANARY.slice(0, 12), 'Carol', 'message:queued', 'settings', 'correct horse'].map((each) =>
    utf8(each),
  )
  const hidden = [...needles, TIME.subarray(2), ...[...ids, ...secrets].flatMap(spellings)]
  assertAbsent(home, hidden)
  await home.database.compact({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })
  assertAbsent(home, hidden)
  assert.equal((await home.store.messages.get(ids[2] ?? bytes(16)))?.text, CANARY, 'though it is all there')
})

test('LS-01 the search finds what is there', async (t) => {
  const home = await newHome(t)
  await home.database.batch([{ type: 'put', key: Uint8Array.of(1), value: utf8(CANARY) }])
  assert.ok(everyByte(home.path).includes(CANARY))
})

test('a home opens again with its passphrase and holds what was put', async (t) => {
  const home = await newHome(t)
  const ids = [bytes(32), bytes(16), bytes(16), bytes(32)]
  const secrets = [bytes(32), bytes(64), bytes(300)]
  await fill(home, ids, secrets)
  await home.database.close()
  home.vault.lock()
  const database = await openDatabase(t, join(home.path, 'store'))
  const store = await openStore(database, await openVault(join(home.path, 'vault'), 'correct horse', tools))
  const [alice, device, id, envelope] = ids as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  assert.equal((await store.contacts.get(alice))?.name, CANARY)
  assert.deepEqual(await store.sessions.get(alice, device), secrets[2])
  assert.equal((await store.messages.get(id))?.text, CANARY)
  assert.deepEqual([await store.seen.has(envelope), await store.sessions.seenInitials.has(envelope)], [true, true])
  assert.deepEqual((await store.prekeys.kem.get(8))?.seed, secrets[1])
  assert.equal(store.events.last(), 1)
  assert.equal(store.outbox.next(), 2)
  assert.deepEqual(await store.settings.all(), new Map([[CANARY, CANARY]]))
})

test('LS-13 two homes know nothing of each other, and one vault does not open the other database', async (t) => {
  const [one, two] = [await newHome(t), await newHome(t)]
  const id = bytes(32)
  await one.store.batch(one.store.contacts.put(contact(id)))
  assert.equal(await two.store.contacts.get(id), undefined)
  await assert.rejects(openStore(one.database, two.vault), StorageError)
})

test('a locked vault stops every repository', async (t) => {
  const { store, vault } = await newHome(t)
  await store.batch(store.contacts.put(contact(bytes(32))))
  vault.lock()
  await assert.rejects(store.contacts.list(), LockedError)
  assert.throws(() => store.settings.put('a', 'b'), LockedError)
})

test('two sealed records that were swapped are both found out', async (t) => {
  const { store, database, vault } = await newHome(t)
  const [a, b] = [bytes(32), bytes(32)]
  await store.batch([...store.contacts.put(contact(a)), ...store.contacts.put(contact(b))])
  const [keyA, keyB] = [vault.key('contacts', { id: a }), vault.key('contacts', { id: b })]
  const [valueA, valueB] = (await database.getMany([keyA, keyB])) as [Uint8Array, Uint8Array]
  await database.batch([
    { type: 'put', key: keyA, value: valueB },
    { type: 'put', key: keyB, value: valueA },
  ])
  const again = await openStore(database, vault)
  for (const id of [a, b]) await assert.rejects(again.contacts.get(id), /"contacts" does not open/)
  await assert.rejects(again.contacts.list(), StorageError)
})

test('a walk passes over damaged records only for a caller that counts them', async (t) => {
  const { database, vault } = await newHome(t)
  const records = new Repository(database, vault, 'settings', text(5))
  const loose = new Repository(database, vault, 'settings', text(100))
  const names = [1, 2, 3].map((order) => ({ order }))
  const [one, two, three] = names as [{ order: number }, { order: number }, { order: number }]
  await database.batch([...records.put(one, 'one'), ...loose.put(two, 'too long'), ...records.put(three, 'three')])
  await assert.rejects(records.get(two), /"settings" does not decode/)
  await assert.rejects(records.list(), StorageError)
  const errors: StorageError[] = []
  const found = await records.list({ onCorrupt: (error) => errors.push(error) })
  assert.deepEqual(found, ['one', 'three'])
  assert.equal(errors.length, 1)
  assert.equal(await records.count(), 3)
})

/** The files of a database as the disk had them at this moment. */
function snapshot(from: string, to: string): string {
  cpSync(from, to, { recursive: true })
  return to
}

test('LS-08 a torn log leaves whole batches only; one that is damaged before its end is never opened as if nothing were missing', async (t) => {
  const home = temporary(t)
  const path = join(home, 'db')
  const database = await Database.open(path)
  const vault = new Vault(bytes(32), tools)
  const records = new Repository(database, vault, 'settings', text(200))
  const BATCHES = 12
  const RECORDS = 5
  const ends: number[] = []
  const log = (): string => join(path, readdirSync(path).find((name) => name.endsWith('.log')) ?? '')
  for (let batch = 0; batch < BATCHES; batch++) {
    const ops = Array.from({ length: RECORDS }, (_, i) =>
      records.put({ order: batch * RECORDS + i }, `batch ${batch} `.repeat(9)),
    )
    await database.batch(ops.flat())
    ends.push(readFileSync(log()).length)
  }
  const logName = log()
  const whole = readFileSync(logName)
  snapshot(path, join(home, 'copy'))
  const copyLog = logName.replace(path, join(home, 'copy'))
  const survivors = async (damaged: Buffer): Promise<number[]> => {
    writeFileSync(copyLog, damaged)
    const scratch = snapshot(join(home, 'copy'), join(home, `cut-${damaged.length}-${bytes(4).join('')}`))
    const copy = await Database.open(scratch)
    const counts = Array.from({ length: BATCHES }, () => 0)
    for await (const [key] of copy.iterate(bucketRange('settings'))) {
      const order = Number(new DataView(key.buffer, key.byteOffset, key.byteLength).getBigUint64(1))
      counts[Math.floor(order / RECORDS)] = (counts[Math.floor(order / RECORDS)] ?? 0) + 1
    }
    await copy.close()
    return counts
  }
  for (let step = 0; step < 25; step++) {
    const at = Math.floor(((step + 0.5) * whole.length) / 25)
    const before = ends.filter((end) => end <= at).length
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ 0x40
    if (at < (ends.at(-2) ?? 0)) await assert.rejects(survivors(flipped), isDamage, `byte ${at}`)
    for (const damaged of at < (ends.at(-2) ?? 0) ? [whole.subarray(0, at)] : [whole.subarray(0, at), flipped]) {
      const counts = await survivors(damaged)
      assert.ok(
        counts.every((count) => count === 0 || count === RECORDS),
        `a torn batch after damage at ${at}: ${counts.join()}`,
      )
      assert.ok(
        counts.slice(0, before).every((count) => count === RECORDS),
        `a synced batch before ${at} is gone: ${counts.join()}`,
      )
    }
  }
  await database.close()
})

test('LS-08 batches joined into one write are whole or absent as well', async (t) => {
  const home = temporary(t)
  const path = join(home, 'db')
  const database = await Database.open(path)
  const pair = (i: number): StoreOp[] =>
    ['settings', 'contacts'].map((bucket) => ({
      type: 'put',
      key: Uint8Array.of(BUCKET[bucket as BucketName], i),
      value: bytes(50),
    }))
  await Promise.all(Array.from({ length: 40 }, (_, i) => database.batch(pair(i))))
  await database.close()
  const log = readdirSync(path).find((name) => name.endsWith('.log')) ?? ''
  const size = readFileSync(join(path, log)).length
  for (const cut of [1, 9, 200, 2_000]) {
    const copy = snapshot(path, join(home, `cut-${cut}`))
    truncateSync(join(copy, log), Math.max(0, size - cut))
    const reopened = await Database.open(copy)
    const [settings, contacts] = await Promise.all(
      (['settings', 'contacts'] as const).map((bucket) => collect(reopened.keys(bucketRange(bucket)))),
    )
    assert.deepEqual(
      settings?.map((key) => key[1]),
      contacts?.map((key) => key[1]),
    )
    await reopened.close()
  }
})
