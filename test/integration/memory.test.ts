/** What is left of keys in memory after a thousand messages, in a process with two whole messengers. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { World } from '../support/messenger.ts'
import type { Person } from '../support/messenger.ts'

const MESSAGES = 1_000
const BURST = 25
/** Two people with a session each: chains of both directions, and the last chains that late messages may come on. */
const LIVE_KEYS_MAX = 24
/** Keys that are searched for, one of so many; odd, since keys of messages and of chains take turns. */
const SAMPLE_EVERY = 41
/** Needles are kept under this, or the search would find the needles. */
const MASK = 0xa5

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Sees every message key and chain key that is derived, and holds on to none of them. */
class KeyWatch {
  readonly #refs: WeakRef<Uint8Array>[] = []
  readonly #masked: Uint8Array[] = []

  readonly over = (crypto: CryptoProvider): CryptoProvider => ({
    ...crypto,
    hmacSha256: (key, data) => {
      const out = crypto.hmacSha256(key, data)
      if (data.length === 1) this.#seen(out)
      return out
    },
  })

  get derived(): number {
    return this.#refs.length
  }

  /** Keys that are somewhere in this process still, and not wiped. */
  live(): number {
    return this.#refs.filter((ref) => ref.deref()?.some((byte) => byte !== 0) === true).length
  }

  samples(): readonly Uint8Array[] {
    return this.#masked.map((bytes) => bytes.map((byte) => byte ^ MASK))
  }

  #seen(key: Uint8Array): void {
    this.#refs.push(new WeakRef(key))
    if (this.#refs.length % SAMPLE_EVERY === 0) this.#masked.push(key.map((byte) => byte ^ MASK))
  }
}

/** A key as a careless line would have put it into a string. */
function spellings(key: Uint8Array): readonly string[] {
  const bytes = Buffer.from(key)
  return [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64').slice(0, 42),
    bytes.toString('base64url').slice(0, 42),
    [...bytes].join(','),
  ]
}

/** Every string of this process, in V8's own words. */
function stringsOfHeap(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'sotto-heap-'))
  try {
    return readFileSync(writeHeapSnapshot(join(directory, 'heap.heapsnapshot')))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function talk(world: World, from: Person, to: Person, count: number): Promise<void> {
  const ids = await Promise.all(Array.from({ length: count }, async (_each, i) => from.send(to, `message ${i}`)))
  for (const id of ids) await world.must(async () => (await from.status(id)) === 'delivered', 'delivered')
}

test('SE-01 SE-03 SE-04 SE-05 after 1,000 messages few keys are alive, none is a string, and a lock leaves none', async (t) => {
  const watch = new KeyWatch()
  const world = await World.of(['alice', 'bob'], { spy: (_name, crypto) => watch.over(crypto) })
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  for (let sent = 0; sent < MESSAGES; sent += 2 * BURST) {
    await talk(world, alice, bob, BURST)
    await talk(world, bob, alice, BURST)
  }
  assert.ok(watch.derived >= 2 * MESSAGES, `${watch.derived} keys were derived`)
  await world.clock.pass(5_000)
  collectGarbage()
  const live = watch.live()
  t.diagnostic(`${live} of ${watch.derived} keys are alive`)
  assert.ok(live > 0 && live <= LIVE_KEYS_MAX, `${live} of ${watch.derived} keys are alive`)

  const { identitySecret, mailboxSeed } = alice.rooms.account
  const careless = world.rng.bytes(32)
  const slips = spellings(careless)
  const heap = stringsOfHeap()
  for (const text of slips) assert.ok(heap.includes(text), 'the search finds what is there')
  const keys = [...watch.samples(), identitySecret, mailboxSeed]
  assert.ok(keys.length > (2 * MESSAGES) / SAMPLE_EVERY)
  for (const key of keys) for (const text of spellings(key)) assert.equal(heap.indexOf(text), -1, 'a key is a string')

  await alice.daemon.lock()
  await bob.daemon.lock()
  collectGarbage()
  assert.equal(watch.live(), 0)
  assert.ok(identitySecret.every((byte) => byte === 0) && mailboxSeed.every((byte) => byte === 0))
})
