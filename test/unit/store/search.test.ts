import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { CodecError } from '../../../src/lib/errors.ts'
import { bucketRange } from '../../../src/store/buckets.ts'
import type { Message } from '../../../src/store/records.ts'
import { SearchIndex } from '../../../src/store/search-index.ts'
import { matches, queryWords, wordsOf } from '../../../src/store/search-words.ts'
import { bytes, everyByte, message, newHome } from './fixtures.ts'
import type { Home } from './fixtures.ts'

const CANARY = 'pomegranate'

async function add(home: Home, ...messages: readonly Message[]): Promise<void> {
  const ops = await Promise.all(messages.map(async (each) => home.store.search.indexOps(undefined, each)))
  await home.store.batch(ops.flat())
}

async function found(home: Home, query: string, options: { contact?: Uint8Array } = {}): Promise<readonly string[]> {
  const all: string[] = []
  let before: string | undefined
  do {
    const page = await home.store.search.find(query, {
      ...options,
      ...(before === undefined ? {} : { before }),
      limit: 3,
    })
    all.push(...page.ids.map(toHex))
    before = page.next ?? undefined
  } while (before !== undefined)
  return all
}

const ids = (messages: readonly Message[]): readonly string[] => messages.map(({ id }) => toHex(id))

/** As many messages as make several segments, which are then joined. */
async function fill(home: Home, contact: Uint8Array, count: number, from = 1_000): Promise<void> {
  for (let at = 0; at < count; at += 256) {
    const some = Array.from({ length: Math.min(256, count - at) }, (_, i) =>
      message(contact, from + at + i, { text: 'filler' }),
    )
    await add(home, ...some)
    await home.store.search.idle()
  }
}

test('LS-02 words are folded: no case, no accents, compatibility forms', () => {
  assert.deepEqual(wordsOf('Žluťoučký KŮŇ, straße ﬁne ①!'), ['zlutoucky', 'kun', 'strasse', 'fine', '1'])
  assert.deepEqual(wordsOf('ΟΔΟΣ İstanbul Łódź'), ['οδοσ', 'istanbul', 'lodz'])
  assert.deepEqual(wordsOf('مُحَمَّد שָׁלוֹם'), ['محمد', 'שלום'])
  assert.deepEqual(wordsOf('word WORD Word'), ['word'])
})

test('LS-02 scripts without spaces give pairs of characters, emoji are words without tone and joiner', () => {
  assert.deepEqual(wordsOf('東京タワー'), ['東京', '京タ', 'タワ', 'ワー', 'ー'])
  assert.deepEqual(queryWords('東京タワー'), ['東京', '京タ', 'タワ', 'ワー'])
  assert.deepEqual(queryWords('東'), ['東'])
  assert.equal(matches('東京', '東'), true)
  assert.deepEqual(queryWords('ครับ'), ['คร', 'รั', 'ับ'])
  assert.deepEqual(wordsOf('👩🏽‍💻 👍🏽 🇩🇪'), ['👩', '💻', '👍', '🇩🇪'])
  assert.deepEqual(wordsOf('안녕하세요 세계'), ['안녕하세요', '세계'])
  assert.deepEqual(wordsOf('नमस्ते दुनिया'), ['नमस्ते', 'दुनिया'])
})

test('LS-02 a query’s words are beginnings from two characters on; a single letter asks for itself', () => {
  assert.equal(matches('hello', 'he'), true)
  assert.equal(matches('hello', 'h'), false)
  assert.equal(matches('h', 'h'), true)
  assert.deepEqual(queryWords('hell hello HE!'), ['hello'])
  assert.deepEqual(queryWords('… !'), [])
  assert.equal(queryWords(Array.from({ length: 99 }, (_, i) => `w${i + 100}`).join(' ')).length, 16)
  assert.equal(wordsOf('x'.repeat(10_000))[0]?.length, 32)
})

test('LS-02 LS-09 messages that have every word are found, newest first, of one contact or of all', async (t) => {
  const home = await newHome(t)
  const [alice, bob] = [bytes(32), bytes(32)]
  const messages = [
    message(alice, 1, { text: 'The red apple' }),
    message(bob, 2, { text: 'A red bicycle' }),
    message(alice, 3, { text: 'apples are RED' }),
    message(alice, 4, { text: 'green pear' }),
  ]
  await add(home, ...messages)
  const [first, second, third] = messages as [Message, Message, Message]
  for (const stage of ['newest', 'segment']) {
    if (stage === 'segment') await fill(home, bob, 1_024)
    assert.deepEqual(await found(home, 'red'), ids([third, second, first]), stage)
    assert.deepEqual(await found(home, 'app RED'), ids([third, first]), stage)
    assert.deepEqual(await found(home, 'red', { contact: bob }), ids([second]), stage)
    assert.deepEqual(await found(home, 'red', { contact: bytes(32) }), [], stage)
    assert.deepEqual(await found(home, 'red pear'), [], stage)
    assert.deepEqual(await found(home, '!'), [], stage)
  }
  await assert.rejects(home.store.search.find('red', { limit: 1, before: 'no cursor' }), CodecError)
})

