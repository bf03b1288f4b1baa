/** The session as its callers see it: set-up, both directions, order, limits, states, and every refusal. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeProvider } from '../../../src/crypto/native.ts'
import type { CryptoProvider } from '../../../src/crypto/provider.ts'
import { equal, toHex, utf8 } from '../../../src/lib/bytes.ts'
import { IdentityChangedError, LimitError, UsageError, VerificationError } from '../../../src/lib/errors.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { initialPrekeyIds, openInitial } from '../../../src/protocol/pqxdh.ts'
import type { PrekeyBundle, PrekeySecrets } from '../../../src/protocol/pqxdh.ts'
import {
  accept,
  acceptOpened,
  acknowledgeChain,
  closeSession,
  decryptSession,
  describeSession,
  encryptSession,
  expireSession,
  hasExpired,
  initiate,
  isOutlived,
  matchesSession,
  resumeSession,
  secretsOf,
  suspendSession,
} from '../../../src/protocol/session.ts'
import { KEPT_MS_MAX } from '../../../src/protocol/session-limits.ts'
import { encode } from '../../../src/wire/codec.ts'
import { CONTENT_BYTES_MAX } from '../../../src/wire/content.ts'
import {
  HEADER_KINDS,
  INITIAL_PREFIX_BYTES,
  overheadBytes,
  PLAINTEXT_BYTES_MAX,
  SEALED_HEADER_BYTES,
  SENDER_CARD_BYTES,
} from '../../../src/wire/envelope.ts'
import { SIZE_CLASSES_BYTES } from '../../../src/wire/padding.ts'
import { prekeyCardCodec } from '../../../src/wire/prekeys.ts'
import type { PrekeyCard } from '../../../src/wire/prekeys.ts'
import {
  alice,
  bob,
  bytesOf,
  carol,
  contains,
  contextOf,
  established,
  flipped,
  introduced,
  NOW,
  reasonOf,
  reload,
  shuffled,
  Side,
  textOf,
  verifyBundle,
  verifyCard,
} from './session-fixtures.ts'
import type { TestDevice } from './session-fixtures.ts'

/** A provider that counts the Diffie-Hellman operations with a key. */
function countingDh(): { crypto: CryptoProvider; with: (key: Uint8Array) => number; all: () => number } {
  const seen: string[] = []
  const crypto: CryptoProvider = {
    ...nativeProvider,
    x25519(secret, key) {
      seen.push(toHex(key))
      return nativeProvider.x25519(secret, key)
    },
  }
  return { crypto, with: (key) => seen.filter((hex) => hex === toHex(key)).length, all: () => seen.length }
}

const start = (seed: number, bundle: PrekeyBundle = { card: bob.device.prekeyCard }): Side =>
  new Side(initiate(contextOf(seed), alice.device, bundle, verifyBundle).state, contextOf(seed))

test('E2-06 E2-07 a session is set up from a card alone, and says that the last-resort prekey served', () => {
  const a = start(1)
  const accepted = accept(contextOf(2), bob.device, bob.secrets, a.send('hello'), verifyCard)
  assert.equal(textOf(accepted.plaintext), 'hello')
  assert.equal(accepted.oneTimeId, undefined)
  assert.deepEqual([a.state.oneTime, accepted.state.oneTime], [false, false])
  assert.deepEqual(accepted.peer, alice.device.prekeyCard)
  assert.ok(equal(a.state.id, accepted.state.id))
})

test('E2-05 E2-07 a one-time pair is used, reported, and needed: the last-resort secrets do not open it', () => {
  const a = start(3, { card: bob.device.prekeyCard, oneTime: bob.oneTime })
  const envelope = a.send('once')
  const ids = initialPrekeyIds(nativeProvider, bob.device, envelope)
  assert.deepEqual([ids?.signedPrekeyId, ids?.kemPrekeyId, ids?.oneTimeId], [5, 6, 77])
  const accepted = accept(contextOf(4), bob.device, bob.secretsWithOneTime, envelope, verifyCard)
  assert.deepEqual([textOf(accepted.plaintext), accepted.oneTimeId, accepted.state.oneTime], ['once', 77, true])
  assert.equal(a.state.oneTime, true)
  assert.equal(
    reasonOf(() => accept(contextOf(4), bob.device, bob.secrets, envelope, verifyCard)),
    'stale',
  )
  const { signedPrekey, oneTime } = bob.secretsWithOneTime
  const without = accept(contextOf(4), bob.device, { signedPrekey, oneTime }, envelope, verifyCard)
  assert.equal(textOf(without.plaintext), 'once')
  const last = start(5).send('x')
  assert.equal(
    reasonOf(() => accept(contextOf(4), bob.device, bob.secretsWithOneTime, last, verifyCard)),
    'stale',
  )
  assert.equal(
    reasonOf(() => accept(contextOf(4), bob.device, { signedPrekey }, last, verifyCard)),
    'stale',
  )
})

