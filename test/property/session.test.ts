/**
 * The session against a model, over random schedules: send, deliver late and out of order, twice or never, acknowledge,
 * restart, and restore an old state. And its decoders against noise.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider } from '../../src/crypto/native.ts'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { DecryptError } from '../../src/lib/errors.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { initialPrekeyIds } from '../../src/protocol/pqxdh.ts'
import type { SessionContext } from '../../src/protocol/pqxdh.ts'
import { OLD_CHAINS_MAX } from '../../src/protocol/session-limits.ts'
import { accept, acknowledgeChain, decryptSession, initiate } from '../../src/protocol/session.ts'
import { encode, tryDecode } from '../../src/wire/codec.ts'
import { splitPrefix } from '../../src/wire/envelope.ts'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'
import { sessionStateCodec } from '../../src/wire/session-state.ts'
import type { SessionState } from '../../src/wire/session-state.ts'
import { SEED } from '../support/strict.ts'
import {
  alice,
  bob,
  bytesOf,
  contextOf,
  established,
  introduced,
  reasonOf,
  reload,
  Side,
  textOf,
} from '../unit/protocol/session-fixtures.ts'

/** A schedule that fails is made smaller for at most this long. */
const SHRINK_MS_MAX = 20_000

type Who = 'a' | 'b'
type Picked = 'deliver' | 'duplicate' | 'drop' | 'acknowledge'
type Plain = 'send' | 'restart' | 'keep' | 'restore'
type Step =
  | { readonly kind: 'picked'; readonly do: Picked; readonly who: Who; readonly pick: number }
  | { readonly kind: 'plain'; readonly do: Plain; readonly who: Who }

const who = fc.constantFrom<Who>('a', 'b')
const pick = fc.nat({ max: 1_000 })
const picked = (name: Picked): fc.Arbitrary<Step> =>
  fc.tuple(who, pick).map(([who, pick]): Step => ({ kind: 'picked', do: name, who, pick }))
const plain = (name: Plain): fc.Arbitrary<Step> => who.map((who): Step => ({ kind: 'plain', do: name, who }))
const ordinary = [
  { weight: 8, arbitrary: plain('send') },
  { weight: 9, arbitrary: picked('deliver') },
  { weight: 2, arbitrary: picked('duplicate') },
  { weight: 1, arbitrary: picked('drop') },
  { weight: 1, arbitrary: picked('acknowledge') },
  { weight: 1, arbitrary: plain('restart') },
]
const rollbacks = [
  { weight: 1, arbitrary: plain('keep') },
  { weight: 1, arbitrary: plain('restore') },
]
const schedule = (extra: typeof rollbacks): fc.Arbitrary<Step[]> =>
  fc.array(fc.oneof(...ordinary, ...extra), { minLength: 20, maxLength: 120, size: 'max' })

interface Sent {
  readonly text: string
  readonly envelope: Uint8Array
  readonly chain: number
}

/** Alice, Bob, and a network between them that does what the schedule says. */
class World {
  readonly #ctx: SessionContext
  readonly #sides: Partial<Record<Who, Side>> = {}
  readonly #flying: Record<Who, Sent[]> = { a: [], b: [] }
  readonly #read: Record<Who, Sent[]> = { a: [], b: [] }
  readonly #newest: Record<Who, number> = { a: -1, b: -1 }
  readonly #kept: Partial<Record<Who, SessionState>> = {}
  readonly #sent = new Set<string>()
  readonly #strict: boolean
  #count = 0

  /** Strict: no rollbacks, so every message that is delivered has to be read, once. */
  constructor(seed: number, strict: boolean) {
    this.#strict = strict
    this.#ctx = contextOf(seed, { crypto: uniqueNonces() })
    const { state } = initiate(this.#ctx, alice.device, { card: bob.device.prekeyCard }, () => true)
    this.#sides.a = new Side(state, this.#ctx)
  }

  play(step: Step): void {
    if (step.kind === 'plain') {
      if (step.do === 'send') this.#send(step.who)
      else this.#disk(step.who, step.do)
    } else if (step.do === 'acknowledge') this.#acknowledge(step.who, step.pick)
    else this.#network(step.who, step.do, step.pick)
  }

  #send(from: Who): void {
    const side = this.#sides[from]
    if (side === undefined) return
    const text = `${from}${this.#count++}`
    const { envelope, ref } = side.seal(text)
    this.#sent.add(text)
    this.#flying[from === 'a' ? 'b' : 'a'].push({ text, envelope, chain: ref.chain })
  }

