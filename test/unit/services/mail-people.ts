/** Two people whose mailbox rooms are real, in a swarm of real holders. */
import assert from 'node:assert/strict'
import { toHex } from '../../../src/lib/bytes.ts'
import type { LetterVerdict } from '../../../src/services/mailbox/collect.ts'
import type { Mailbox } from '../../../src/services/mailbox/mailbox.ts'
import type { HolderResponse } from '../../../src/wire/holder.ts'
import type { Letter } from '../../../src/wire/letter.ts'
import { makeLetter, never } from './swarm.ts'
import type { MadeLetter, Swarm } from './swarm.ts'

/** Bob's mailbox, with a policy in the network that lets Alice's lane write, and Alice who writes. */
export async function people(swarm: Swarm) {
  const bobSeed = swarm.rng.bytes(32)
  const laneSeed = swarm.rng.bytes(32)
  const preimages = new Map<string, Uint8Array>()
  const read: string[] = []
  const onLetter = async (_: Letter, id: Uint8Array): Promise<LetterVerdict> => {
    const preimage = preimages.get(toHex(id))
    if (preimage === undefined) return { kind: 'junk' }
    read.push(toHex(id))
    return { kind: 'commit', preimage }
  }
  const bob = swarm.mailbox('bob', [bobSeed], onLetter)
  const alice = swarm.mailbox('alice', [swarm.rng.bytes(32)], async () => ({ kind: 'junk' }))
  await bob.cards.publishPolicies({ mailboxSeed: bobSeed, number: 1, stampBits: 2, laneSeeds: [laneSeed] }, never)
  const write = (options: Parameters<typeof makeLetter>[3] = {}): MadeLetter => {
    const made = makeLetter(swarm, bobSeed, laneSeed, options)
    preimages.set(toHex(made.id), made.preimage)
    return made
  }
  const send = (made: MadeLetter, mailbox: Mailbox = alice) =>
    mailbox.depositor.put(made.letter, made.proof, { exclude: [], signal: never })
  return { alice, bob, bobSeed, laneSeed, write, send, read, preimages, onLetter }
}

/** Turns (of 2 ms) that the disks have for a step of the clock: whoever hangs on purpose must not stop time for ever. */
const TURNS_MAX = 250

/** Moves the clock in small steps, with the disks' work in between however slow they are, until `done` says so. */
export async function until(swarm: Swarm, done: () => boolean, stepMs = 100, steps = 2_000): Promise<void> {
  for (let i = 0; i < steps; i++) {
    if (done()) return
    await swarm.clock.advance(stepMs)
    for (let turn = 0; turn < TURNS_MAX && (turn === 0 || (swarm.busy > 0 && !done())); turn++)
      await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.fail('it never happened')
}

/** Resolves with the promise while the clock moves. */
export async function whileTimePasses<T>(swarm: Swarm, promise: Promise<T>, stepMs = 100): Promise<T> {
  let settled = false
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  await until(swarm, () => settled, stepMs)
  return promise
}

export const answer = (status: number, body: HolderResponse['answer'] = { kind: 0, body: {} }): HolderResponse =>
  ({ status, answer: body, closer: [] }) as HolderResponse