test('E2-07 F10 two who begin with the same prekeys both have a session; a one-time pair serves the first of them', () => {
  const begin = (who: TestDevice, seed: number, oneTime?: typeof bob.oneTime): Side => {
    const ctx = contextOf(seed)
    return new Side(initiate(ctx, who.device, { card: bob.device.prekeyCard, oneTime }, verifyBundle).state, ctx)
  }
  const answer = (from: Side, secrets: PrekeySecrets, seed: number): void => {
    const ctx = contextOf(seed)
    const accepted = accept(ctx, bob.device, secrets, from.send('hello'), verifyCard)
    const side = new Side(accepted.state, ctx)
    assert.equal(from.receive(side.send('welcome')), 'welcome')
    assert.equal(side.receive(from.send('thanks')), 'thanks')
  }
  answer(begin(alice, 200), bob.secrets, 202)
  answer(begin(carol, 204), bob.secrets, 206)
  // A holder that hands one pair out twice:
  const late = begin(carol, 208, bob.oneTime)
  answer(begin(alice, 210, bob.oneTime), bob.secretsWithOneTime, 212)
  assert.equal(
    reasonOf(() => accept(contextOf(214), bob.device, bob.secrets, late.send('hello'), verifyCard)),
    'stale',
  )
  answer(begin(carol, 216), bob.secrets, 218)
})

test('E2-05 F30 garbage with a valid one-time id fails and reports no id to delete; the true message still opens', () => {
  const a = start(6, { card: bob.device.prekeyCard, oneTime: bob.oneTime })
  const good = a.send('good')
  for (const at of [200, 2_000, INITIAL_PREFIX_BYTES + 5, INITIAL_PREFIX_BYTES + 100, good.length - 1]) {
    const bad = flipped(good, at)
    assert.equal(initialPrekeyIds(nativeProvider, bob.device, bad)?.oneTimeId, 77)
    assert.ok(reasonOf(() => accept(contextOf(7), bob.device, bob.secretsWithOneTime, bad, verifyCard)))
  }
  assert.equal(accept(contextOf(7), bob.device, bob.secretsWithOneTime, good, verifyCard).oneTimeId, 77)
})

function withSignature(card: PrekeyCard, signature: PrekeyCard['signature']): PrekeyCard {
  return { ...card, signature }
}

test('E2-03 E2-23 F1 random, empty, stripped and foreign signatures are refused before any Diffie-Hellman', () => {
  const card = bob.device.prekeyCard
  const rng = seededRng(9)
  const bad = [
    withSignature(card, { ed25519: rng.bytes(64), mldsa65: rng.bytes(3_309) }),
    withSignature(card, { ed25519: new Uint8Array(), mldsa65: new Uint8Array() }),
    withSignature(card, { ed25519: card.signature.ed25519, mldsa65: new Uint8Array(3_309) }),
    withSignature(card, { ed25519: new Uint8Array(64), mldsa65: card.signature.mldsa65 }),
    withSignature(card, carol.device.prekeyCard.signature),
    { ...card, body: { ...card.body, signedPrekey: { id: 5, key: carol.device.prekeyCard.body.signedPrekey.key } } },
    { ...card, body: { ...card.body, kemPrekey: carol.device.prekeyCard.body.kemPrekey } },
  ]
  for (const forged of bad) {
    const counter = countingDh()
    const ctx = contextOf(10, { crypto: counter.crypto })
    assert.throws(() => initiate(ctx, alice.device, { card: forged }, verifyBundle), VerificationError)
    assert.equal(counter.all(), 0)
  }
})

test("E2-03 E2-23 F17 a sender's card that does not verify is refused before its identity key is used", () => {
  const mallory = {
    ...carol.device,
    prekeyCard: withSignature(carol.device.prekeyCard, alice.device.prekeyCard.signature),
  }
  const stolenName = {
    ...carol.device,
    prekeyCard: {
      ...carol.device.prekeyCard,
      body: { ...carol.device.prekeyCard.body, certificate: alice.device.prekeyCard.body.certificate },
    },
  }
  for (const liar of [mallory, stolenName]) {
    const { state } = initiate(contextOf(11), liar, { card: bob.device.prekeyCard }, verifyBundle)
    const envelope = encryptSession(contextOf(11), state, utf8('I am Alice')).envelope
    const counter = countingDh()
    const ctx = contextOf(12, { crypto: counter.crypto })
    assert.equal(
      reasonOf(() => accept(ctx, bob.device, bob.secrets, envelope, verifyCard)),
      'authentication',
    )
    assert.equal(counter.with(liar.prekeyCard.body.certificate.body.identityKey), 0)
  }
})

test("E2-34 F17 someone else's true card does not make their session: the identity secret is needed", () => {
  const liar = { ...carol.device, prekeyCard: alice.device.prekeyCard }
  const { state } = initiate(contextOf(13), liar, { card: bob.device.prekeyCard }, verifyBundle)
  const envelope = encryptSession(contextOf(13), state, utf8('I am Alice')).envelope
  assert.equal(
    reasonOf(() => accept(contextOf(14), bob.device, bob.secrets, envelope, verifyCard)),
    'no-session',
  )
})