test('LS-02 an edited text is found by its new words alone, a deleted one not at all', async (t) => {
  const home = await newHome(t)
  const alice = bytes(32)
  const [first, second] = [message(alice, 1, { text: `old ${CANARY}` }), message(alice, 2, { text: `also ${CANARY}` })]
  await add(home, first, second)
  await fill(home, alice, 1_100)
  const edited = { ...first, text: 'new words' }
  await home.store.batch(await home.store.search.indexOps(first, edited))
  assert.deepEqual(await found(home, CANARY), ids([second]))
  assert.deepEqual(await found(home, 'new'), ids([edited]))
  await home.store.batch(await home.store.search.indexOps(second, undefined))
  await home.store.batch(await home.store.search.indexOps(edited, { ...edited, text: '' }))
  assert.deepEqual(await found(home, CANARY), [])
  assert.deepEqual(await found(home, 'new'), [])
  assert.deepEqual(await home.store.search.indexOps(edited, { ...edited }), [])
})

test('LS-02 upkeep takes the words of deleted texts out of the segments', async (t) => {
  const home = await newHome(t)
  const alice = bytes(32)
  const secret = message(alice, 1, { text: CANARY })
  await add(home, secret)
  await fill(home, alice, 1_100)
  const before = await sizes(home)
  await home.store.batch(await home.store.search.indexOps(secret, undefined))
  await home.store.search.tend()
  assert.ok((await sizes(home)) < before)
  const gone: Uint8Array[] = []
  for await (const key of home.database.keys(bucketRange('searchGone'))) gone.push(key)
  assert.deepEqual(gone, [])
  assert.equal((await found(home, 'filler')).length, 1_100)
})

async function sizes(home: Home): Promise<number> {
  let size = 0
  for await (const [, value] of home.database.iterate(bucketRange('searchWords'))) size += value.length
  return size
}

test('LS-01 LS-17 no word, id or time of the index is on the disk in the clear', async (t) => {
  const home = await newHome(t)
  const alice = bytes(32)
  const secret = message(alice, 1, { text: `${CANARY} zlutoucky` })
  await add(home, secret)
  await fill(home, alice, 2_100)
  await home.database.compact({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })
  const disk = everyByte(home.path)
  assert.ok(disk.length > 20_000)
  for (const hidden of [utf8(CANARY), utf8(CANARY.slice(0, 4)), utf8('filler'), utf8('zlutoucky'), secret.id, alice]) {
    assert.equal(disk.includes(Buffer.from(hidden)), false)
  }
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(secret.committedAt))
  assert.equal(disk.includes(time), false)
})

test('LS-02 segments are joined, so that there are few of them however many messages', async (t) => {
  const home = await newHome(t)
  const alice = bytes(32)
  await fill(home, alice, 9 * 1_024)
  let segments = 0
  const columns = home.vault.key('searchSegments', { id: utf8('columns') })
  for await (const key of home.database.keys(bucketRange('searchSegments', columns.subarray(1))))
    segments += key.length > 0 ? 1 : 0
  assert.equal(segments, 2)
  assert.equal((await home.store.search.find('filler', { limit: 200 })).ids.length, 200)
})

test('LS-02 what a second opening finds is what the first did', async (t) => {
  const home = await newHome(t)
  const alice = bytes(32)
  const messages = [message(alice, 1, { text: 'one two' }), message(alice, 5_000, { text: 'two three' })]
  await add(home, messages[0] as Message)
  await fill(home, alice, 1_030)
  await add(home, messages[1] as Message)
  const again = await SearchIndex.open(home.database, home.vault)
  assert.deepEqual((await again.find('two', { limit: 9 })).ids.map(toHex), ids(messages).toReversed())
  await home.store.batch(await again.indexOps(undefined, message(alice, 6_000, { text: 'two' })))
  assert.equal((await again.find('two', { limit: 9 })).ids.length, 3)
})
