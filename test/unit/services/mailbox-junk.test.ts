/** Letters of strangers that nobody can read: their holders let go of them when the owner has looked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { DAY_MS } from '../../../src/lib/time.ts'
import { commitmentOf, epochKey, epochOf, expiryHour, letterId } from '../../../src/protocol/mailbox-rules.ts'
import { LetterStamps, stampSolver } from '../../../src/services/stamps/solver.ts'
import type { LetterVerdict } from '../../../src/services/mailbox/collect.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { crypto, makeLetter, never, PROFILE, SIZES, Swarm } from './swarm.ts'
import type { HolderNode } from './swarm.ts'

const PLACES = 4
const WITHOUT_LANE = { kind: 2, body: { reserved: 0 } } as const

/** Bob's intro box with few places, and strangers who pay for them. Bob can read what `genuine` knows. */
async function introBox() {
  const swarm = await Swarm.create(5, { stampedLetters: PLACES })
  const seed = swarm.rng.bytes(32)
  const genuine = new Map<string, Uint8Array>()
  const read: string[] = []
  const bob = swarm.mailbox('bob', [seed], async (_, id): Promise<LetterVerdict> => {
    const preimage = genuine.get(toHex(id))
    if (preimage === undefined) return { kind: 'junk' }
    read.push(toHex(id))
    return { kind: 'commit', preimage }
  })
  const stranger = swarm.mailbox('stranger', [], async () => ({ kind: 'keep' }))
  await bob.cards.publishPolicies({ mailboxSeed: seed, number: 1, stampBits: 2, laneSeeds: [] }, never)
  const stamps = new LetterStamps(crypto, stampSolver(crypto, swarm.rng), swarm.clock)
  const letter = async (bits: number, preimage = swarm.rng.bytes(16)): Promise<Letter> => {
    const plain: Letter = {
      version: 1,
      kind: 2,
      address: epochKey(crypto, seed, epochOf(swarm.clock.now(), PROFILE)).address,
      lane: new Uint8Array(16),
      expiry: expiryHour(swarm.clock.now(), DAY_MS),
      sizeClass: 0,
      commitment: commitmentOf(crypto, preimage),
      stamp: { bits: 0, nonce: new Uint8Array(16) },
      ciphertext: swarm.rng.bytes(SIZES[0]),
    }
    return stamps.stamp(plain, bits, never)
  }
  const put = (stamped: Letter) => stranger.depositor.put(stamped, WITHOUT_LANE, { exclude: [], signal: never })
  /** A letter that Bob can read. */
  const knock = async (): Promise<Letter> => {
    const preimage = swarm.rng.bytes(16)
    const made = await letter(2, preimage)
    genuine.set(toHex(letterId(crypto, made)), preimage)
    return made
  }
  const fill = async (): Promise<Letter[]> => {
    const junk: Letter[] = []
    for (let i = 0; i < PLACES; i++) {
      const made = await letter(4)
      assert.equal((await put(made)).refused, 'none')
      junk.push(made)
    }
    return junk
  }
  const held = (): number => swarm.nodes.reduce((sum, node) => sum + node.held.usage.letters, 0)
  return { swarm, bob, seed, read, put, knock, fill, held }
}

test('AS-02 I4 a box full of junk with dear stamps is empty after the owner’s sweep, and a stranger gets in', async () => {
  const { swarm, bob, read, put, knock, fill, held } = await introBox()
  await using _ = swarm
  const junk = await fill()
  const first = await knock()
  assert.equal((await put(first)).refused, 'full')
  await bob.reader.sweep()
  assert.equal(held(), 0, 'all holders let go of all of it')
  assert.equal((await put(first)).receipts.length, 5)
  await bob.reader.sweep()
  assert.deepEqual(read, [toHex(letterId(crypto, first))])
  assert.equal((await put(junk[0] as Letter)).refused, 'gone', 'and do not take it back')
})

test('a holder that was away is told when it lists the junk again, and one that does not answer with the next sweep', async () => {
  const { swarm, bob, fill, held } = await introBox()
  await using _ = swarm
  const [junk] = await fill()
  const [away, silent] = (await swarm.holdersOf(letterId(crypto, junk as Letter))) as [HolderNode, HolderNode]
  away.down()
  silent.lie = async (_caller, request, honest) =>
    request.kind === 15 ? { status: 3, answer: { kind: 0, body: {} }, closer: [] } : honest()
  await bob.reader.sweep()
  assert.ok(away.held.usage.letters > 0 && silent.held.usage.letters > 0)
  silent.lie = undefined
  away.back()
  await swarm.clock.advance(11 * 60_000)
  await bob.reader.sweep()
  assert.equal(held(), 0)
})

test('what a contact sent over a lane is never dropped for being unreadable', async () => {
  await using swarm = await Swarm.create(5)
  const [seed, laneSeed] = [swarm.rng.bytes(32), swarm.rng.bytes(32)]
  const bob = swarm.mailbox('bob', [seed], async () => ({ kind: 'junk' }))
  await bob.cards.publishPolicies({ mailboxSeed: seed, number: 1, stampBits: 2, laneSeeds: [laneSeed] }, never)
  const { letter, proof, id } = makeLetter(swarm, seed, laneSeed)
  await bob.depositor.put(letter, proof, { exclude: [], signal: never })
  await bob.reader.sweep()
  await bob.reader.sweep()
  assert.equal((await swarm.holdersOf(id)).length, 5)
})