test('E2-04 F12 nothing of the sender, the recipient or their cards is in an initial message in the clear', () => {
  const envelope = start(15, { card: bob.device.prekeyCard, oneTime: bob.oneTime }).send('canary canary canary')
  for (const card of [alice.device.prekeyCard, bob.device.prekeyCard]) {
    const { account, certificate, signedPrekey, kemPrekey } = card.body
    const { accountId, deviceId, identityKey, signingKey } = certificate.body
    const parts = [accountId, deviceId, identityKey, signingKey.ed25519, account.ed25519, signedPrekey.key]
    parts.push(account.mldsa65.subarray(0, 16), signingKey.mldsa65.subarray(0, 16), kemPrekey.key.subarray(0, 16))
    for (const part of parts) assert.ok(!contains(envelope, part))
  }
  for (const part of [bob.oneTime.key, bob.oneTime.kem.subarray(0, 16), utf8('canary')]) {
    assert.ok(!contains(envelope, part))
  }
  assert.equal(initialPrekeyIds(nativeProvider, carol.device, envelope), undefined)
})

test('E2-08 E2-09 the card cannot lack its KEM key, and sizes are those of FIPS 203', () => {
  const { body } = bob.device.prekeyCard
  assert.deepEqual([body.kemPrekey.key.length, bob.oneTime.kem.length], [1_568, 1_568])
  assert.throws(() =>
    encode(prekeyCardCodec, {
      ...bob.device.prekeyCard,
      body: { ...body, kemPrekey: { id: 1, key: new Uint8Array() } },
    }),
  )
  const broken = {
    ...bob.device.prekeyCard,
    body: { ...body, kemPrekey: { id: 1, key: new Uint8Array(1_568).fill(255) } },
  }
  assert.throws(() => initiate(contextOf(16), alice.device, { card: broken }, () => true), VerificationError)
  assert.deepEqual(
    HEADER_KINDS.map((kind) => SEALED_HEADER_BYTES[kind]),
    [20, 1_240, 1_144, 2_712],
  )
})

test('E2-09 E2-10 every turn has new keys; a KEM secret enters the root each round trip', () => {
  const { a, b } = established(17)
  const [keys, roots, encapsulated] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const crypto: CryptoProvider = {
    ...nativeProvider,
    kemEncapsulate(set, key) {
      encapsulated.add(toHex(key))
      return nativeProvider.kemEncapsulate(set, key)
    },
  }
  b.ctx = { ...b.ctx, crypto }
  for (let i = 0; i < 10; i++) {
    b.receive(a.send(`a${i}`))
    a.receive(b.send(`b${i}`))
    for (const { state } of [a, b]) {
      roots.add(toHex(state.keys?.root ?? new Uint8Array()))
      if (state.keys?.sending) keys.add(toHex(state.keys.sending.header.key))
    }
  }
  assert.equal(encapsulated.size, 10)
  assert.equal(keys.size, 10)
  assert.equal(roots.size, 10)
})

test('E2-14 both sides send 100 at once and nothing is lost', () => {
  const { a, b } = established(18)
  const fromA = Array.from({ length: 100 }, (_, i) => a.send(`a${i}`))
  const fromB = Array.from({ length: 100 }, (_, i) => b.send(`b${i}`))
  assert.deepEqual(
    fromB.map((envelope) => a.receive(envelope)),
    Array.from({ length: 100 }, (_, i) => `b${i}`),
  )
  assert.deepEqual(
    fromA.map((envelope) => b.receive(envelope)),
    Array.from({ length: 100 }, (_, i) => `a${i}`),
  )
  a.receive(b.send('and on'))
  b.receive(a.send('and on'))
})

test('E2-15 SE-03 E2-39 E2-44 the same packet twice is a duplicate: in the chain, in older chains, and after a restart', () => {
  const { a, b } = established(19)
  const packets: Uint8Array[] = []
  for (let i = 0; i < 4; i++) {
    packets.push(a.send(`a${i}`))
    b.receive(packets.at(-1) ?? new Uint8Array())
    a.receive(b.send(`b${i}`))
  }
  b.state = reload(b.state)
  const before = bytesOf(b.state)
  for (const packet of packets)
    assert.equal(
      reasonOf(() => b.receive(packet)),
      'duplicate',
    )
  assert.deepEqual(bytesOf(b.state), before)
})

test('E2-16 a state encodes and decodes to itself, and its description has counters and no keys', () => {
  const { a, b } = established(20)
  const late = [a.send('0'), a.send('1'), a.send('2')]
  b.receive(late[2] ?? new Uint8Array())
  for (const { state } of [a, b, introduced(21).a, introduced(22).b]) {
    assert.deepEqual(reload(state), state)
    assert.ok(!Object.values(describeSession(state)).some((value) => typeof value === 'object'))
  }
  const summary = describeSession(b.state)
  assert.deepEqual([summary.skippedKeys, summary.received, summary.sent, summary.turns], [2, 3, 1, 1])
})

test('E2-52 a state without skipped keys stays within 2 KiB, and shrinks once a chain is acknowledged', () => {
  const { a, b } = established(23)
  for (let i = 0; i < 8; i++) {
    a.receive(b.send('x'))
    b.receive(a.send('y'))
    assert.ok(bytesOf(a.state).length <= 2_048 && bytesOf(b.state).length <= 2_048)
  }
  const turn = a.state.keys?.sending?.turn ?? -1
  assert.ok(bytesOf(acknowledgeChain(a.state, turn)).length < 1_024)
})

