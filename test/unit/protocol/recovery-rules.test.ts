import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { accountSeeds, newPhrase } from '../../../src/crypto/mnemonic.ts'
import { equal, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { LimitError } from '../../../src/lib/errors.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import {
  cardExpiryAllowed,
  cardExpiryMs,
  cardHolds,
  cardKey,
  cardVersion,
  compareVersions,
} from '../../../src/protocol/mailbox-rules.ts'
import {
  openRecovery,
  packEntries,
  RECOVERY_LIFE_HOURS,
  recoveryAddressOf,
  recoverySecret,
  sealRecovery,
} from '../../../src/protocol/recovery-rules.ts'
import { encode } from '../../../src/wire/codec.ts'
import { CARD_KIND, cardRecordCodec } from '../../../src/wire/holder.ts'
import { SIZE_CLASSES_BYTES } from '../../../src/wire/padding.ts'
import {
  RECOVERY_CHUNK_BYTES_MAX,
  RECOVERY_LABEL,
  recoveryBodyCodec,
  recoveryChunkCodec,
} from '../../../src/wire/recovery.ts'
import type { RecoveryChunk, RecoveryRecord } from '../../../src/wire/recovery.ts'

const NOW = 1_800_000_000_000
const EXPIRY = NOW / HOUR_MS + RECOVERY_LIFE_HOURS
const tools = { crypto, rng: seededRng(5) }
const secret = tools.rng.bytes(32)

function chunk(changes: Partial<RecoveryChunk> = {}): RecoveryChunk {
  return {
    version: 1,
    number: 7,
    index: 0,
    count: 3,
    deviceId: new Uint8Array(16).fill(9),
    cardNumber: 12,
    entries: [{ type: 1, body: new Uint8Array(100).fill(3) }],
    ...changes,
  }
}
const seal = async (changes: Partial<RecoveryChunk> = {}, expiry = Math.floor(EXPIRY)): Promise<RecoveryRecord> =>
  sealRecovery(tools, secret, chunk(changes), expiry)
const holds = (body: RecoveryRecord, now = NOW): boolean => cardHolds(crypto, { kind: CARD_KIND.recovery, body }, now)

test('ID-21 SY-10 the words lead to the secret, on both backends alike; the secret is none of the account key', async () => {
  const phrase = newPhrase(tools.rng)
  const seeds = await accountSeeds(crypto, phrase)
  const derived = recoverySecret(crypto, seeds)
  assert.deepEqual(derived, recoverySecret(crypto, await accountSeeds(crypto, phrase.toUpperCase())))
  assert.deepEqual(derived, recoverySecret(nobleProvider, seeds))
  assert.ok(![seeds.ed25519, seeds.mldsa65].some((seed) => equal(seed, derived)))
  assert.notDeepEqual(derived, recoverySecret(crypto, await accountSeeds(crypto, newPhrase(tools.rng))))
})

test('a chunk comes back as it was, under its own secret and index and no other', async () => {
  const record = await seal()
  assert.deepEqual(openRecovery(crypto, secret, 0, record), chunk())
  assert.deepEqual(openRecovery(nobleProvider, secret, 0, record), chunk())
  assert.equal(openRecovery(crypto, secret, 1, record), undefined, 'another place')
  assert.equal(openRecovery(crypto, tools.rng.bytes(32), 0, record), undefined, 'another account')
})

test('MB-27 holders see nothing that ties chunks to one another: addresses, keys and numbers differ', async () => {
  const records = await Promise.all([0, 1, 2].map(async (index) => seal({ index })))
  const seen = (pick: (record: RecoveryRecord) => unknown): number => new Set(records.map(pick)).size
  assert.equal(
    seen(({ body }) => toHex(body.writer)),
    3,
  )
  assert.equal(
    seen(({ body }) => body.number),
    3,
  )
  for (const [index, body] of records.entries()) {
    const key = cardKey(crypto, { kind: CARD_KIND.recovery, body })
    assert.deepEqual(key, recoveryAddressOf(crypto, secret, index))
    assert.ok(!equal(key, body.body.writer.slice(0, 32)))
  }
})

