import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { u32be, utf8 } from '../../../src/lib/bytes.ts'
import { ConflictError, LimitError, StorageError } from '../../../src/lib/errors.ts'
import { BUCKET, bucketKey, bucketRange, successor } from '../../../src/store/buckets.ts'
import { Database } from '../../../src/store/database.ts'
import type { StoreOp, WalkRange } from '../../../src/store/database.ts'
import { storageError } from '../../../src/store/storage-error.ts'
import { bytes, collect, fillTheDisk, openDatabase, temporary } from './fixtures.ts'

const put = (name: string, value: string): StoreOp => ({ type: 'put', key: keyOf(name), value: utf8(value) })
const del = (name: string): StoreOp => ({ type: 'del', key: keyOf(name) })
const keyOf = (name: string): Uint8Array => bucketKey('settings', utf8(name))
const ALL = bucketRange('settings')

async function walk(database: Database, range: WalkRange = ALL): Promise<string[]> {
  const found: string[] = []
  for await (const [key, value] of database.iterate(range)) {
    found.push(`${Buffer.from(key.subarray(1)).toString()}=${Buffer.from(value).toString()}`)
  }
  return found
}

test('every bucket has its own number below 128, and its range ends where the next begins', () => {
  const numbers = Object.values(BUCKET)
  assert.equal(new Set(numbers).size, numbers.length)
  assert.ok(numbers.every((number) => number >= 0 && number < 128))
  assert.deepEqual(bucketRange('settings'), { gte: Uint8Array.of(1), lt: Uint8Array.of(2) })
  assert.deepEqual(successor(Uint8Array.of(1, 255, 255)), Uint8Array.of(2))
  assert.deepEqual(bucketKey('contacts', Uint8Array.of(7)), Uint8Array.of(4, 7))
})

test('a batch is read back after closing, as plain arrays', async (t) => {
  const path = join(temporary(t), 'db')
  const first = await Database.open(path)
  await first.batch([put('a', '1'), put('b', '2'), put('c', '3')])
  await first.batch([del('b'), put('c', '4')])
  await first.close()
  await assert.rejects(first.batch([put('d', '5')]), StorageError)
  const second = await openDatabase(t, path)
  assert.deepEqual(await walk(second), ['a=1', 'c=4'])
  assert.deepEqual(await second.getMany([keyOf('c'), keyOf('b'), keyOf('a')]), [utf8('4'), undefined, utf8('1')])
  const value = await second.get(keyOf('a'))
  assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype)
})

test('the directory is 0700, also where it was wider', async (t) => {
  const path = join(temporary(t), 'db')
  mkdirSync(path)
  chmodSync(path, 0o755)
  await openDatabase(t, path)
  assert.equal(statSync(path).mode & 0o777, 0o700)
})

test('reads see a batch from the call on, before it is on the disk', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'db'))
  await database.batch([put('a', 'disk'), put('c', 'disk'), put('e', 'disk')])
  const written = database.batch([put('b', 'new'), del('c'), put('e', 'new')])
  const again = database.batch([put('b', 'newer')])
  const [b, c, e, a] = await database.getMany(['b', 'c', 'e', 'a'].map(keyOf))
  assert.deepEqual([b, c, e, a], [utf8('newer'), undefined, utf8('new'), utf8('disk')])
  await Promise.all([written, again])
  assert.deepEqual(await walk(database), ['a=disk', 'b=newer', 'e=new'])
})