test('E2-17 no 16-byte string occurs twice in the packets of two sessions', () => {
  const packets: Uint8Array[] = []
  for (const seed of [24, 26]) {
    const { a, b } = established(seed)
    for (let i = 0; i < 3; i++) {
      const [one, two] = [a.send('same words'), a.send('same words')]
      b.receive(one)
      b.receive(two)
      packets.push(one, two, b.send('same words'))
      a.receive(packets.at(-1) ?? new Uint8Array())
    }
  }
  const seen = new Set<string>()
  for (const packet of packets) {
    for (let at = 0; at + 16 <= packet.length; at += 1) {
      const piece = Buffer.from(packet.buffer, packet.byteOffset + at, 16).toString('latin1')
      assert.ok(!seen.has(piece))
      seen.add(piece)
    }
  }
})

/** Envelopes of all four header kinds, and one with the prefix, each with a receiver that would take it. */
function everyKind(): { name: string; envelope: Uint8Array; receiver: Side; start: number; header: number }[] {
  const first = introduced(30)
  const confirming = introduced(32)
  const later = established(34)
  const answered = established(36)
  const acked = established(38)
  const probe = acked.a.seal('probe')
  acked.b.open(probe.envelope)
  acked.a.state = acknowledgeChain(acked.a.state, probe.ref.chain)
  const turned = established(40)
  turned.a.receive(turned.b.send('your turn'))
  const kinds = [
    { name: 'initial', envelope: first.a.send('x'), receiver: first.b, start: INITIAL_PREFIX_BYTES, header: 1_240 },
    { name: 'confirming', envelope: confirming.b.send('x'), receiver: confirming.a, start: 0, header: 2_712 },
    { name: 'responder', envelope: later.b.send('x'), receiver: later.a, start: 0, header: 1_144 },
    { name: 'initiator', envelope: answered.a.send('x'), receiver: answered.b, start: 0, header: 1_240 },
    { name: 'initiator turn', envelope: turned.a.send('x'), receiver: turned.b, start: 0, header: 1_240 },
    { name: 'short', envelope: acked.a.send('x'), receiver: acked.b, start: 0, header: 20 },
  ]
  return kinds
}

test('E2-18 E2-19 E2-22 E2-27 F6 F8 a flip in any part of any packet is refused and the state stays', () => {
  for (const { name, envelope, receiver, start, header } of everyKind()) {
    const before = bytesOf(receiver.state)
    const body = start + 20 + header
    const places = [
      start,
      start + 11,
      start + 12,
      start + 19,
      start + 20,
      start + 23,
      start + 24,
      start + 20 + header - 1,
    ]
    places.push(body, body + 15, body + 16, body + 17, body + 18, envelope.length - 17, envelope.length - 16)
    places.push(envelope.length - 1, start + 20 + (header >> 1), (body + envelope.length) >> 1)
    if (start > 0) places.push(0, 31, 32, 60, 93, 94, 900, 1_661, 1_662, 9_000, start - 16, start - 1)
    for (const at of places) {
      for (const mask of [0x01, 0x80]) {
        const reason = reasonOf(() => decryptSession(receiver.ctx, receiver.state, flipped(envelope, at, mask)))
        assert.ok(reason === 'authentication' || reason === 'no-session', `${name} at ${at}: ${reason}`)
      }
    }
    assert.deepEqual(bytesOf(receiver.state), before)
    assert.equal(receiver.receive(envelope), 'x', name)
  }
})

test('E2-18 truncated, extended and foreign-size packets are refused', () => {
  for (const { envelope, receiver } of everyKind()) {
    const longer = new Uint8Array(envelope.length + 1)
    longer.set(envelope)
    const next = SIZE_CLASSES_BYTES.find((size) => size > envelope.length) ?? 0
    const padded = new Uint8Array(next)
    padded.set(envelope)
    const smaller = SIZE_CLASSES_BYTES.findLast((size) => size < envelope.length) ?? 0
    for (const bad of [new Uint8Array(), envelope.subarray(1), envelope.subarray(0, smaller), longer, padded]) {
      assert.ok(reasonOf(() => receiver.receive(bad)))
    }
    assert.equal(receiver.receive(envelope), 'x')
  }
})

test('E2-19 F4 F27 a packet cannot be moved to another session, direction, device or header', () => {
  const one = established(42)
  const two = established(44)
  const packet = one.a.send('for Bob')
  assert.equal(
    reasonOf(() => two.b.receive(packet)),
    'no-session',
  )
  assert.equal(
    reasonOf(() => one.a.receive(packet)),
    'no-session',
  )
  const other = new Side({ ...one.b.state, local: { ...one.b.state.local, deviceId: new Uint8Array(16) } }, one.b.ctx)
  assert.equal(
    reasonOf(() => other.receive(packet)),
    'authentication',
  )
  const swapped = new Side({ ...one.b.state, peer: one.b.state.local, local: one.b.state.peer }, one.b.ctx)
  assert.equal(
    reasonOf(() => swapped.receive(packet)),
    'authentication',
  )
  const second = one.a.send('second')
  const spliced = packet.slice()
  spliced.set(second.subarray(0, 20 + 1_240))
  assert.equal(
    reasonOf(() => one.b.receive(spliced)),
    'authentication',
  )
  assert.deepEqual([one.b.receive(second), one.b.receive(packet)], ['second', 'for Bob'])
})

