/** Whatever a peer sends, in whatever order: a holder answers, briefly, and never keeps more than it may. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, toHex } from '../../src/lib/bytes.ts'
import { CodecError } from '../../src/lib/errors.ts'
import type { Logger } from '../../src/lib/log.ts'
import { silentLogger } from '../../src/lib/log.ts'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import type { Rng } from '../../src/lib/rng.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { ownerProof } from '../../src/protocol/mailbox-proofs.ts'
import { DEFAULT_QUOTAS } from '../../src/services/holder/quotas.ts'
import { HolderService } from '../../src/services/holder/serve.ts'
import type { HolderCaller } from '../../src/services/ports.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { HeldStore } from '../../src/store/held.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import {
  ANSWER_KIND,
  CARD_KIND,
  HOLDER_FRAME_BYTES_MAX,
  holderClientFrameCodec,
  holderServerFrameCodec,
} from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse } from '../../src/wire/holder.ts'
import { poolOf } from '../unit/protocol/pool-fixtures.ts'
import type { Pool } from '../unit/protocol/pool-fixtures.ts'
import { one } from '../unit/services/holder-fixture.ts'
import { crypto, PROFILE } from '../unit/services/swarm.ts'
import type { MadeLetter } from '../unit/services/swarm.ts'
import { SEED } from '../support/strict.ts'
import { wireSample } from '../support/wire-samples.ts'

/** Requests in one run: a hundredth of what the decoders get (`SOTTO_FUZZ_RUNS`), since each goes to a disk. */
const REQUESTS = Math.ceil(Number(process.env['SOTTO_FUZZ_RUNS'] ?? 30_000) / 100)
const MIB = 1_024 * 1_024
const LIMITS = { nodeBytes: 4 * MIB, mailboxRecords: 200, laneRecords: 100, stampedLetters: 8 }
const PEERS = 6

type Fixture = Awaited<ReturnType<typeof one>>

/** Well-formed requests that mean something here: letters of a lane that is open, tombstones, proofs, the owner's verbs. */
class Actor {
  readonly #h: Fixture
  readonly #rng: Rng
  readonly #made: MadeLetter[] = []
  readonly #samples: readonly HolderRequest[]
  readonly #pool: Pool

