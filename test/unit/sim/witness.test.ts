/** Each checker is shown what it is there for, and has to say so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { commitmentOf, letterId, nameOfLetter } from '../../../src/protocol/mailbox-rules.ts'
import { bucketKey } from '../../../src/store/buckets.ts'
import { cardNumberCodec, heldLetterCodec, heldTombstoneCodec } from '../../../src/store/held-records.ts'
import { encode } from '../../../src/wire/codec.ts'
import type { Codec } from '../../../src/wire/codec.ts'
import { HOLDER_VERB } from '../../../src/wire/holder.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { Primitives } from '../../sim/crypto.ts'
import type { Holder } from '../../sim/holder.ts'
import { DELIVERY_MS, Witness } from '../../sim/witness.ts'
import { World } from '../../sim/world.ts'

const rng = seededRng(5)
const PROOF = { kind: 2, body: { reserved: 0 } } as const

interface Stand {
  readonly world: World
  readonly witness: Witness
  said(): string[]
}

function stand(): Stand {
  const world = new World({ seed: 9, holders: 5, pairs: 1 }, new Primitives())
  const witness = new Witness(world, rng.bytes(32))
  for (const holder of world.holders) {
    holder.life.up = true
    holder.upSince = 0
  }
  return { world, witness, said: () => witness.violations.map(({ invariant }) => invariant) }
}

interface Made {
  readonly letter: Letter
  readonly id: Uint8Array
  readonly preimage: Uint8Array
}

function make({ world }: Stand, ciphertext = rng.bytes(2_048), lifeMs = 3 * DAY_MS): Made {
  const preimage = rng.bytes(16)
  const letter: Letter = {
    version: 1,
    kind: 2,
    address: new Uint8Array(32).fill(7),
    lane: new Uint8Array(16),
    expiry: Math.floor((world.scheduler.now() + lifeMs) / HOUR_MS),
    sizeClass: 0,
    commitment: commitmentOf(world.crypto, preimage),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext,
  }
  return { letter, preimage, id: letterId(world.crypto, letter) }
}

/** Writes as a holder's database does. */
function write<T>(
  holder: Holder,
  bucket: 'held' | 'tombstones' | 'cards' | 'cardNumbers',
  id: Uint8Array,
  codec: Codec<T>,
  value: T,
): void {
  const body = encode(codec, value)
  const stored = new Uint8Array(8 + body.length)
  stored.set(body, 8)
  holder.disk.onWritten?.([{ type: 'put', key: bucketKey(bucket, id), value: stored }])
}

const put = ({ letter }: Made) => ({ letter, proof: PROOF, rung: 0 }) as const

const keep = (holder: Holder, { letter, id }: Made): void => {
  write(holder, 'held', id, heldLetterCodec, { arrival: 1, rung: 0, proof: PROOF, letter })
}

const bury = (holder: Holder, { world }: Stand, { letter, id, preimage }: Made): void => {
  const tombstone = { ...nameOfLetter(world.crypto, letter), preimage, proof: PROOF }
  write(holder, 'tombstones', id, heldTombstoneCodec, { arrival: 2, unseen: false, tombstone })
}

const forget = (holder: Holder, { id }: Made): void => {
  holder.disk.onWritten?.([{ type: 'del', key: bucketKey('held', id) }])
}

/** A message that three holders signed for, an hour ago. */
async function stored(stood: Stand): Promise<{ id: string; holders: readonly Holder[] }> {
  const { world, witness } = stood
  const [from, to] = world.people
  assert.ok(from && to)
  const id = toHex(rng.bytes(16))
  witness.accepted(id, from, to)
  const holders = world.holders.slice(0, 3)
  const made = make(stood)
  for (const { peerId } of holders) world.net.onAnswered(peerId, { kind: HOLDER_VERB.put, body: put(made) }, 0)
  witness.stored(
    id,
    toHex(made.id),
    holders.map(({ peerId }) => peerId),
  )
  const sent = witness.sent.get(id)
  if (sent !== undefined) sent.status = 'stored'
  await world.scheduler.run(world.scheduler.now() + HOUR_MS)
  return { id, holders }
}

test('I1 TE-02 a stored message that does not come within a quarter of an hour is noticed', async () => {
  const stood = stand()
  const { world, witness } = stood
  const { id, holders } = await stored(stood)
  const [, to] = world.people
  assert.ok(to)
  const since = world.scheduler.now()
  await world.scheduler.run(since + DELIVERY_MS)
  for (const holder of holders) world.net.trouble(holder.peerId, to.peerId)
  witness.checkSession(to, since)
  assert.deepEqual(stood.said(), [], 'nobody could have reached it')
  const later = world.scheduler.now() + 1
  await world.scheduler.run(later + DELIVERY_MS)
  for (const holder of holders) witness.lost(holder)
  witness.checkSession(to, later)
  assert.deepEqual(stood.said(), [], 'three of three are lost: nothing was promised')
  const other = stand()
  await stored(other)
  const reader = other.world.people[1]
  assert.ok(reader)
  const start = other.world.scheduler.now()
  await other.world.scheduler.run(start + DELIVERY_MS)
  other.witness.checkSession(reader, start)
  assert.deepEqual(other.said(), ['I1'])
  void id
})