test('E2-24 F9 1 to 500 shuffled all arrive; 1,000 skipped are the limit, and 1,001 changes nothing', () => {
  const { a, b } = established(46)
  const packets = Array.from({ length: 500 }, (_, i) => a.send(`${i}`))
  const read = shuffled(packets, 7).map((packet) => b.receive(packet))
  assert.deepEqual(
    read.map(Number).sort((x, y) => x - y),
    Array.from({ length: 500 }, (_, i) => i),
  )
  const far = Array.from({ length: 1_002 }, (_, i) => a.send(`far ${i}`))
  const before = bytesOf(b.state)
  assert.equal(
    reasonOf(() => b.receive(far[1_001] ?? new Uint8Array())),
    'gap',
  )
  assert.deepEqual(bytesOf(b.state), before)
  assert.equal(b.receive(far[1_000] ?? new Uint8Array()), 'far 1000')
  assert.equal(describeSession(b.state).skippedKeys, 1_000)
  assert.equal(b.receive(far[0] ?? new Uint8Array()), 'far 0')
})

test('E2-25 the limit is configurable: with 10, a gap of 10 is read and of 11 refused, before and after a turn', () => {
  const { a, b } = established(48)
  b.ctx = { ...b.ctx, limits: { skipMax: 10 } }
  const packets = Array.from({ length: 12 }, (_, i) => a.send(`${i}`))
  assert.equal(
    reasonOf(() => b.receive(packets[11] ?? new Uint8Array())),
    'gap',
  )
  assert.equal(b.receive(packets[10] ?? new Uint8Array()), '10')
  a.receive(b.send('turn'))
  const counter = countingDh()
  b.ctx = { ...b.ctx, crypto: counter.crypto }
  const [eleven] = Array.from({ length: 12 }, (_, i) => a.send(`new ${i}`)).slice(11)
  assert.equal(
    reasonOf(() => b.receive(eleven ?? new Uint8Array())),
    'gap',
  )
  assert.equal(counter.all(), 0)
})

test('E2-24 no more than 2,000 keys are kept over all chains, the oldest go first', () => {
  const { a, b } = established(50)
  const first: Uint8Array[] = []
  for (let chain = 0; chain < 3; chain++) {
    const packets = Array.from({ length: 801 }, (_, i) => a.send(`${chain}/${i}`))
    first.push(packets[0] ?? new Uint8Array(), packets[799] ?? new Uint8Array())
    b.receive(packets[800] ?? new Uint8Array())
    a.receive(b.send('turn'))
  }
  assert.equal(describeSession(b.state).skippedKeys, 2_000)
  assert.equal(
    reasonOf(() => b.receive(first[0] ?? new Uint8Array())),
    'duplicate',
  )
  assert.deepEqual(
    first.slice(1).map((packet) => b.receive(packet)),
    ['0/799', '1/0', '1/799', '2/0', '2/799'],
  )
})

test('E2-24 stored keys and old chains go after 30 days, chains when five newer ones have closed', () => {
  const { a, b } = established(52)
  const [late, lost] = [a.send('late'), a.send('lost')]
  b.receive(a.send('on time'))
  assert.equal(describeSession(b.state).skippedKeys, 2)
  b.ctx = { ...b.ctx, now: NOW + KEPT_MS_MAX }
  assert.equal(b.receive(late), 'late')
  b.ctx = { ...b.ctx, now: NOW + KEPT_MS_MAX + 1 }
  b.receive(a.send('tidy'))
  assert.equal(describeSession(b.state).skippedKeys, 0)
  assert.equal(
    reasonOf(() => b.receive(lost)),
    'duplicate',
  )
  const old = a.send('old')
  for (let i = 0; i < 6; i++) {
    b.receive(a.send(`a${i}`))
    a.receive(b.send(`b${i}`))
  }
  assert.equal(b.receive(old), 'old')
  const older = a.send('older')
  for (let i = 0; i < 7; i++) {
    b.receive(a.send(`c${i}`))
    a.receive(b.send(`d${i}`))
  }
  assert.equal(
    reasonOf(() => b.receive(older)),
    'no-session',
  )
})

test('E2-26 F7 a late message of an older chain decrypts and the session goes on', () => {
  const { a, b } = established(54)
  const [m1, m2] = [a.send('m1'), a.send('m2')]
  b.receive(m2)
  a.receive(b.send('reply'))
  b.receive(a.send('m3'))
  a.receive(b.send('reply 2'))
  assert.equal(b.receive(m1), 'm1')
  b.receive(a.send('alive'))
  a.receive(b.send('alive'))
})

test('E2-27 F8 a hundred packets with a random ratchet key do not disturb the next honest one', () => {
  const { a, b } = established(56)
  const honest = a.send('honest')
  const rng = seededRng(57)
  const before = bytesOf(b.state)
  for (let i = 0; i < 100; i++) {
    const forged = honest.slice()
    forged.set(rng.bytes(1_240), 20)
    assert.equal(
      reasonOf(() => b.receive(forged)),
      'authentication',
    )
  }
  assert.deepEqual(bytesOf(b.state), before)
  assert.equal(b.receive(honest), 'honest')
})

