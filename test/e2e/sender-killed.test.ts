/** A sender killed at random moments of a send loop, the receiver there or away: accepted means delivered, once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { randomBelow, seededRng } from '../../src/lib/rng.ts'
import { befriend, pause, startNetwork, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'
import { SEED } from '../support/strict.ts'

const ROUNDS = Number(process.env['SOTTO_KILLS'] ?? 6)
const LIFE_MS_MAX = 700
const bed = new Testbed()
let alice: Daemon
let bob: Daemon

before(async () => {
  const people = await startNetwork(bed, 6, ['alice', 'bob'])
  alice = people[0] ?? assert.fail()
  bob = people[1] ?? assert.fail()
  await befriend(alice, bob)
})
after(() => bed.close())

/** Sends one after another until the daemon dies under it. What was accepted goes to `accepted`, all to `tried`. */
async function sendUntilDead(to: string, round: number, accepted: string[], tried: string[]): Promise<void> {
  for (let i = 0; ; i++) {
    const words = `round ${round} message ${i}`
    tried.push(words)
    try {
      await alice.send(to, words)
    } catch {
      return
    }
    accepted.push(words)
  }
}

test(`E2-47 I1b I1c TE-07 a sender killed ${ROUNDS} times loses no accepted message and repeats none (seed ${SEED})`, async () => {
  const rng = seededRng(SEED)
  const [aliceId, bobId] = [await alice.accountId(), await bob.accountId()]
  const accepted: string[] = []
  const tried: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    if (round === Math.floor(ROUNDS / 2)) await bob.stop()
    const sending = sendUntilDead(bobId, round, accepted, tried)
    await pause(randomBelow(rng, LIFE_MS_MAX))
    await alice.kill()
    await sending
    await alice.start()
    await alice.ready()
  }
  assert.ok(accepted.length > ROUNDS, `${accepted.length} accepted`)
  await bob.start()
  const arrived = async (): Promise<readonly string[]> =>
    (await bob.messages(aliceId)).filter((message) => !message.outgoing).map((message) => message.text)
  await until(
    'every accepted message has arrived',
    async () => {
      const texts = new Set(await arrived())
      const missing = accepted.filter((words) => !texts.has(words))
      if (missing.length > 0)
        throw new Error(`${missing.length} of ${accepted.length} are missing: ${missing.slice(0, 3).join(', ')}`)
      return true
    },
    90_000,
  )
  const texts = await arrived()
  assert.equal(new Set(texts).size, texts.length, 'none came twice')
  assert.deepEqual(
    texts.filter((words) => !tried.includes(words)),
    [],
  )
})