test('I1 I1b I7 TE-02 at the end: lost, silent, never told, told too much', async () => {
  const gone = stand()
  await stored(gone)
  gone.witness.checkEnd((person) => person === gone.world.people[0])
  assert.deepEqual(gone.said(), ['I1'])
  const silent = stand()
  await stored(silent)
  silent.witness.checkEnd(() => false)
  assert.deepEqual(silent.said(), ['I1b'])
  const untold = stand()
  const { id } = await stored(untold)
  const [, reader] = untold.world.people
  assert.ok(reader)
  untold.witness.delivered(id, reader)
  untold.witness.checkEnd(() => false)
  assert.deepEqual(untold.said(), ['I1b'])
  const boast = stand()
  const { id: other } = await stored(boast)
  const sent = boast.witness.sent.get(other)
  assert.ok(sent)
  sent.status = 'delivered'
  boast.witness.checkEnd(() => false)
  assert.deepEqual(boast.said().sort(), ['I1b', 'I7'])
})

test('I1 I7 TE-02 what was signed for is gone, and a receipt that nobody gave', async () => {
  const stood = stand()
  const { world, witness } = stood
  const made = make(stood)
  const [a, b, c] = world.holders
  assert.ok(a && b && c)
  for (const holder of [a, b]) {
    world.net.onAnswered(holder.peerId, { kind: HOLDER_VERB.put, body: put(made) }, 0)
    keep(holder, made)
  }
  witness.checkSigned()
  assert.deepEqual(stood.said(), [])
  forget(a, made)
  bury(a, stood, made)
  witness.checkSigned()
  assert.deepEqual(stood.said(), [], 'it is known to be dead')
  forget(b, made)
  witness.checkSigned()
  assert.deepEqual(stood.said(), ['I1'])
  const [from, to] = world.people
  assert.ok(from && to)
  witness.accepted('aa', from, to)
  witness.stored('aa', toHex(made.id), [a.peerId, b.peerId])
  assert.deepEqual(stood.said(), ['I1'])
  witness.stored('aa', toHex(made.id), [a.peerId, b.peerId, c.peerId])
  assert.deepEqual(stood.said(), ['I1', 'I7'])
})

test('I1c TE-02 the same message twice, and one that nobody sent', async () => {
  const stood = stand()
  const { id } = await stored(stood)
  const [, to] = stood.world.people
  assert.ok(to)
  stood.witness.delivered(id, to)
  assert.deepEqual(stood.said(), [])
  stood.witness.delivered(id, to)
  stood.witness.delivered(toHex(rng.bytes(16)), to)
  assert.deepEqual(stood.said(), ['I1c', 'I1c'])
})

test('I2 TE-02 what is dead on three disks and served a day later', async () => {
  const stood = stand()
  const { world, witness } = stood
  const made = make(stood)
  const [a, b, c, d] = world.holders
  assert.ok(a && b && c && d)
  for (const holder of [a, b, c, d]) keep(holder, made)
  const tombstone = { ...nameOfLetter(world.crypto, made.letter), preimage: made.preimage, proof: PROOF }
  for (const holder of [a, b, c]) {
    forget(holder, made)
    bury(holder, stood, made)
    world.net.onAnswered(holder.peerId, { kind: HOLDER_VERB.tomb, body: { tombstones: [tombstone] } }, 0)
  }
  witness.checkDeleted(0)
  await world.scheduler.run(world.scheduler.now() + DAY_MS / 2)
  witness.checkDeleted(0)
  assert.deepEqual(stood.said(), [], 'half a day is not a day')
  await world.scheduler.run(world.scheduler.now() + DAY_MS)
  d.lie = async (caller, request, honest) => honest(caller, request)
  witness.checkDeleted(0)
  assert.deepEqual(stood.said(), [], 'a liar is no honest member')
  d.lie = undefined
  witness.checkDeleted(0)
  assert.deepEqual(stood.said(), ['I2'])
})

test('I3 TE-02 alive here and dead there', () => {
  const stood = stand()
  const made = make(stood)
  const [a, b] = stood.world.holders
  assert.ok(a && b)
  keep(a, made)
  stood.witness.checkAgreement()
  assert.deepEqual(stood.said(), [])
  bury(b, stood, made)
  stood.witness.checkAgreement()
  assert.deepEqual(stood.said(), ['I3'])
})