test('E2-57 the last three of a chain are read after the next chain has begun', () => {
  const { a, b } = established(58)
  const chain = Array.from({ length: 6 }, (_, i) => a.send(`${i}`))
  for (const packet of chain.slice(0, 3)) b.receive(packet)
  a.receive(b.send('turn'))
  assert.equal(b.receive(a.send('next chain')), 'next chain')
  assert.deepEqual(
    chain.slice(3).map((packet) => b.receive(packet)),
    ['3', '4', '5'],
  )
})

test('E2-57 E2-24 a chain lost in bulk ends with the next turn, not with the session', () => {
  const { a, b } = established(59)
  b.ctx = { ...b.ctx, limits: { skipMax: 10 } }
  const lost = Array.from({ length: 30 }, (_, i) => a.send(`${i}`))
  assert.equal(
    reasonOf(() => b.receive(lost[29] ?? new Uint8Array())),
    'gap',
  )
  a.receive(b.send('turn'))
  assert.equal(b.receive(a.send('next chain')), 'next chain')
  assert.equal(describeSession(b.state).skippedKeys, 10)
  assert.equal(b.receive(lost[9] ?? new Uint8Array()), '9')
  assert.equal(
    reasonOf(() => b.receive(lost[10] ?? new Uint8Array())),
    'duplicate',
  )
})

test('E2-57 F9 a previous length below what has arrived skips nothing and breaks nothing', () => {
  const { a, b } = established(60)
  for (let i = 0; i < 3; i++) b.receive(a.send(`${i}`))
  a.receive(b.send('turn'))
  const keys = a.state.keys
  assert.ok(keys)
  a.state = { ...a.state, keys: { ...keys, previous: 1 } }
  assert.equal(b.receive(a.send('short memory')), 'short memory')
  assert.equal(describeSession(b.state).skippedKeys, 0)
  a.receive(b.send('still here'))
})

test('E2-39 each cause has its reason', () => {
  const { a, b } = established(62)
  const packet = a.send('x')
  assert.equal(
    reasonOf(() => b.receive(flipped(packet, 500))),
    'authentication',
  )
  assert.equal(b.receive(packet), 'x')
  assert.equal(
    reasonOf(() => b.receive(packet)),
    'duplicate',
  )
  assert.equal(
    reasonOf(() => b.receive(seededRng(1).bytes(2_048))),
    'no-session',
  )
  const far = Array.from({ length: 1_002 }, () => a.send('x')).at(-1) ?? new Uint8Array()
  assert.equal(
    reasonOf(() => b.receive(far)),
    'gap',
  )
  assert.equal(
    reasonOf(() => decryptSession(b.ctx, suspendSession(b.state), a.send('x'))),
    'state',
  )
  assert.equal(
    reasonOf(() => decryptSession(b.ctx, closeSession(reload(b.state)).state, a.send('x'))),
    'state',
  )
  const old = reload(b.state)
  a.receive(b.send('turn'))
  const opening = a.seal('opens a chain')
  b.open(opening.envelope)
  a.state = acknowledgeChain(a.state, opening.ref.chain)
  const rolledBack = new Side(b.state, b.ctx)
  rolledBack.state = { ...b.state, keys: reKey(b.state.keys, old.keys) }
  assert.equal(
    reasonOf(() => rolledBack.receive(a.send('short'))),
    'stale',
  )
})

/** Keys whose current chain has become the next one again: what a state restored from before the turn looks like. */
function reKey(now: Side['state']['keys'], before: Side['state']['keys']): Side['state']['keys'] {
  assert.ok(now?.receiving && before)
  return { ...before, nextReceiving: now.receiving.header }
}

test('E2-33 a third device with all public data, and its own secrets, opens nothing', () => {
  const envelope = start(64).send('for Bob only')
  assert.equal(
    reasonOf(() => openInitial(contextOf(65), carol.device, carol.secrets, envelope)),
    'no-session',
  )
  const posing = { ...carol.device, prekeyCard: bob.device.prekeyCard }
  assert.equal(
    reasonOf(() => openInitial(contextOf(65), posing, carol.secrets, envelope)),
    'no-session',
  )
  assert.equal(
    reasonOf(() => openInitial(contextOf(65), bob.device, carol.secrets, envelope)),
    'authentication',
  )
})

