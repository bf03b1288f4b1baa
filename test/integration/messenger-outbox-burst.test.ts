/** Many at once: a burst to someone who is away, and thousands that are due at the same moment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOOK_ITEMS_MAX, RECHECK_MS } from '../../src/services/outbox/limits.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import { HOLDER_VERB } from '../../src/wire/holder.ts'
import { World } from '../support/messenger.ts'

test('MB-44 500 messages at once to a contact who is away: all are stored within ten seconds, and each is read once', async (t) => {
  const world = await World.of(['alice', 'bob'], { holders: 8 })
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  bob.offline()
  const started = process.hrtime.bigint()
  const cpu = process.cpuUsage()
  const from = world.clock.now()
  const ids = await Promise.all(Array.from({ length: 500 }, async (_each, i) => alice.send(bob, `burst ${i}`)))
  const stored = (): number => {
    const entries = alice.rooms.outbox.queue.lanes().flatMap((lane) => [...lane.entries.values()])
    return entries.filter(({ receipts }) => receipts >= WRITE_QUORUM).length
  }
  await world.must(() => stored() >= 495, '99 % are stored', 10_000)
  const { user, system } = process.cpuUsage(cpu)
  t.diagnostic(
    `${stored()} of 500 after ${world.clock.now() - from} ms of virtual time, ` +
      `${Number((process.hrtime.bigint() - started) / 1_000_000n)} ms and ${Math.round((user + system) / 1_000)} CPU ms of real time`,
  )
  await world.must(() => stored() === 500, 'the rest')
  for (const id of ids) assert.equal(await alice.status(id), 'stored')
  bob.online()
  await world.must(async () => (await bob.app.conversations())[0]?.unread === 500, 'all are read')
  assert.equal(new Set(await bob.read(alice)).size, 500)
  assert.equal((await bob.events('message:received')).length, 500)
})

test('MB-44 a holder that says it is too much is given its quota, and the others the rest', async () => {
  const world = await World.of(['alice', 'bob'], { holders: 12 })
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  bob.offline()
  const [slow] = world.near(world.crypto.sha256(await mailboxOf(world)), 1)
  const limited = world.holders.find(({ peerId }) => peerId === slow?.id)
  assert.ok(limited)
  let asked = 0
  let tokens = 20
  limited.lie = async (_caller, request, honest) => {
    if (request.kind !== HOLDER_VERB.put) return honest()
    asked++
    return tokens-- > 0 ? honest() : { status: 3, answer: { kind: 0, body: {} }, closer: [] }
  }
  const ids = await Promise.all(Array.from({ length: 120 }, async (_each, i) => alice.send(bob, `paced ${i}`)))
  await world.must(async () => (await alice.status(ids.at(-1) ?? '')) === 'stored', 'stored', 10_000)
  await world.clock.pass(2_000)
  for (const id of ids) assert.deepEqual([(await alice.app.message(id)).stored, id.length], [5, 32])
  assert.ok(asked < 60, `${asked} questions to a holder that took 20`)
})

test('MB-19 600 that are due at once after a restart are looked for in three questions to each holder', async () => {
  const world = await World.of(['alice', 'bob'], { holders: 6 })
  await using _ = world
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  bob.offline()
  const ids = await Promise.all(Array.from({ length: 600 }, async (_each, i) => alice.send(bob, `due ${i}`)))
  const last = ids.at(-1) ?? ''
  await world.must(async () => (await alice.status(last)) === 'stored', 'stored', 60_000)
  await world.clock.pass(5_000)
  await alice.stop()
  const counts = new Map<number, number>()
  for (const holder of world.holders) {
    holder.lie = async (_caller, request, honest) => {
      counts.set(request.kind, (counts.get(request.kind) ?? 0) + 1)
      return honest()
    }
  }
  await world.clock.sleep(RECHECK_MS[0] + 60_000)
  await alice.start()
  alice.online()
  const checked = async (id: string): Promise<boolean> => (await alice.app.why(id)).devices[0]?.proved !== null
  await world.must(async () => (await checked(last)) && (await checked(ids[0] ?? '')), 'all are looked at')
  await world.clock.pass(5_000)
  const rounds = Math.ceil(600 / LOOK_ITEMS_MAX)
  const proves = (counts.get(HOLDER_VERB.prove) ?? 0) / 6
  assert.ok(proves >= rounds && proves <= rounds + 1, `${proves} questions to each holder`)
  assert.equal(counts.get(HOLDER_VERB.put), undefined)
})

/** Where Bob's letters go: a letter shows it. */
async function mailboxOf(world: World): Promise<Uint8Array> {
  const [alice, bob] = [world.named('alice'), world.named('bob')]
  const id = await alice.send(bob, 'probe')
  await world.must(async () => (await alice.status(id)) === 'stored', 'stored')
  const [letter] = world.letters.values()
  assert.ok(letter)
  return letter.address
}
