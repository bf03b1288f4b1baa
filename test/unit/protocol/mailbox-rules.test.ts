import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { nobleProvider } from '../../../src/crypto/noble.ts'
import { concat, equal, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { accountId } from '../../../src/protocol/account-id.ts'
import {
  accountCardKey,
  cardExpiryAllowed,
  cardHolds,
  cardKey,
  commitmentOf,
  compareVersions,
  epochKey,
  epochOf,
  epochsToPublish,
  epochsToRead,
  expiryAllowed,
  expiryHour,
  joinStates,
  laneOf,
  laneProof,
  laneProofHolds,
  laneSet,
  LETTER_LIFE_MAX_MS,
  letterId,
  letterLifeMs,
  opens,
  overlapMs,
  policyAddress,
  policyExpiryHour,
  policySignatureHolds,
  prekeyCardKey,
  signPolicy,
  wellFormed,
  idOfName,
  nameOfLetter,
  policyTakesPuts,
} from '../../../src/protocol/mailbox-rules.ts'
import type { LetterState } from '../../../src/protocol/mailbox-rules.ts'
import { encode } from '../../../src/wire/codec.ts'
import { letterCodec, policyCodec } from '../../../src/wire/letter.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { cardOf, flipped, idOf, NOW_S, prekeysOf } from './card-fixtures.ts'

const WEEK = { epochMs: 7 * DAY_MS }
const HEADER_BYTES = 104
const rng = seededRng(11)
const NOW = 1_800_000_000_000

function letter(changes: Partial<Letter> = {}): Letter {
  return {
    version: 1,
    kind: 1,
    address: new Uint8Array(32).fill(1),
    lane: new Uint8Array(16).fill(2),
    expiry: expiryHour(NOW, 7 * DAY_MS),
    sizeClass: 0,
    commitment: new Uint8Array(32).fill(3),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: new Uint8Array(2_048).fill(4),
    ...changes,
  }
}

async function policyOf(seed: Uint8Array, epoch: number, lanes: readonly Uint8Array[], number = 1) {
  return signPolicy(crypto, {
    key: epochKey(crypto, seed, epoch),
    number,
    expiry: policyExpiryHour(epoch, WEEK),
    stampBits: 10,
    lanes,
    filler: rng.bytes(16 * (256 - lanes.length)),
  })
}

test('a letter is named by its header and the SHA-256 of its ciphertext, whichever of the two changes', () => {
  const encoded = encode(letterCodec, letter())
  const header = encoded.slice(0, HEADER_BYTES)
  const digest = nobleProvider.sha256(new Uint8Array(2_048).fill(4))
  assert.deepEqual(letterId(crypto, letter()), nobleProvider.sha256(utf8('sotto letter v1'), header, digest))
  assert.deepEqual(letterId(crypto, letter()), idOfName(crypto, nameOfLetter(crypto, letter())))
  const others = [
    letter({ expiry: 1 }),
    letter({ lane: new Uint8Array(16) }),
    letter({ ciphertext: new Uint8Array(2_048) }),
  ]
  for (const other of others) assert.notDeepEqual(letterId(crypto, other), letterId(crypto, letter()))
})

test('MB-10 MB-24 only the exact size classes are well formed', () => {
  assert.ok(wellFormed(letter()))
  assert.ok(!wellFormed(letter({ sizeClass: 1 })))
  assert.ok(!wellFormed(letter({ ciphertext: new Uint8Array(2_047) })))
})

test('fields that a kind does not use are zero', () => {
  assert.ok(!wellFormed(letter({ stamp: { bits: 1, nonce: new Uint8Array(16) } })))
  assert.ok(!wellFormed(letter({ stamp: { bits: 0, nonce: new Uint8Array(16).fill(1) } })))
  assert.ok(!wellFormed(letter({ kind: 2 })))
  assert.ok(wellFormed(letter({ kind: 2, lane: new Uint8Array(16), stamp: { bits: 3, nonce: new Uint8Array(16) } })))
})

test('MB-06 only the preimage opens a commitment', () => {
  const x = rng.bytes(16)
  const commitment = commitmentOf(crypto, x)
  assert.deepEqual(commitment, crypto.sha256(concat(utf8('x'), x)))
  assert.ok(opens(crypto, commitment, x))
  assert.ok(!opens(crypto, commitment, flipped(x)))
})

test('states of a letter form a join-semilattice', () => {
  const state = fc.constantFrom<LetterState>('none', 'live', 'dead')
  fc.assert(
    fc.property(state, state, state, (a, b, c) => {
      assert.equal(joinStates(a, b), joinStates(b, a))
      assert.equal(joinStates(joinStates(a, b), c), joinStates(a, joinStates(b, c)))
      assert.equal(joinStates(a, a), a)
      assert.equal(joinStates('none', a), a)
      assert.equal(joinStates('dead', a), 'dead')
    }),
  )
})

test('MB-11 MB-25 expiries are hours, ahead, and at most 30 days and 10 minutes away', () => {
  const hour = expiryHour(NOW, 60 * DAY_MS)
  assert.equal(hour, Math.floor((NOW + LETTER_LIFE_MAX_MS) / HOUR_MS))
  assert.ok(expiryAllowed(hour, NOW, LETTER_LIFE_MAX_MS))
  const edge = (LETTER_LIFE_MAX_MS + 10 * 60_000) % HOUR_MS
  const aligned = Math.ceil(NOW / HOUR_MS) * HOUR_MS - edge
  const last = (aligned + LETTER_LIFE_MAX_MS + 10 * 60_000) / HOUR_MS
  assert.ok(expiryAllowed(last, aligned, LETTER_LIFE_MAX_MS))
  assert.ok(!expiryAllowed(last, aligned - 1, LETTER_LIFE_MAX_MS))
  assert.ok(!expiryAllowed(Math.floor(NOW / HOUR_MS), NOW, LETTER_LIFE_MAX_MS))
  assert.ok(expiryAllowed(Math.floor(NOW / HOUR_MS) + 1, NOW, LETTER_LIFE_MAX_MS))
})

test('ID-01 keys of cards follow from their content', async () => {
  const card = await cardOf(1)
  const id = idOf(1)
  assert.deepEqual(cardKey(crypto, { kind: 1, body: card }), accountCardKey(crypto, id))
  assert.deepEqual(
    accountCardKey(crypto, id),
    crypto.sha256(concat(utf8('sotto card'), accountId(crypto, card.body.account))),
  )
  const prekeys = await prekeysOf(1, 50)
  assert.deepEqual(cardKey(crypto, { kind: 2, body: prekeys }), prekeyCardKey(crypto, id, new Uint8Array(16).fill(50)))
  const policy = await policyOf(new Uint8Array(32), 3, [])
  assert.deepEqual(cardKey(crypto, { kind: 3, body: policy }), epochKey(crypto, new Uint8Array(32), 3).address)
})

test('ID-05 a card holds only with its own signatures and in force', async () => {
  const now = NOW_S * 1_000
  const card = await cardOf(1)
  assert.ok(cardHolds(crypto, { kind: 1, body: card }, now))
  assert.ok(!cardHolds(crypto, { kind: 1, body: { ...card, body: { ...card.body, number: 2 } } }, now))
  assert.ok(!cardHolds(crypto, { kind: 1, body: card }, now + 91 * DAY_MS))
  const prekeys = await prekeysOf(1, 50)
  assert.ok(cardHolds(crypto, { kind: 2, body: prekeys }, now))
  assert.ok(!cardHolds(crypto, { kind: 2, body: { ...prekeys, body: { ...prekeys.body, stampBits: 1 } } }, now))
})

test('MB-43 versions are ordered by number, then by hash', () => {
  const low = new Uint8Array(32)
  const high = new Uint8Array(32).fill(1)
  assert.ok(compareVersions({ number: 2, hash: low }, { number: 1, hash: high }) > 0)
  assert.ok(compareVersions({ number: 1, hash: high }, { number: 1, hash: low }) > 0)
  assert.equal(compareVersions({ number: 1, hash: low }, { number: 1, hash: low }), 0)
})

test('a mailbox has an address of its own in every epoch, named by its key', () => {
  const seed = new Uint8Array(32).fill(7)
  const first = epochKey(crypto, seed, 2_976)
  assert.deepEqual(first.address, crypto.sha256(concat(utf8('sotto mailbox'), first.publicKey)))
  assert.deepEqual(epochKey(nobleProvider, seed, 2_976), first)
  assert.notDeepEqual(epochKey(crypto, seed, 2_977).address, first.address)
  assert.notDeepEqual(epochKey(crypto, new Uint8Array(32).fill(8), 2_976).address, first.address)
})

test('a reader looks into every epoch that a letter may still lie in, the running one first', () => {
  fc.assert(
    fc.property(fc.integer({ min: 40 * DAY_MS, max: 2 ** 42 }), fc.nat(LETTER_LIFE_MAX_MS - 1), (now, age) => {
      const read = epochsToRead(now, WEEK)
      assert.equal(read[0], epochOf(now, WEEK))
      assert.equal(new Set(read).size, read.length)
      assert.ok(read.length <= 7)
      const written = now - age
      for (const skew of [-overlapMs(WEEK), 0, overlapMs(WEEK)]) {
        assert.ok(
          read.includes(epochOf(written + skew, WEEK)) ||
            epochOf(written + skew, WEEK) > epochOf(now + overlapMs(WEEK), WEEK),
        )
      }
    }),
  )
})

test('letters live for 30 days, less where epochs are short', () => {
  assert.equal(letterLifeMs(WEEK), 30 * DAY_MS)
  assert.equal(letterLifeMs({ epochMs: HOUR_MS }), 5 * HOUR_MS)
  assert.equal(overlapMs(WEEK), DAY_MS)
  assert.ok(epochsToRead(NOW, { epochMs: HOUR_MS }).length <= 8)
})

test('policies are published for the last epoch, this one and five more', () => {
  const current = epochOf(NOW, WEEK)
  assert.deepEqual(
    epochsToPublish(NOW, WEEK),
    [-1, 0, 1, 2, 3, 4, 5].map((offset) => current + offset),
  )
})

test('MB-16 a policy is in force for as long as a letter may lie in its mailbox, and lets nobody write after the overlap', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 40 * DAY_MS, max: 2 ** 42 }),
      fc.constantFrom(7 * DAY_MS, 3_600_000),
      (now, epochMs) => {
        const profile = { epochMs }
        const epoch = epochOf(now, profile)
        const expiry = policyExpiryHour(epoch, profile)
        const last = (epoch + 1) * epochMs + overlapMs(profile)
        assert.ok(policyTakesPuts(expiry, now, profile) && policyTakesPuts(expiry, last, profile))
        assert.ok(!policyTakesPuts(expiry, last + 2 * HOUR_MS, profile))
        assert.ok(expiry >= expiryHour(last, letterLifeMs(profile)))
      },
    ),
  )
})