test('E2-36 E2-37 states: each is reached by its step, an illegal step throws, suspended refuses to send', () => {
  const fresh = start(66).state
  assert.equal(fresh.status, 'initializing')
  const { a, b } = introduced(67)
  assert.deepEqual([a.state.status, b.state.status], ['initializing', 'active'])
  assert.equal(resumeSession(suspendSession(a.state)).status, 'initializing')
  a.receive(b.send('answer'))
  assert.equal(a.state.status, 'active')
  const suspended = suspendSession(a.state)
  assert.throws(() => encryptSession(a.ctx, suspended, utf8('x')), IdentityChangedError)
  assert.throws(() => suspendSession(suspended), UsageError)
  assert.throws(() => resumeSession(a.state), UsageError)
  assert.equal(resumeSession(suspended).status, 'active')
  const closed = closeSession(a.state)
  assert.deepEqual([closed.state.status, closed.state.keys, secretsOf(closed.state)], ['closed', undefined, []])
  assert.deepEqual(reload(closed.state), closed.state)
  const expired = expireSession(fresh).state
  assert.equal(expired.initial.prefix, undefined)
  for (const ended of [closed.state, expired]) {
    assert.throws(() => encryptSession(a.ctx, ended, utf8('x')), UsageError)
    for (const step of [suspendSession, resumeSession, closeSession, expireSession]) {
      assert.throws(() => step(ended), UsageError)
    }
  }
  assert.deepEqual([hasExpired(fresh, NOW + KEPT_MS_MAX), hasExpired(fresh, NOW + KEPT_MS_MAX + 1)], [false, true])
  assert.equal(hasExpired(a.state, NOW + 2 * KEPT_MS_MAX), false)
  assert.deepEqual([isOutlived(a.state, NOW + KEPT_MS_MAX), isOutlived(a.state, NOW + KEPT_MS_MAX + 1)], [false, true])
})

test('E2-46 E2-50 another account, device key, card, suite or label on one side, and nothing opens', () => {
  const envelope = start(68).send('x')
  const { body } = bob.device.prekeyCard
  const certificate = body.certificate.body
  const changes = [
    { accountId: new Uint8Array(32) },
    { deviceId: new Uint8Array(16) },
    { signingKey: carol.device.prekeyCard.body.certificate.body.signingKey },
  ]
  for (const change of changes) {
    const changed = { ...body, certificate: { ...body.certificate, body: { ...certificate, ...change } } }
    const device = { ...bob.device, prekeyCard: { ...bob.device.prekeyCard, body: changed } }
    assert.equal(
      reasonOf(() => accept(contextOf(69), device, bob.secrets, envelope, verifyCard)),
      'no-session',
    )
  }
  const label = utf8('sotto session v1 secret')
  const otherLabel: CryptoProvider = {
    ...nativeProvider,
    hkdfSha512: (ikm, salt, info, length) =>
      nativeProvider.hkdfSha512(ikm, salt, equal(info, label) ? utf8('sotto session v0 secret') : info, length),
  }
  const ctx = contextOf(69, { crypto: otherLabel })
  assert.equal(
    reasonOf(() => accept(ctx, bob.device, bob.secrets, envelope, verifyCard)),
    'no-session',
  )
  const otherSuite: CryptoProvider = {
    ...nativeProvider,
    open(key, nonce, aad, sealed) {
      const plain = nativeProvider.open(key, nonce, aad, sealed)
      if (plain?.length === 46) plain[0] = 0
      return plain
    },
  }
  assert.equal(initialPrekeyIds(otherSuite, bob.device, envelope), undefined)
  const renewed = { ...body, certificate: { ...body.certificate, body: { ...certificate, expiresAt: 4_000_000_000 } } }
  const device = { ...bob.device, prekeyCard: { ...bob.device.prekeyCard, body: renewed } }
  assert.equal(textOf(accept(contextOf(69), device, bob.secrets, envelope, verifyCard).plaintext), 'x')
})

test('E2-51 E2-56 the initial prefix is repeated until an answer or a receipt, finds its session, and is one size', () => {
  const { a, b } = introduced(70)
  const again = a.seal('again')
  assert.deepEqual(again.envelope.subarray(0, INITIAL_PREFIX_BYTES), a.state.initial.prefix)
  assert.ok(matchesSession(b.ctx, b.state, again.envelope))
  assert.equal(textOf(b.open(again.envelope).plaintext), 'again')
  assert.equal(
    reasonOf(() => b.receive(again.envelope)),
    'duplicate',
  )
  const acked = acknowledgeChain(a.state, again.ref.chain)
  const short = encryptSession(a.ctx, acked, utf8('short'))
  assert.equal(short.envelope.length, 2_048)
  assert.equal(short.state.status, 'initializing')
  assert.equal(b.receive(short.envelope), 'short')
  assert.equal(acknowledgeChain(a.state, again.ref.chain + 1), a.state)
  a.receive(b.send('answer'))
  assert.equal(a.state.initial.prefix, undefined)
})

test('E2-51 what the replay cache needs is the same for every repetition and different for every session', () => {
  const a = start(72)
  const ids = [a.send('1'), a.send('2')].map(
    (envelope) => accept(contextOf(73), bob.device, bob.secrets, envelope, verifyCard).replayId,
  )
  assert.deepEqual(ids[0], ids[1])
  const other = accept(contextOf(73), bob.device, bob.secrets, start(74).send('1'), verifyCard).replayId
  assert.notDeepEqual(ids[0], other)
})

test('confirmation: the initiator with the first answer, the responder with the next chain, and not without it', () => {
  const { a, b } = introduced(76)
  b.receive(a.send('more of the first chain'))
  assert.deepEqual([a.state.confirmed, b.state.confirmed], [false, false])
  a.receive(b.send('answer'))
  assert.deepEqual([a.state.confirmed, b.state.confirmed], [true, false])
  b.receive(a.send('proof'))
  assert.deepEqual([a.state.confirmed, b.state.confirmed], [true, true])
  const pair = introduced(78)
  const { keys } = pair.a.state
  assert.ok(keys)
  pair.a.state = { ...pair.a.state, keys: { ...keys, confirmSeed: new Uint8Array(64) } }
  assert.equal(
    reasonOf(() => pair.a.receive(pair.b.send('answer'))),
    'authentication',
  )
  const bare = introduced(80)
  assert.ok(bare.b.state.keys)
  bare.b.state = { ...bare.b.state, keys: { ...bare.b.state.keys, confirmPeer: undefined } }
  assert.equal(
    reasonOf(() => bare.a.receive(bare.b.send('no confirmation'))),
    'authentication',
  )
})

