import { test } from 'node:test'
import assert from 'node:assert/strict'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { PUZZLE_NONCE_BYTES, puzzleChallenge, puzzleHolds } from '../../../src/protocol/id-puzzle.ts'
import { stampEffort } from '../../../src/protocol/stamp.ts'
import { stampSolver } from '../../../src/services/stamps/solver.ts'

const SEED = 20_261_121
const BITS = 4
const rng = seededRng(SEED)
const solver = stampSolver(nativeProvider, rng)
const [mine, other] = [rng.bytes(32), rng.bytes(32)]
const challenge = (network: string, key: Uint8Array): Uint8Array => puzzleChallenge(nativeProvider, network, key)

test('MB-20 a puzzle is of one key on one network: its solution serves no other', async () => {
  const about = challenge('main', mine)
  const nonce = await solver.solve(about, BITS, new AbortController().signal)
  assert.equal(nonce.length, PUZZLE_NONCE_BYTES)
  const effort = await stampEffort(nativeProvider, about, nonce)
  assert.ok(effort >= BITS)
  assert.equal(await puzzleHolds(nativeProvider, about, nonce, effort), true)
  assert.equal(await puzzleHolds(nativeProvider, about, nonce, effort + 1), false, 'no more than was worked for')
  for (const strange of [challenge('main', other), challenge('local', mine)]) {
    assert.notDeepEqual(strange, about)
    const bits = await stampEffort(nativeProvider, strange, nonce)
    assert.equal(await puzzleHolds(nativeProvider, strange, nonce, bits + 1), false, 'worth what chance gives')
  }
})

test('where the network asks no price nothing is computed', async () => {
  const idle = { ...nativeProvider, argon2id: async () => Promise.reject(new Error('computed')) }
  assert.equal(await puzzleHolds(idle, challenge('local', mine), new Uint8Array(16), 0), true)
})

test('on the public network a holder id costs 2^13 tries of 4 MiB', async () => {
  assert.equal(MAIN.puzzleBits, 13)
  const costs: unknown[] = []
  const counting: typeof nativeProvider = {
    ...nativeProvider,
    argon2id: async (password, salt, cost) => {
      costs.push(cost)
      return nativeProvider.argon2id(password, salt, cost)
    },
  }
  await puzzleHolds(counting, challenge('main', mine), new Uint8Array(16), MAIN.puzzleBits)
  assert.deepEqual(costs, [{ memoryKiB: 4_096, passes: 1, length: 32 }])
})