test('a policy has 256 lanes, always, in the order of their bytes', async () => {
  const seed = new Uint8Array(32).fill(9)
  const lanes = [1, 2, 3].map((n) => laneOf(crypto, new Uint8Array(32).fill(n), 5))
  const policy = await policyOf(seed, 5, lanes)
  assert.equal(policy.body.lanes.length, 256 * 16)
  assert.equal(encode(policyCodec, policy).length, encode(policyCodec, await policyOf(seed, 5, [])).length)
  const texts = [...laneSet(policy)]
  assert.equal(texts.length, 256)
  assert.deepEqual(texts, texts.toSorted())
  for (const lane of lanes) assert.ok(laneSet(policy).has(toHex(lane)))
  assert.deepEqual(policyAddress(crypto, policy), epochKey(crypto, seed, 5).address)
})

test('a policy holds by the mailbox key alone, and lives at most 75 days', async () => {
  const epoch = epochOf(NOW, WEEK)
  const policy = await policyOf(new Uint8Array(32).fill(9), epoch, [])
  assert.ok(policySignatureHolds(crypto, policy))
  assert.ok(policySignatureHolds(nobleProvider, policy))
  assert.ok(!policySignatureHolds(crypto, { ...policy, body: { ...policy.body, number: 2 } }))
  assert.ok(!policySignatureHolds(crypto, { ...policy, signature: flipped(policy.signature) }))
  const foreign = epochKey(crypto, new Uint8Array(32).fill(1), epoch).publicKey
  assert.ok(!policySignatureHolds(crypto, { ...policy, body: { ...policy.body, epochKey: foreign } }))
  const far = await policyOf(new Uint8Array(32).fill(9), epoch + 5, [])
  assert.ok(cardExpiryAllowed({ kind: 3, body: far }, NOW))
  const farther = await policyOf(new Uint8Array(32).fill(9), epoch + 10, [])
  assert.ok(!cardExpiryAllowed({ kind: 3, body: farther }, NOW))
})

test('a lane is shown by its key for one letter', () => {
  const seed = new Uint8Array(32).fill(5)
  const id = rng.bytes(32)
  const lane = laneOf(crypto, seed, 7)
  const proof = laneProof(crypto, seed, 7, id)
  assert.ok(laneProofHolds(crypto, lane, id, proof))
  assert.ok(!laneProofHolds(crypto, lane, flipped(id), proof))
  assert.ok(!laneProofHolds(crypto, laneOf(crypto, seed, 8), id, proof))
  assert.ok(!laneProofHolds(crypto, lane, id, laneProof(crypto, new Uint8Array(32).fill(6), 7, id)))
})

test('MB-12 two epochs of one mailbox share no byte more than chance', () => {
  const seed = rng.bytes(32)
  const addresses = Array.from({ length: 40 }, (_, epoch) => epochKey(crypto, seed, epoch).address)
  let same = 0
  for (let i = 1; i < addresses.length; i++) {
    const [a, b] = [addresses[i - 1], addresses[i]]
    assert.ok(a && b && !equal(a, b))
    for (let j = 0; j < 32; j++) if (a[j] === b[j]) same++
  }
  assert.ok(same < 25, `${same} equal bytes of ${39 * 32}, 4.9 expected`)
})