  constructor(h: Fixture, rng: Rng, pool: Pool) {
    this.#pool = pool
    this.#h = h
    this.#rng = rng
    const frames = fc.sample(wireSample('holder client frame').arbitrary, { numRuns: 200, seed: SEED })
    this.#samples = (frames as { request: HolderRequest }[]).map(({ request }) => request)
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[randomBelow(this.#rng, Math.max(1, items.length))]
  }

  #letter(): MadeLetter {
    const known = randomBelow(this.#rng, 3) === 0 ? this.#pick(this.#made) : undefined
    if (known !== undefined) return known
    const lane = this.#pick(this.#h.lanes) ?? this.#h.lanes[0]
    const sizeClass = randomBelow(this.#rng, 5) as 0 | 1 | 2 | 3 | 4
    const made = this.#h.make({ sizeClass, lifeMs: (2 + randomBelow(this.#rng, 700)) * HOUR_MS }, lane)
    this.#made.push(made)
    return made
  }

  async next(caller: HolderCaller): Promise<HolderRequest> {
    const { key, node } = this.#h
    const { address } = key
    const { letter, proof, tombstone, id } = this.#letter()
    const ids = [id, this.#rng.bytes(32)]
    switch (randomBelow(this.#rng, 16)) {
      case 0:
      case 1:
        return { kind: 1, body: { letter, proof, rung: 0 } }
      case 2:
        return { kind: 13, body: { letter, proof, rung: 0 } }
      case 3:
        return { kind: 7, body: { tombstones: [tombstone] } }
      case 4:
        return { kind: 7, body: { tombstones: [{ ...tombstone, preimage: this.#rng.bytes(16) }] } }
      case 5:
        return {
          kind: 4,
          body: { address, proof: await ownerProof(crypto, key, caller.challenge, node.peerId) },
        }
      case 6:
        return { kind: 5, body: { address, cursor: undefined } }
      case 7:
        return { kind: 6, body: { address, ids } }
      case 8:
        return { kind: 15, body: { address, ids } }
      case 9:
        return { kind: 10, body: { nonce: this.#rng.bytes(16), ids } }
      case 10:
        return {
          kind: 12,
          body: {
            address,
            after: 0,
            from: new Uint8Array(32),
            upto: new Uint8Array(32).fill(255),
            dead: [],
            policy: undefined,
          },
        }
      case 11:
        return { kind: 2, body: { kind: CARD_KIND.prekeys, body: this.#pool.card } }
      case 12:
        return { kind: 16, body: await this.#pool.slice(randomBelow(this.#rng, 5), node.peerId) }
      case 13: {
        const hour = Math.floor(this.#h.swarm.clock.now() / HOUR_MS)
        return { kind: 17, body: { card: this.#pool.key, hour, stamp: { bits: 0, nonce: this.#rng.bytes(16) } } }
      }
      case 14:
        return { kind: 18, body: { card: this.#pool.key, token: this.#pool.token } }
      default:
        return this.#pick(this.#samples) ?? { kind: 14, body: {} }
    }
  }
}

/** A service over the fixture's own disk whose faults are heard. */
function serviceOf(h: Fixture, held: HeldStore): { readonly service: HolderService; readonly faults: string[] } {
  const faults: string[] = []
  const log: Logger = {
    ...silentLogger,
    error: (message, fields) => faults.push(`${message} ${JSON.stringify(fields)}`),
  }
  const { clock } = h.swarm
  const service = new HolderService(
    {
      clock,
      crypto,
      held,
      routing: { known: (target, count) => h.swarm.near(target, count, '') },
      onLeaving() {},
      signer: { peerId: h.node.peerId, sign: (message) => crypto.ed25519Sign(h.node.seed, message) },
      stamps: new StampVerifier(crypto, clock),
      profile: PROFILE,
      log,
    },
    { ...DEFAULT_QUOTAS, ...LIMITS },
  )
  return { service, faults }
}

function callers(rng: Rng): HolderCaller[] {
  return Array.from({ length: PEERS }, (_, i) => ({
    peerId: `peer-${toHex(crypto.ed25519PublicKey(rng.bytes(32)))}`,
    ip: i % 2 === 0 ? `203.0.113.${i + 1}` : undefined,
    challenge: rng.bytes(32),
    opened: new Set<string>(),
    push: () => randomBelow(rng, 2) === 0,
    onClose() {},
  }))
}

function assertAnswer(response: HolderResponse): void {
  const frame = encode(holderServerFrameCodec, { kind: 2, body: { id: 1, response } })
  assert.ok(frame.length <= HOLDER_FRAME_BYTES_MAX, `${frame.length} bytes`)
  assert.ok(response.closer.length <= 20)
}

function assertBounded(held: HeldStore, address: Uint8Array): void {
  const { mailDiskBytes, cardDiskBytes } = held.usage
  assert.ok(mailDiskBytes >= 0 && cardDiskBytes >= 0)
  // A tombstone is never refused for the disk: it takes the place of its letter, or is one of 8,192 of its mailbox.
  assert.ok(mailDiskBytes <= LIMITS.nodeBytes + 1_024 * REQUESTS, `${mailDiskBytes} bytes of mail`)
  assert.ok((held.usage.mailbox(address)?.records ?? 0) <= LIMITS.mailboxRecords)
  assert.ok((held.usage.mailbox(address)?.bytes ?? 0) <= LIMITS.nodeBytes)
}

test(`TE-18 SE-19 I4 PK-05 ${REQUESTS} requests of all verbs in any order: every one is answered, and the disk stays bounded (seed ${SEED})`, async () => {
  await using h = await one()
  const rng = seededRng(SEED)
  const { held } = h.node
  const { service, faults } = serviceOf(h, held)
  const actor = new Actor(h, rng, await poolOf({}))
  const peers = callers(rng)
  const statuses = new Map<number, number>()
  const given = new Set<number>()
  for (let i = 0; i < REQUESTS; i++) {
    const caller = peers[randomBelow(rng, PEERS)] as HolderCaller
    const wish = await actor.next(caller)
    // As it comes off the wire.
    const { request } = decode(holderClientFrameCodec, encode(holderClientFrameCodec, { id: i, request: wish }))
    const response = await service.handle(caller, request)
    assertAnswer(response)
    assertBounded(held, h.key.address)
    const { answer } = response
    const oneTime = answer.kind === ANSWER_KIND.bundle ? answer.body.oneTime?.prekey.id : undefined
    if (oneTime !== undefined) assert.ok(!given.has(oneTime) && given.add(oneTime), 'no prekey goes to two')
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    if (i % 50 === 49) await h.swarm.clock.advance(randomBelow(rng, 3) * 1_000)
  }
  assert.deepEqual(faults, [])
  assert.ok((statuses.get(0) ?? 0) > REQUESTS / 4, `${statuses.get(0)} of ${REQUESTS} were granted`)
  assert.ok(given.size > 0)
  assert.ok(statuses.size >= 6, `${[...statuses.keys()].join(', ')}: as many kinds of answers`)

  // Nothing of it has spoilt what is on the disk, nor the count of it.
  const again = await HeldStore.open(h.node.db, crypto, rng)
  assert.deepEqual([again.usage.letters, again.usage.bytes], [held.usage.letters, held.usage.bytes])
  assert.equal(again.usage.mailDiskBytes, held.usage.mailDiskBytes)
  assert.equal(again.usage.cardDiskBytes, held.usage.cardDiskBytes)
  assert.equal(again.corrupt, 0)
})

test(`TE-18 frames of damaged requests: refused by the codec, or answered like any other (seed ${SEED})`, async () => {
  await using h = await one()
  const rng = seededRng(SEED + 1)
  const { service, faults } = serviceOf(h, h.node.held)
  const actor = new Actor(h, rng, await poolOf({}))
  const peers = callers(rng)
  let answered = 0
  for (let i = 0; i < REQUESTS; i++) {
    const caller = peers[randomBelow(rng, PEERS)] as HolderCaller
    const frame = damaged(encode(holderClientFrameCodec, { id: i, request: await actor.next(caller) }), rng)
    try {
      assertAnswer(await service.handle(caller, decode(holderClientFrameCodec, frame).request))
      answered++
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
    }
    assertBounded(h.node.held, h.key.address)
  }
  assert.deepEqual(faults, [])
  assert.ok(answered > REQUESTS / 20 && answered < REQUESTS, `${answered} of ${REQUESTS} could be read`)
})

/** One to three places of the frame are wrong, or it is cut, or it is noise. */
function damaged(frame: Uint8Array, rng: Rng): Uint8Array {
  const out = frame.slice()
  switch (randomBelow(rng, 8)) {
    case 0:
      return out.subarray(0, randomBelow(rng, out.length))
    case 1:
      return concat(out, rng.bytes(1 + randomBelow(rng, 4)))
    case 2:
      return rng.bytes(1 + randomBelow(rng, 300))
    default:
      for (let i = randomBelow(rng, 3); i >= 0; i--) {
        const at = randomBelow(rng, randomBelow(rng, 2) === 0 ? Math.min(out.length, 128) : out.length)
        out[at] = (out[at] ?? 0) ^ (1 << randomBelow(rng, 8))
      }
      return out
  }
}