test('what is in a record is padded to one of five sizes', async () => {
  for (const length of [0, 1_900, 2_100, 9_000, 30_000]) {
    const { body } = await seal({ entries: [{ type: 1, body: new Uint8Array(length) }] })
    assert.ok(
      SIZE_CLASSES_BYTES.some((size) => size + 16 === body.sealed.length),
      `${length} bytes`,
    )
  }
})

test('ID-05 MB-43 a record holds as its writer signed it: no other number, age, size, content or writer', async () => {
  const record = await seal()
  assert.ok(holds(record))
  const { body, signature } = record
  const other = (await sealRecovery(tools, tools.rng.bytes(32), chunk(), Math.floor(EXPIRY))).body.writer
  const forged: RecoveryRecord[] = [
    { body: { ...body, number: body.number + 1 }, signature },
    { body: { ...body, expiry: body.expiry - 1 }, signature },
    { body: { ...body, writer: other }, signature },
    { body: { ...body, sealed: body.sealed.map((byte, i) => (i === 50 ? byte ^ 1 : byte)) }, signature },
    { body: { ...body, nonce: new Uint8Array(24) }, signature },
    { body: { ...body, sealed: body.sealed.slice(1) }, signature },
    { body, signature: signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) },
  ]
  for (const [i, each] of forged.entries()) assert.equal(holds(each), false, `forgery ${i}`)
})

test('a record of a made-up size is refused although its writer signed it', async () => {
  const seed = tools.rng.bytes(32)
  const { body } = await seal()
  const sign = async (sealed: Uint8Array): Promise<RecoveryRecord> => {
    const own = { ...body, writer: crypto.dsaPublicKey(44, seed), sealed }
    const signature = await crypto.dsaSign(44, seed, encode(recoveryBodyCodec, own), utf8(RECOVERY_LABEL))
    return { body: own, signature }
  }
  assert.equal(holds(await sign(body.sealed)), true)
  assert.equal(holds(await sign(body.sealed.slice(0, 100))), false)
})

test('MB-34 a record lives 90 days at most and not beyond its end', async () => {
  const record = await seal()
  const card = { kind: CARD_KIND.recovery, body: record } as const
  assert.equal(cardExpiryMs(card), Math.floor(EXPIRY) * HOUR_MS)
  assert.ok(cardExpiryAllowed(card, NOW))
  assert.equal(holds(record, NOW + 90 * DAY_MS + HOUR_MS), false)
  assert.equal(holds(await seal({}, Math.floor(EXPIRY) + 24)), false)
})

test('the later snapshot has the higher number, in every chunk', async () => {
  for (const index of [0, 2]) {
    const [before, after] = await Promise.all([seal({ index }), seal({ index, number: 8 })])
    const version = (body: RecoveryRecord) => cardVersion(crypto, { kind: CARD_KIND.recovery, body })
    assert.ok(compareVersions(version(before), version(after)) < 0)
  }
  await assert.rejects(seal({ number: 2 ** 31 }), LimitError)
})

test('chunks that contradict their place, or count too many, do not open', async () => {
  for (const changes of [{ index: 0, count: 0 }, { count: 65 }]) {
    assert.equal(openRecovery(crypto, secret, 0, await seal(changes)), undefined, JSON.stringify(changes))
  }
})

test('entries fill as few chunks as hold them, in their order, and none is larger than a record can be', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 32_768 }), { maxLength: 20 }), async (lengths) => {
      const entries = lengths.map((length, i) => ({ type: i, body: new Uint8Array(length) }))
      const chunks = packEntries(entries)
      assert.deepEqual(chunks.flat(), entries)
      for (const each of chunks) {
        assert.ok(encode(recoveryChunkCodec, chunk({ entries: each })).length < RECOVERY_CHUNK_BYTES_MAX)
      }
    }),
    { numRuns: 50 },
  )
  assert.equal(packEntries([]).length, 1, 'a head there is always')
  const many = Array.from({ length: 64 * 2 + 1 }, () => ({ type: 1, body: new Uint8Array(32_000) }))
  assert.throws(() => packEntries(many), LimitError)
})

test('the largest record fits a frame of the holder protocol with room', async () => {
  const body = await seal({ entries: [1, 2].map((type) => ({ type, body: new Uint8Array(32_000) })) })
  assert.ok(encode(cardRecordCodec, { kind: CARD_KIND.recovery, body }).length < 70_000)
})
