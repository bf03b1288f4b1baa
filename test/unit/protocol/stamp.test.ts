import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { leadingZeroBits, stampChallenge, stampEffort, stampPrice } from '../../../src/protocol/stamp.ts'
import { nameOfLetter, wellFormed } from '../../../src/protocol/mailbox-rules.ts'
import { LetterStamps, stampSolver } from '../../../src/services/stamps/solver.ts'
import {
  STAMP_CHECKS_PER_SECOND,
  STAMP_CHECKS_WAITING_MAX,
  StampVerifier,
} from '../../../src/services/stamps/verifier.ts'
import type { Letter } from '../../../src/wire/letter.ts'

const clock = new VirtualClock()
const rng = seededRng(5)
const never = new AbortController().signal

function letter(changes: Partial<Letter> = {}): Letter {
  return {
    version: 1,
    kind: 1,
    address: new Uint8Array(32).fill(1),
    lane: new Uint8Array(16).fill(2),
    expiry: Math.floor((clock.now() + 7 * DAY_MS) / HOUR_MS),
    sizeClass: 0,
    commitment: new Uint8Array(32).fill(3),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: rng.bytes(2_048),
    ...changes,
  }
}
const named = (of: Letter) => nameOfLetter(crypto, of)
const stamps = new LetterStamps(crypto, stampSolver(crypto, rng), clock)

test('leading zero bits are counted over byte borders', () => {
  assert.equal(leadingZeroBits(Uint8Array.of(0x80)), 0)
  assert.equal(leadingZeroBits(Uint8Array.of(0x01, 0xff)), 7)
  assert.equal(leadingZeroBits(Uint8Array.of(0x00, 0x10)), 11)
  assert.equal(leadingZeroBits(Uint8Array.of(0, 0)), 16)
})

test('the price rises by a bit with each doubling of size and time above 4 KiB for 7 days', () => {
  assert.equal(stampPrice(10, 2_048, 7 * DAY_MS), 10)
  assert.equal(stampPrice(10, 4_096, 7 * DAY_MS), 10)
  assert.equal(stampPrice(10, 4_096, 7 * DAY_MS + 1), 11)
  assert.equal(stampPrice(10, 8_192, 7 * DAY_MS), 11)
  assert.equal(stampPrice(10, 65_536, 28 * DAY_MS), 16)
  assert.equal(stampPrice(10, 65_536, -1), 10)
})

test('a solved stamp is good, and for nothing but its letter', async () => {
  const stamped = await stamps.stamp(letter(), 4, never)
  assert.equal(stamped.kind, 2)
  assert.equal(stamped.stamp.bits, 4)
  assert.ok(wellFormed(stamped))
  const effort = await stampEffort(crypto, stampChallenge(crypto, named(stamped)), stamped.stamp.nonce)
  assert.ok(effort >= 4)
  assert.deepEqual(
    await crypto.argon2id(stamped.stamp.nonce, stampChallenge(crypto, named(stamped)), {
      memoryKiB: 64,
      passes: 1,
      length: 32,
    }),
    await nobleProvider.argon2id(stamped.stamp.nonce, stampChallenge(crypto, named(stamped)), {
      memoryKiB: 64,
      passes: 1,
      length: 32,
    }),
  )
  const changes: Partial<Letter>[] = [
    { address: new Uint8Array(32).fill(9) },
    { expiry: stamped.expiry + 1 },
    { commitment: new Uint8Array(32).fill(9) },
    { ciphertext: rng.bytes(2_048) },
    { stamp: { ...stamped.stamp, bits: 5 } },
  ]
  const before = stampChallenge(crypto, named(stamped))
  for (const change of changes) assert.notDeepEqual(stampChallenge(crypto, named({ ...stamped, ...change })), before)
})

test('a stamp that claims more than it has is bad', async () => {
  const verifier = new StampVerifier(crypto, clock)
  const stamped = await stamps.stamp(letter(), 3, never)
  assert.equal(await verifier.verify(named(stamped)), 'good')
  assert.equal(await verifier.verify(named({ ...stamped, stamp: { ...stamped.stamp, bits: 30 } })), 'bad')
})

test('solving stops when it is called off', async () => {
  const controller = new AbortController()
  const solving = stamps.stamp(letter(), 40, controller.signal)
  controller.abort(new Error('called off'))
  await assert.rejects(solving, /called off/)
})

test('a holder looks at 50 stamps a second and lets 32 wait', async () => {
  const slow = { ...crypto, argon2id: async () => new Uint8Array(32) }
  const clock = new VirtualClock()
  const verifier = new StampVerifier(slow, clock)
  const claim = named(letter({ kind: 2, lane: new Uint8Array(16), stamp: { bits: 8, nonce: new Uint8Array(16) } }))
  const verdicts = await Promise.all(Array.from({ length: STAMP_CHECKS_WAITING_MAX + 5 }, () => verifier.verify(claim)))
  assert.equal(verdicts.filter((verdict) => verdict === 'busy').length, 5)
  for (let i = STAMP_CHECKS_WAITING_MAX; i < STAMP_CHECKS_PER_SECOND; i++)
    assert.equal(await verifier.verify(claim), 'good')
  assert.equal(await verifier.verify(claim), 'busy')
  await clock.advance(1_000)
  assert.equal(await verifier.verify(claim), 'good')
})