test('I4 TE-02 a holder above its quota', () => {
  const stood = stand()
  const [holder] = stood.world.holders
  assert.ok(holder)
  const usage = { mailDiskBytes: 700, cardDiskBytes: 400 }
  Object.defineProperty(holder, 'held', { value: { usage } })
  stood.witness.checkBounds(1_100)
  assert.deepEqual(stood.said(), [])
  stood.witness.checkBounds(1_099)
  assert.deepEqual(stood.said(), ['I4'])
})

test('I5 TE-02 what is kept for longer than a day after its expiry', async () => {
  const stood = stand()
  const [a, b] = stood.world.holders
  assert.ok(a && b)
  keep(a, make(stood, rng.bytes(2_048), 2 * HOUR_MS))
  bury(b, stood, make(stood, rng.bytes(2_048), 2 * HOUR_MS))
  await stood.world.scheduler.run(stood.world.scheduler.now() + 25 * HOUR_MS)
  stood.witness.checkBounds(1e9)
  assert.deepEqual(stood.said(), [])
  await stood.world.scheduler.run(stood.world.scheduler.now() + 2 * HOUR_MS)
  stood.witness.checkBounds(1e9)
  assert.deepEqual(stood.said(), ['I5'], 'the letter')
  await stood.world.scheduler.run(stood.world.scheduler.now() + 4 * HOUR_MS)
  stood.witness.checkBounds(1e9)
  assert.deepEqual(stood.said(), ['I5', 'I5'], 'and the tombstone')
})

test('I6 TE-02 a canary on the wire and on a disk, and a size that tells something', () => {
  const stood = stand()
  const { world, witness } = stood
  const [holder] = world.holders
  assert.ok(holder)
  const text = witness.text(3)
  world.net.tap('a', 'b', new TextEncoder().encode('nothing in here'))
  assert.deepEqual(stood.said(), [])
  world.net.tap('a', 'b', new TextEncoder().encode(`xx${text}`))
  const raw = Buffer.from(text.split(' ')[0] ?? '', 'hex')
  holder.disk.onWritten?.([
    { type: 'put', key: bucketKey('cards', rng.bytes(32)), value: new Uint8Array([1, 2, ...raw]) },
  ])
  assert.deepEqual(
    stood.said().filter((each) => each === 'I6'),
    ['I6', 'I6'],
  )
  const odd = stand()
  const { letter } = make(odd, rng.bytes(2_049))
  odd.world.net.onRequest('somebody', { kind: HOLDER_VERB.put, body: { letter, proof: PROOF, rung: 0 } })
  assert.deepEqual(odd.said(), ['I6'])
})

test('I7 TE-02 a forged tombstone, a card that nobody made, a version that goes back', () => {
  const stood = stand()
  const [holder] = stood.world.holders
  assert.ok(holder)
  const made = make(stood)
  keep(holder, made)
  bury(holder, stood, made)
  assert.deepEqual(stood.said(), [], 'its own preimage')
  bury(holder, stood, { ...made, preimage: rng.bytes(16) })
  assert.deepEqual(stood.said(), ['I7'])
  const key = rng.bytes(32)
  holder.disk.onWritten?.([{ type: 'put', key: bucketKey('cards', key), value: rng.bytes(500) }])
  assert.deepEqual(stood.said(), ['I7', 'I7'])
  const version = (number: number): void => {
    write(holder, 'cardNumbers', key, cardNumberCodec, {
      number,
      hash: new Uint8Array(32),
      bytes: 0,
      expiryHour: 1,
      until: 1,
    })
  }
  version(4)
  version(5)
  assert.equal(stood.said().length, 2)
  version(4)
  assert.deepEqual(stood.said(), ['I7', 'I7', 'I7'])
})

test('I8 TE-02 repair that copies a letter more than ten times', () => {
  const stood = stand()
  for (let i = 0; i < 10; i++) stood.witness.copied('letter')
  stood.witness.checkCopies()
  assert.deepEqual(stood.said(), [])
  stood.witness.copied('letter')
  stood.witness.checkCopies()
  assert.deepEqual(stood.said(), ['I8'])
})

test('I9 TE-02 a nonce that is used again', () => {
  const stood = stand()
  const [key, nonce] = [rng.bytes(32), rng.bytes(24)]
  stood.world.crypto.xseal(key, nonce, key, rng.bytes(10))
  assert.deepEqual(stood.said(), [])
  stood.world.crypto.xseal(key, nonce, key, rng.bytes(10))
  assert.deepEqual(stood.said(), ['I9'])
})
