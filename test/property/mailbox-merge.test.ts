import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { nativeProvider as crypto } from '../../src/crypto/native.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { commitmentOf, idOfName, joinStates, nameOfLetter } from '../../src/protocol/mailbox-rules.ts'
import type { LetterState } from '../../src/protocol/mailbox-rules.ts'
import { Database } from '../../src/store/database.ts'
import { HeldStore } from '../../src/store/held.ts'
import type { HeldDeposit } from '../../src/store/held.ts'
import type { Letter, Tombstone } from '../../src/wire/letter.ts'

const NOW = 1_800_000_000_000
const rng = seededRng(21)
const path = await mkdtemp(join(tmpdir(), 'sotto-merge-'))
const db = await Database.open(path)
const held = await HeldStore.open(db, crypto, rng)
after(async () => {
  await db.close()
  await rm(path, { recursive: true, force: true })
})

interface Made {
  readonly deposit: HeldDeposit
  readonly id: Uint8Array
  readonly tombstone: Tombstone
}

function make(address: Uint8Array): Made {
  const preimage = rng.bytes(16)
  const letter: Letter = {
    version: 1,
    kind: 1,
    address,
    lane: new Uint8Array(16),
    expiry: NOW / HOUR_MS + 48,
    sizeClass: 0,
    commitment: commitmentOf(crypto, preimage),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext: rng.bytes(2_048),
  }
  const name = nameOfLetter(crypto, letter)
  const proof = { kind: 2, body: { reserved: 0 } } as const
  return { deposit: { letter, proof, rung: 0 }, id: idOfName(crypto, name), tombstone: { ...name, preimage, proof } }
}

const step = fc.record({
  which: fc.nat(2),
  what: fc.constantFrom('put', 'bury', 'lie'),
  together: fc.boolean(),
})

/** What the model expects of a letter: the join of everything genuine that was said about it. */
function expected(steps: readonly { which: number; what: string }[], which: number): LetterState {
  let state: LetterState = 'none'
  const mine = steps.filter((each) => each.which === which)
  for (const { what } of mine) {
    if (what === 'put') state = joinStates(state, 'live')
    if (what === 'bury') state = joinStates(state, 'dead')
  }
  return state
}

test('MB-16 I2 any order of puts, tombstones and false tombstones ends in the join of the genuine ones', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const address = rng.bytes(32)
      const made = [make(address), make(address), make(address)]
      const run = async ({ which, what }: { which: number; what: string }): Promise<void> => {
        const { deposit, id, tombstone } = made[which] as Made
        if (what === 'put') await held.putLetter(id, deposit)
        else if (what === 'bury') await held.adoptTombstone(id, tombstone)
        else assert.notEqual(await held.bury(id, { ...tombstone, preimage: rng.bytes(16) }), 'buried')
      }
      const under: Promise<void>[] = []
      for (const each of steps) {
        under.push(run(each))
        if (!each.together) await Promise.all(under.splice(0))
      }
      await Promise.all(under)
      const { live, dead } = await held.list(address, 0, 100, NOW)
      for (const [which, { id }] of made.entries()) {
        const state = expected(steps, which)
        assert.equal(
          live.some((entry) => toHex(entry.id) === toHex(id)),
          state === 'live',
        )
        assert.equal(
          dead.some((entry) => toHex(entry.id) === toHex(id)),
          state === 'dead',
        )
      }
    }),
    { numRuns: 60, seed: 7 },
  )
})

test('I3 replicas that got the same facts in different orders agree', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 10 }), fc.infiniteStream(fc.nat()), async (steps, picks) => {
      const genuine = steps.filter(({ what }) => what !== 'lie')
      const states = async (order: readonly { which: number; what: string }[]): Promise<string[]> => {
        const address = rng.bytes(32)
        const made = [make(address), make(address), make(address)]
        for (const { which, what } of order) {
          const { deposit, id, tombstone } = made[which] as Made
          await (what === 'put' ? held.putLetter(id, deposit) : held.adoptTombstone(id, tombstone))
        }
        const { live, dead } = await held.list(address, 0, 100, NOW)
        const name = (list: readonly { id: Uint8Array }[]) =>
          made.map(({ id }) => (list.some((entry) => toHex(entry.id) === toHex(id)) ? 1 : 0)).join('')
        return [name(live), name(dead)]
      }
      const rest = [...genuine]
      const shuffled = genuine.map(
        () => rest.splice((picks.next().value ?? 0) % rest.length, 1)[0] as (typeof steps)[number],
      )
      assert.deepEqual(await states(shuffled), await states(genuine))
    }),
    { numRuns: 40, seed: 8 },
  )
})