test('a walk merges what is pending with what is on the disk, in both directions and up to its limit', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'db'))
  await database.batch(['a', 'c', 'e', 'g'].map((name) => put(name, 'disk')))
  const merged = ['b=new', 'c=new', 'g=disk', 'h=new']
  for (const [range, expected] of [
    [{ ...ALL, gte: keyOf('b') }, merged],
    [{ ...ALL, gte: keyOf('b'), reverse: true }, merged.toReversed()],
    [{ ...ALL, limit: 3 }, ['a=disk', 'b=new', 'c=new']],
    [{ ...ALL, reverse: true, limit: 2 }, ['h=new', 'g=disk']],
    [{ gte: keyOf('b'), lt: keyOf('g') }, ['b=new', 'c=new']],
    [{ ...ALL, limit: 0 }, []],
  ] as const) {
    const pending = database.batch([put('b', 'new'), put('c', 'new'), del('e'), put('h', 'new')])
    assert.deepEqual(await walk(database, range), expected)
    await pending
    assert.deepEqual(await walk(database, range), expected)
    await database.batch([del('b'), put('c', 'disk'), put('e', 'disk'), del('h')])
  }
})

test('batches that wait together keep their order and each resolves once it is written', async (t) => {
  const path = join(temporary(t), 'db')
  const database = await Database.open(path)
  const order: number[] = []
  const batches = Array.from({ length: 200 }, (_, i) =>
    database.batch([put('last', `${i}`), put(`own ${i}`, 'x')], { sync: i % 3 !== 0 }).then(() => order.push(i)),
  )
  await Promise.all(batches)
  await database.close()
  assert.deepEqual(
    order,
    Array.from({ length: 200 }, (_, i) => i),
  )
  const again = await openDatabase(t, path)
  assert.deepEqual(await again.get(keyOf('last')), utf8('199'))
  assert.equal((await walk(again)).length, 201)
})

test('more batches than may wait are refused', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'db'))
  const results = await Promise.allSettled(
    Array.from({ length: 10_100 }, () => database.batch([put('a', 'x')], { sync: false })),
  )
  const refused = results.filter((result) => result.status === 'rejected')
  assert.ok(refused.length > 0 && refused.every(({ reason }) => reason instanceof LimitError))
})

test('clear empties a range and nothing else', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'db'))
  const many = Array.from({ length: 2_500 }, (_, i): StoreOp => ({
    type: 'put',
    key: bucketKey('seen', u32be(i)),
    value: bytes(4),
  }))
  await database.batch([...many, put('kept', 'yes')])
  await database.clear(bucketRange('seen'))
  await database.compact(bucketRange('seen'))
  assert.equal((await collect(database.keys(bucketRange('seen')))).length, 0)
  assert.deepEqual(await walk(database), ['kept=yes'])
})

test('a second opening of one path is a ConflictError, and the first goes on', async (t) => {
  const path = join(temporary(t), 'db')
  const database = await openDatabase(t, path)
  await assert.rejects(Database.open(path), (error: Error) => {
    assert.ok(error instanceof ConflictError)
    assert.match(error.message, /another daemon uses this home/)
    return true
  })
  await database.batch([put('a', '1')])
  assert.deepEqual(await walk(database), ['a=1'])
})

/** Permissions do not bind root: give them up for the length of an action. */
async function withoutPrivileges<T>(action: () => Promise<T>): Promise<T> {
  const privileged = process.geteuid?.() === 0
  if (privileged) process.seteuid?.(65_534)
  try {
    return await action()
  } finally {
    if (privileged) process.seteuid?.(0)
  }
}

test('a directory that cannot be written is a StorageError', async (t) => {
  const parent = temporary(t)
  chmodSync(parent, 0o555)
  await assert.rejects(
    withoutPrivileges(() => Database.open(join(parent, 'db'))),
    StorageError,
  )
  await assert.rejects(Database.open('/dev/null/db'), StorageError)
})

test('a damaged database is a StorageError', async (t) => {
  const path = join(temporary(t), 'db')
  const database = await Database.open(path)
  await database.batch([put('a', '1')])
  await database.close()
  for (const name of readdirSync(path)) if (name.startsWith('MANIFEST')) rmSync(join(path, name))
  await assert.rejects(Database.open(path), StorageError)
})