  #disk(name: Who, what: 'restart' | 'keep' | 'restore'): void {
    const side = this.#sides[name]
    if (side === undefined) return
    if (what === 'keep') this.#kept[name] = reload(side.state)
    const from = what === 'restore' ? this.#kept[name] : side.state
    if (from === undefined || what === 'keep') return
    assert.deepEqual(reload(from), from)
    side.state = reload(from)
  }

  /** The receiver's receipt for a message that it has read reaches the sender. */
  #acknowledge(receiver: Who, at: number): void {
    const read = this.#read[receiver]
    const sender = this.#sides[receiver === 'a' ? 'b' : 'a']
    const message = read[at % Math.max(1, read.length)]
    if (message && sender) sender.state = acknowledgeChain(sender.state, message.chain)
  }

  #network(to: Who, what: 'deliver' | 'duplicate' | 'drop', at: number): void {
    const queue = what === 'duplicate' ? [...this.#flying[to], ...this.#read[to]] : this.#flying[to]
    const message = queue[at % Math.max(1, queue.length)]
    if (message === undefined) return
    if (what !== 'duplicate') this.#flying[to] = queue.filter((other) => other !== message)
    if (what !== 'drop') this.#deliver(to, message)
  }

  #deliver(to: Who, message: Sent): void {
    const before = this.#read[to].includes(message)
    const state = this.#sides[to]?.state
    const snapshot = state && bytesOf(state)
    const reason = reasonOf(() => this.#take(to, message))
    if (reason !== undefined && state && snapshot) assert.deepEqual(bytesOf(state), snapshot)
    if (!this.#strict) return
    const forgotten = message.chain < this.#newest[to] - OLD_CHAINS_MAX
    const expected = forgotten ? 'no-session' : before ? 'duplicate' : undefined
    assert.equal(reason, expected)
    if (reason === undefined) this.#newest[to] = Math.max(this.#newest[to], message.chain)
  }

  #take(to: Who, message: Sent): void {
    const side = this.#sides[to]
    if (side === undefined) {
      const accepted = accept(this.#ctx, bob.device, bob.secrets, message.envelope, () => true)
      this.#sides[to] = new Side(accepted.state, this.#ctx)
      assert.equal(textOf(accepted.plaintext), message.text)
    } else {
      assert.equal(side.receive(message.envelope), message.text)
    }
    assert.ok(this.#sent.has(message.text))
    this.#read[to].push(message)
  }
}

/** Fails when anything is sealed twice under one key and nonce, by either side. */
function uniqueNonces(): CryptoProvider {
  const used = new Set<string>()
  return {
    ...nativeProvider,
    seal(key, nonce, aad, plaintext) {
      const name = toHex(key) + toHex(nonce)
      assert.ok(!used.has(name), 'key and nonce repeat')
      used.add(name)
      return nativeProvider.seal(key, nonce, aad, plaintext)
    },
  }
}

function run(seed: number, strict: boolean, steps: readonly Step[]): void {
  const world = new World(seed, strict)
  for (const step of steps) world.play(step)
}

test('E2-24 E2-26 E2-44 E2-48 E2-57 I1c whatever the network does, each delivered message is read once', () => {
  fc.assert(
    fc.property(fc.nat(), schedule([]), (seed, steps) => {
      run(seed, true, steps)
    }),
    { numRuns: 60, seed: SEED, interruptAfterTimeLimit: SHRINK_MS_MAX },
  )
})

test('I9 E2-47 with states restored from before, no key and nonce repeats and nothing false is read', () => {
  fc.assert(
    fc.property(fc.nat(), schedule(rollbacks), (seed, steps) => {
      run(seed, false, steps)
    }),
    { numRuns: 60, seed: SEED, interruptAfterTimeLimit: SHRINK_MS_MAX },
  )
})

test('E2-16 every state encodes to what decodes to it, and mutated bytes decode to nothing else', () => {
  const { a, b } = established(5)
  b.receive([a.send('0'), a.send('1')][1] ?? new Uint8Array())
  const samples = [introduced(7).a.state, introduced(9).b.state, a.state, b.state].map(bytesOf)
  const rng = seededRng(11)
  for (let i = 0; i < 4_000; i++) {
    const sample = samples[i % samples.length] ?? new Uint8Array()
    const [high = 0, low = 0, value = 0, cut = 0] = rng.bytes(4)
    const mutated = cut < 30 ? sample.slice(0, (high * 256 + low) % sample.length) : sample.slice()
    if (mutated.length > 0) mutated[(high * 256 + low) % mutated.length] = value
    const state = tryDecode(sessionStateCodec, mutated)
    if (state !== undefined) assert.deepEqual(encode(sessionStateCodec, state), mutated)
  }
})

test('E2-18 E2-27 noise of every size is refused by one error, and the state stays', () => {
  const { a, b } = established(13)
  const honest = a.send('honest')
  const initial = introduced(15).a.send('x')
  const before = bytesOf(b.state)
  const rng = seededRng(17)
  const ctx = contextOf(19)
  for (let i = 0; i < 400; i++) {
    const size = SIZE_CLASSES_BYTES[i % 4] ?? 0
    const noise = rng.bytes(size)
    const [half = 0] = rng.bytes(1)
    if (i % 3 === 0) noise.set((size > 8_192 ? initial : honest).subarray(0, half * (size >> 9)).subarray(0, size))
    assert.ok(reasonOf(() => decryptSession(ctx, b.state, noise)))
    const ids = initialPrekeyIds(nativeProvider, bob.device, noise)
    assert.ok(ids === undefined || splitPrefix(noise) !== undefined)
    assert.throws(() => accept(ctx, bob.device, bob.secrets, noise, () => true), DecryptError)
  }
  for (const length of [0, 1, 31, 2_047, 2_049, 65_535, 65_537]) {
    const bytes = rng.bytes(length)
    assert.equal(
      reasonOf(() => decryptSession(ctx, b.state, bytes)),
      'no-session',
    )
    assert.equal(
      reasonOf(() => accept(ctx, bob.device, bob.secrets, bytes, () => true)),
      'no-session',
    )
  }
  assert.deepEqual(bytesOf(b.state), before)
  assert.equal(b.receive(honest), 'honest')
})