test('every content up to 48 KiB fits an envelope of one of the five sizes, in every state of a session', () => {
  assert.ok(PLAINTEXT_BYTES_MAX >= CONTENT_BYTES_MAX)
  const sides = [start(82), introduced(83).b, established(85).a, established(87).b]
  for (const side of sides) {
    for (const length of [0, 1, 600, 2_000, 12_000, CONTENT_BYTES_MAX, PLAINTEXT_BYTES_MAX]) {
      const { envelope } = encryptSession(side.ctx, side.state, new Uint8Array(length))
      assert.ok((SIZE_CLASSES_BYTES as readonly number[]).includes(envelope.length))
    }
    const tooLong = new Uint8Array(PLAINTEXT_BYTES_MAX + 1)
    assert.throws(() => encryptSession(side.ctx, side.state, tooLong), LimitError)
  }
  const { a } = established(89)
  const edge = 2_048 - overheadBytes('initiator') - 1
  assert.equal(encryptSession(a.ctx, a.state, new Uint8Array(edge)).envelope.length, 2_048)
  assert.equal(encryptSession(a.ctx, a.state, new Uint8Array(edge + 1)).envelope.length, 4_096)
})

test('the longest card there can be fits the place that is kept for it', () => {
  const { body } = alice.device.prekeyCard
  const intro = Array.from({ length: 8 }, (_, epoch) => ({ epoch, address: new Uint8Array(32) }))
  const longest = { ...alice.device.prekeyCard, body: { ...body, intro } }
  assert.ok(encode(prekeyCardCodec, longest).length < SENDER_CARD_BYTES)
  const { state } = initiate(
    contextOf(90),
    { ...alice.device, prekeyCard: longest },
    { card: bob.device.prekeyCard },
    () => true,
  )
  const { envelope } = encryptSession(contextOf(90), state, utf8('x'))
  assert.equal(textOf(accept(contextOf(91), bob.device, bob.secrets, envelope, () => true).plaintext), 'x')
})

test('a device has no session with itself, and a peer key that is none is an error of its own', () => {
  assert.throws(() => initiate(contextOf(92), bob.device, { card: bob.device.prekeyCard }, verifyBundle), UsageError)
  const { b } = introduced(93)
  assert.ok(b.state.keys)
  const hostile = { ...b.state, keys: { ...b.state.keys, kemPeer: new Uint8Array(1_184).fill(255) } }
  assert.throws(() => encryptSession(b.ctx, hostile, utf8('x')), VerificationError)
})

test('accept in two stages: the claimed card can be looked at, and refused, in between', () => {
  const envelope = start(94).send('two stages')
  const opened = openInitial(contextOf(95), bob.device, bob.secrets, envelope)
  assert.deepEqual(opened.sender, alice.device.prekeyCard)
  const refuse = (): unknown => acceptOpened(contextOf(95), bob.device, bob.secrets, opened, envelope, () => false)
  assert.equal(reasonOf(refuse), 'authentication')
  const taken = acceptOpened(contextOf(95), bob.device, bob.secrets, opened, envelope, verifyCard)
  assert.equal(textOf(taken.plaintext), 'two stages')
})

test('SE-03 SE-04 what a step consumes is exactly what the new state no longer has, and nothing of the old state is mutated', () => {
  const { a, b } = established(96)
  const check = (
    before: Side['state'],
    snapshot: Uint8Array,
    after: { state: Side['state']; consumed: readonly Uint8Array[] },
  ): void => {
    assert.deepEqual(bytesOf(before), snapshot)
    const kept = new Set(secretsOf(after.state))
    const gone = secretsOf(before).filter((secret) => !kept.has(secret))
    for (const secret of gone) assert.ok(after.consumed.includes(secret))
    for (const secret of after.consumed) assert.ok(!kept.has(secret))
  }
  for (let i = 0; i < 8; i++) {
    const skipped = encryptSession(a.ctx, a.state, utf8('skipped'))
    check(a.state, bytesOf(a.state), skipped)
    a.state = skipped.state
    const sent = encryptSession(a.ctx, a.state, utf8('sent'))
    check(a.state, bytesOf(a.state), sent)
    a.state = sent.state
    for (const { envelope } of i % 2 === 0 ? [sent, skipped] : [sent]) {
      const opened = decryptSession(b.ctx, b.state, envelope)
      check(b.state, bytesOf(b.state), opened)
      b.state = opened.state
    }
    const reply = encryptSession(b.ctx, b.state, utf8('reply'))
    check(b.state, bytesOf(b.state), reply)
    b.state = reply.state
    const read = decryptSession(a.ctx, a.state, reply.envelope)
    check(a.state, bytesOf(a.state), read)
    a.state = read.state
  }
})