test('LS-08 TE-07 damage in any file of an account is a StorageError at the next opening, after which the files are as they were', async (t) => {
  const path = join(temporary(t), 'db')
  const database = await Database.open(path)
  for (let i = 0; i < 40; i++) await database.batch([put(`a${i}`, 'x'.repeat(300))])
  await database.compact({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })
  for (let i = 0; i < 40; i++) await database.batch([put(`b${i}`, 'x'.repeat(300))])
  await database.close()
  const files = readdirSync(path).filter((name) => /\.(ldb|log)$/.test(name))
  assert.deepEqual(files.map((name) => name.slice(-3)).toSorted(), ['ldb', 'log'])
  for (const name of files) {
    const whole = readFileSync(join(path, name))
    const hurt = Buffer.from(whole)
    const at = Math.floor(whole.length / 3)
    hurt[at] = (hurt[at] ?? 0) ^ 1
    writeFileSync(join(path, name), hurt)
    await assert.rejects(
      Database.open(path),
      (error: Error) => error instanceof StorageError && /damaged/.test(error.message),
    )
    assert.deepEqual(readFileSync(join(path, name)), hurt)
    writeFileSync(join(path, name), whole)
  }
  const healed = await Database.open(path)
  let count = 0
  for await (const _entry of healed.iterate({})) count++
  assert.equal(count, 80)
  await healed.close()
})

test('codes of the disk and of LevelDB have their errors', () => {
  const coded = (code: string, message = ''): Error => Object.assign(new Error(message), { code })
  assert.match(storageError(coded('ENOSPC')).message, /full/)
  assert.match(storageError(new Error('x', { cause: coded('LEVEL_CORRUPTION') })).message, /damaged/)
  assert.match(storageError(coded('LEVEL_IO_ERROR', 'IO error: x.log: No space left on device')).message, /full/)
  assert.ok(storageError(coded('LEVEL_LOCKED')) instanceof ConflictError)
  assert.ok(storageError('nonsense') instanceof StorageError)
})

test('a full disk is a StorageError for all that was asked, and heals when there is room', async (t) => {
  const path = join(temporary(t), 'db')
  const database = await openDatabase(t, path)
  await database.batch([put('a', '1')])
  const links = await fillTheDisk(database, path)
  let reopened = 0
  database.onReopened(async () => {
    reopened++
  })
  const before = database.generation
  const results = await Promise.allSettled([1, 2, 3].map((i) => database.batch([put('a', `lost ${i}`)])))
  for (const result of results) {
    assert.ok(result.status === 'rejected' && result.reason instanceof StorageError)
    assert.match(result.reason.message, /full/)
  }
  assert.equal(database.generation, before + 1)
  assert.deepEqual(await database.get(keyOf('a')), utf8('1'), 'reads see the disk again')
  for (const link of links) rmSync(link, { force: true })
  await assert.rejects(database.batch([put('b', 'stale')], { generation: before }), StorageError)
  await database.batch([put('b', '2')], { generation: database.generation })
  assert.equal(reopened, 1)
  assert.deepEqual(await walk(database), ['a=1', 'b=2'])
})

test('trackers follow a change; one that refuses undoes those before it and nothing is written', async (t) => {
  const database = await openDatabase(t, join(temporary(t), 'db'))
  const log: string[] = []
  const track = (name: string, refuses = false): NonNullable<StoreOp['track']> => ({
    accepted() {
      if (refuses) throw new ConflictError('no')
      log.push(`${name} accepted`)
    },
    committed: () => log.push(`${name} committed`),
    failed: () => log.push(`${name} failed`),
  })
  await database.batch([{ ...put('a', '1'), track: track('a') }])
  await assert.rejects(
    database.batch([
      { ...put('b', '1'), track: track('b') },
      { ...put('c', '1'), track: track('c', true) },
    ]),
    ConflictError,
  )
  assert.deepEqual(log, ['a accepted', 'a committed', 'b accepted', 'b failed'])
  assert.deepEqual(await walk(database), ['a=1'])
})
