import { test } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL, MAIN } from '../../../src/lib/network-profile.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { takingRole } from '../../../src/taking-role.ts'
import { puzzleChallenge, puzzleHolds } from '../../../src/protocol/id-puzzle.ts'
import { ownPuzzle } from '../../../src/services/stamps/own-puzzle.ts'
import type { OwnPuzzle } from '../../../src/services/stamps/own-puzzle.ts'
import { stampSolver } from '../../../src/services/stamps/solver.ts'

const BITS = 4
const rng = seededRng(20_261_121)
const never = new AbortController().signal

async function puzzle(t: TestContext): Promise<{ own: OwnPuzzle; solved: () => number }> {
  const dir = await mkdtemp(join(tmpdir(), 'sotto-puzzle-'))
  t.after(async () => rm(dir, { recursive: true, force: true }))
  const inner = stampSolver(crypto, rng)
  let count = 0
  const solver: OwnPuzzle['solver'] = {
    solve: async (...args) => {
      count++
      return inner.solve(...args)
    },
  }
  const about = { network: 'test', publicKey: rng.bytes(32), bits: BITS }
  return { own: { crypto, solver, log: silentLogger, file: join(dir, 'node.puzzle'), ...about }, solved: () => count }
}

test('MB-20 the puzzle is worked out once and kept; a damaged file is worked out again', async (t) => {
  const { own, solved } = await puzzle(t)
  const nonce = await ownPuzzle(own, never)
  const challenge = puzzleChallenge(crypto, own.network, own.publicKey)
  assert.ok(await puzzleHolds(crypto, challenge, nonce, BITS))
  assert.deepEqual(new Uint8Array(await readFile(own.file)), nonce)
  assert.equal((await stat(own.file)).mode & 0o777, 0o600)
  assert.deepEqual(await ownPuzzle(own, never), nonce)
  assert.equal(solved(), 1)
  await writeFile(own.file, nonce.subarray(0, 9))
  await ownPuzzle(own, never)
  assert.equal(solved(), 2)
  await ownPuzzle({ ...own, bits: 0 }, never)
  assert.equal(solved(), 2, 'no price, no work')
})

test('a directory that cannot be written costs the work at each start, not the role', async (t) => {
  const { own } = await puzzle(t)
  const lost = { ...own, file: join(own.file, 'not', 'there') }
  const challenge = puzzleChallenge(crypto, own.network, own.publicKey)
  assert.ok(await puzzleHolds(crypto, challenge, await ownPuzzle(lost, never), BITS))
})

test('working it out is called off with the daemon', async (t) => {
  const { own } = await puzzle(t)
  const aborter = new AbortController()
  const solving = ownPuzzle({ ...own, bits: 200 }, aborter.signal)
  aborter.abort(new Error('stopped'))
  await assert.rejects(solving, /stopped/)
})

test('MB-20 the holder role waits for the puzzle and for the time, and for neither where the network asks neither', async () => {
  const clock = new VirtualClock()
  const taken: Uint8Array[] = []
  let solve: (nonce: Uint8Array) => void = () => {}
  const role = (profile: typeof MAIN): ReturnType<typeof takingRole> =>
    takingRole({
      profile,
      clock,
      log: silentLogger,
      puzzle: async () => (profile.puzzleBits === 0 ? new Uint8Array(16) : new Promise((resolve) => (solve = resolve))),
      take: async (nonce) => void taken.push(nonce),
      putDown: async () => {},
      reach: { now: () => 'public', onChange: () => () => {} },
    })
  await role(LOCAL).start()
  assert.equal(taken.length, 1)
  const main = role(MAIN)
  await main.start()
  await clock.advance(MAIN.holderUptimeMs + 1)
  assert.equal(taken.length, 1, 'not paid for yet')
  const nonce = rng.bytes(16)
  solve(nonce)
  await clock.advance(1)
  assert.deepEqual(taken[1], nonce)
  const stopped = role(MAIN)
  await stopped.start()
  solve(nonce)
  await clock.advance(10)
  await stopped.stop()
  await clock.advance(MAIN.holderUptimeMs)
  assert.equal(taken.length, 2, 'neither after the stop')
})
