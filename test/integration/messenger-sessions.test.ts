/** Sessions between whole messengers: lost state heals, replays and made-up resets do nothing, no crash repeats a nonce. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { concat, toHex } from '../../src/lib/bytes.ts'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { HOUR_MS } from '../../src/lib/time.ts'
import { epochOf, laneProof, letterId } from '../../src/protocol/mailbox-rules.ts'
import { bucketRange } from '../../src/store/buckets.ts'
import { DIRECT_FRAME } from '../../src/wire/direct.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import type { Letter } from '../../src/wire/letter.ts'
import { World } from '../support/messenger.ts'
import type { Person, WorldOptions } from '../support/messenger.ts'

const pair = async (options: WorldOptions = {}) => {
  const world = await World.of(['alice', 'bob'], options)
  return { world, alice: world.named('alice'), bob: world.named('bob') }
}

/** Bob's session records are gone, as after a damaged disk. */
async function loseSessions(who: Person): Promise<void> {
  await who.stop()
  await who.start()
  await who.disk.database.clear(bucketRange('sessions'))
  await who.rooms.sessions.reload()
  who.online()
}

const restarts = async (who: Person): Promise<number> => (await who.events('session:restarted')).length

test('E2-39 E2-40 E2-41 E2-42 a lost session database heals with the next message, in one exchange', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const before = await alice.send(bob, 'before')
  await world.must(async () => (await alice.status(before)) === 'delivered', 'delivered')
  const old = world.sent.filter(({ to }) => to === bob.peerId)
  await loseSessions(bob)
  const id = await alice.send(bob, 'can you read this?')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'it heals')
  assert.equal(await restarts(bob), 1)
  assert.equal(await restarts(alice), 0)
  assert.ok(bob.rooms.inbox.refused['no-session'] > 0, 'the cause is counted')
  const answer = await bob.send(alice, 'I can')
  await world.must(async () => (await bob.status(answer)) === 'delivered', 'and goes on')
  for (const { frame } of old) world.inject(alice, bob, frame)
  await world.clock.pass(5_000)
  assert.deepEqual(await bob.read(alice), ['before', 'can you read this?'], 'old packets stay what they are')
})

test('E2-41 the one that lost its sessions writes first', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await loseSessions(bob)
  const id = await bob.send(alice, 'I forgot everything')
  await world.must(async () => (await bob.status(id)) === 'delivered', 'delivered')
  const answer = await alice.send(bob, 'never mind')
  await world.must(async () => (await alice.status(answer)) === 'delivered', 'delivered')
  assert.equal((await restarts(bob)) + (await restarts(alice)), 0)
})

test('E2-43 twenty unacknowledged messages are encrypted again and arrive once', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.stop()
  const ids: string[] = []
  for (let i = 0; i < 20; i++) ids.push(await alice.send(bob, `m${i}`))
  await world.must(async () => (await alice.status(ids.at(-1) ?? '')) === 'stored', 'stored')
  await bob.start()
  await loseSessions(bob)
  await world.must(async () => {
    for (const id of ids) if ((await alice.status(id)) !== 'delivered') return false
    return true
  }, 'all are delivered')
  const read = await bob.read(alice)
  assert.deepEqual([...read].sort(), ids.map((_id, i) => `m${i}`).sort())
  assert.equal((await bob.events('message:received')).length, 20)
  assert.equal(alice.rooms.outbox.queue.waiting, 0)
})

test('E2-40 hostile resets are ignored, and one that passes for a contact costs one exchange in 10 minutes', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const id = await alice.send(bob, 'real')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  const garbage = (): DirectFrame => ({ kind: DIRECT_FRAME.envelope, body: { envelope: world.rng.bytes(2_048) } })
  for (let i = 0; i < 50; i++) world.inject('peer-stranger', bob, garbage())
  await world.clock.pass(5_000)
  assert.equal(await restarts(bob), 0, 'a stranger restarts nothing')
  alice.offline()
  const held = await alice.send(bob, 'by mail')
  alice.up = true
  world.block(alice, bob)
  bob.deaf = true
  await world.must(async () => (await alice.status(held)) === 'stored', 'stored')
  const model = [...world.letters.values()].at(-1)
  const [holder] = world.holders
  assert.ok(model && holder)
  bob.deaf = false
  const madeUp = (): Letter => ({ ...model, ciphertext: world.rng.bytes(model.ciphertext.length) })
  for (let i = 0; i < 10; i++) {
    bob.push(holder, madeUp())
    await world.clock.pass(1_000)
  }
  assert.equal(await restarts(bob), 0, 'a holder knows the lane, but not how to sign for it')
  const { grant } = (await alice.rooms.contacts.require(bob.id)).devices[0] ?? {}
  assert.ok(grant)
  for (let i = 0; i < 10; i++) {
    const letter = madeUp()
    const epoch = epochOf(world.clock.now(), LOCAL)
    const proof = laneProof(world.crypto, grant.laneSeed, epoch, letterId(world.crypto, letter))
    bob.push(holder, letter, { kind: 1, body: proof })
    await world.clock.pass(1_000)
  }
  assert.equal(await restarts(bob), 1)
  await world.must(async () => (await alice.status(held)) === 'delivered', 'what was under way still opens')
  world.unblock(alice, bob)
  const after = [await alice.send(bob, 'after'), await bob.send(alice, 'after too')]
  await world.must(async () => (await alice.status(after[0] ?? '')) === 'delivered', 'delivered')
  await world.must(async () => (await bob.status(after[1] ?? '')) === 'delivered', 'delivered')
  assert.deepEqual(await bob.read(alice), ['real', 'by mail', 'after'])
})

test('E2-44 MB-15 200 envelopes and letters played again, also after a restart: nothing is shown twice', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (let i = 0; i < 40; i++) await alice.send(bob, `d${i}`)
  await world.must(async () => (await bob.read(alice)).length === 40, 'direct ones')
  world.block(alice, bob)
  for (let i = 0; i < 4; i++) await alice.send(bob, `l${i}`)
  await world.must(async () => (await bob.read(alice)).length === 44, 'letters')
  await world.clock.pass(10_000)
  const frames = world.sent.filter(({ to, frame }) => to === bob.peerId && frame.kind === DIRECT_FRAME.envelope)
  const letters = [...world.letters.values()]
  const [holder] = world.holders
  assert.ok(holder && frames.length >= 40)
  for (const restart of [false, true]) {
    if (restart) {
      await bob.kill()
      await bob.start()
      bob.online()
      await world.clock.pass(2_000)
    }
    for (let i = 0; i < 3; i++) for (const { frame } of frames) world.inject(alice, bob, frame)
    for (const letter of letters) for (let i = 0; i < 5; i++) bob.push(holder, letter)
    await world.clock.pass(10_000)
  }
  assert.equal((await bob.events('message:received')).length, 44)
  assert.equal((await bob.read(alice)).length, 44)
  assert.equal((await bob.app.conversations())[0]?.unread, 44)
})

test('E2-44 a letter that a stranger puts in again under a new id is told to nobody', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  world.block(alice, bob)
  const id = await alice.send(bob, 'once')
  await world.must(async () => (await alice.status(id)) === 'delivered', 'delivered')
  const [letter] = [...world.letters.values()]
  const [holder] = world.holders
  assert.ok(letter && holder)
  for (let i = 1; i < 20; i++) {
    const again = { ...letter, expiry: letter.expiry - i }
    assert.notDeepEqual(letterId(world.crypto, again), letterId(world.crypto, letter))
    bob.push(holder, again)
  }
  await world.clock.pass(5_000)
  assert.deepEqual(await bob.read(alice), ['once'])
})

test('E2-05 garbage with a one-time id costs nothing: prekeys stay, and the true first message still opens', async () => {
  const world = await World.strangers(['alice', 'mallory'])
  await using _ = world
  const [alice, mallory] = [world.named('alice'), world.named('mallory')]
  alice.deaf = true
  await mallory.add(alice)
  const prekeys = async (): Promise<number> => (await alice.rooms.store.prekeys.signed.list()).length
  const count = await prekeys()
  await world.must(() => world.letters.size > 0, 'the request is put')
  const [letter] = [...world.letters.values()]
  const [holder] = world.holders
  assert.ok(letter && holder)
  alice.deaf = false
  for (let i = 0; i < 10; i++) {
    const ciphertext = letter.ciphertext.slice()
    ciphertext[600 + i * 211] = (ciphertext[600 + i * 211] ?? 0) ^ 1
    alice.push(holder, { ...letter, ciphertext })
  }
  await world.clock.pass(2_000)
  assert.equal(await prekeys(), count)
  assert.equal(alice.rooms.inbox.refused.authentication, 10)
  alice.online()
  alice.push(holder, letter)
  await world.must(async () => (await alice.rooms.contacts.get(mallory.id)) !== undefined, 'the true one opens')
  alice.push(holder, { ...letter, expiry: letter.expiry - 1 })
  await world.clock.pass(2_000)
  assert.equal((await alice.events('contact:requested')).length, 1)
})

test('E2-05 first messages of strangers that are no requests leave no session behind', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  await bob.app.removeContact(alice.address)
  const id = await alice.send(bob, 'you have removed me')
  await world.clock.pass(30_000)
  assert.notEqual(await alice.status(id), 'delivered')
  assert.deepEqual(bob.rooms.sessions.describe(alice.id), [])
  assert.equal((await bob.events('message:received')).length, 0)
})

test('E2-48 TE-11 sessions survive restarts of both sides between any two messages', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  const expected: Record<string, string[]> = { alice: [], bob: [] }
  for (let round = 0; round < 6; round++) {
    const [from, to] = round % 2 === 0 ? [alice, bob] : [bob, alice]
    const id = await from.send(to, `round ${round}`)
    expected[to.name]?.push(`round ${round}`)
    await world.must(async () => (await from.status(id)) === 'delivered', `round ${round}`)
    const who = round % 3 === 0 ? alice : bob
    await (round % 2 === 0 ? who.kill() : who.stop())
    await who.start()
    who.online()
  }
  assert.deepEqual(await bob.read(alice), expected['bob'])
  assert.deepEqual(await alice.read(bob), expected['alice'])
  assert.equal((await restarts(alice)) + (await restarts(bob)), 0)
})

test('TE-11 a long talk over a line that loses, doubles and reorders: every message once', async () => {
  const { world, alice, bob } = await pair({ seed: 5 })
  await using _ = world
  Object.assign(world.weather, { loss: 0.15, duplicate: 0.2, delay: 0.3 })
  const ids: [Person, string][] = []
  for (let i = 0; i < 30; i++) {
    const [from, to] = i % 3 === 0 ? [bob, alice] : [alice, bob]
    ids.push([from, await from.send(to, `t${i}`)])
    if (i % 4 === 0) await world.clock.pass(40)
  }
  const delivered = async (): Promise<boolean> => {
    for (const [from, id] of ids) if ((await from.status(id)) !== 'delivered') return false
    return true
  }
  await world.must(delivered, 'all are delivered', HOUR_MS)
  const all = [...(await alice.read(bob)), ...(await bob.read(alice))]
  assert.deepEqual(all.sort(), ids.map((_id, i) => `t${i}`).sort())
})

/** Notes every key and nonce that a node seals with; a pair that comes twice with other words is the end of secrecy. */
function nonceSpy(): { spy: NonNullable<WorldOptions['spy']>; reused: string[] } {
  const seen = new Map<string, string>()
  const reused: string[] = []
  const spy = (_name: string, crypto: CryptoProvider): CryptoProvider => ({
    ...crypto,
    seal(key, nonce, aad, plaintext) {
      const pair = toHex(crypto.sha256(key, nonce))
      const said = toHex(crypto.sha256(concat(aad, plaintext)))
      const before = seen.get(pair)
      if (before !== undefined && before !== said) reused.push(pair)
      seen.set(pair, said)
      return crypto.seal(key, nonce, aad, plaintext)
    },
  })
  return { spy, reused }
}

test('E2-47 DT-10 a crash at every write and every frame of a send: nothing accepted is lost, no nonce comes twice', async () => {
  const { spy, reused } = nonceSpy()
  const { world, alice, bob } = await pair({ spy })
  await using _ = world
  const accepted: string[] = []
  for (let point = 0; point < 9; point++) {
    const text = `point ${point}`
    const crash = point % 3 === 2 ? 'frame' : point % 3 === 1 ? 'last' : 'lose'
    const at = 1 + Math.floor(point / 3)
    const from = alice.disk.writes
    let frames = 0
    if (crash === 'frame') {
      alice.onSend = () => {
        if (++frames === at) alice.die()
      }
    } else {
      alice.disk.onWrite = (count) => (count - from === at ? crash : 'write')
    }
    const answer = alice.send(bob, text).then(
      () => accepted.push(text),
      () => {},
    )
    await Promise.race([answer, world.clock.pass(500)])
    await world.clock.pass(500)
    alice.onSend = undefined
    await alice.kill()
    await alice.start()
    alice.online()
  }
  await world.must(async () => {
    const read = await bob.read(alice)
    return accepted.every((text) => read.includes(text))
  }, 'all that was accepted arrives')
  const read = await bob.read(alice)
  assert.equal(new Set(read).size, read.length, 'and nothing twice')
  assert.ok(accepted.length > 0 && accepted.length < 9, `${accepted.length} were accepted`)
  assert.deepEqual(reused, [])
  await world.must(() => alice.rooms.outbox.queue.waiting === 0, 'all are acknowledged')
})

test('DT-10 MB-40 a crash at every write of taking in: nothing is acknowledged before it is on the disk', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  for (let point = 0; point < 8; point++) {
    const byMail = point % 2 === 1
    if (byMail) world.block(alice, bob)
    else world.unblock(alice, bob)
    const from = bob.disk.writes
    const at = 1 + Math.floor(point / 4)
    bob.disk.onWrite = (count) => (count - from === at ? (point % 4 < 2 ? 'lose' : 'last') : 'write')
    const id = await alice.send(bob, `p${point}`)
    await world.clock.pass(4_000)
    const told = (await alice.status(id)) === 'delivered'
    await bob.kill()
    await bob.start()
    if (told) assert.ok((await bob.read(alice)).includes(`p${point}`), 'what was acknowledged is there')
    bob.online()
    await world.must(async () => (await alice.status(id)) === 'delivered', `point ${point}`)
  }
  assert.deepEqual(
    (await bob.read(alice)).sort(),
    Array.from({ length: 8 }, (_each, point) => `p${point}`),
  )
})

test('DT-10 LS-08 a disk that refuses: no acknowledgement, nothing shown, and afterwards everything once', async () => {
  const { world, alice, bob } = await pair()
  await using _ = world
  bob.disk.full = true
  const ids: string[] = []
  for (let i = 0; i < 10; i++) ids.push(await alice.send(bob, `full ${i}`))
  await world.clock.pass(15_000)
  assert.deepEqual(
    world.sent.filter(({ from, frame }) => from === bob.peerId && frame.kind === DIRECT_FRAME.acks),
    [],
  )
  for (const id of ids) assert.notEqual(await alice.status(id), 'delivered')
  bob.disk.full = false
  await world.must(async () => (await bob.read(alice)).length === 10, 'all arrive', HOUR_MS)
  await world.must(
    async () => {
      for (const id of ids) if ((await alice.status(id)) !== 'delivered') return false
      return true
    },
    'all are told',
    HOUR_MS,
  )
  assert.deepEqual([...(await bob.read(alice))].sort(), ids.map((_id, i) => `full ${i}`).sort())
})

test('E2-47 a disk of the sender that refuses now and then: what was accepted arrives once, the rest not at all', async () => {
  const { spy, reused } = nonceSpy()
  const { world, alice, bob } = await pair({ spy })
  await using _ = world
  const accepted: string[] = []
  for (let i = 0; i < 20; i++) {
    const text = `try ${i}`
    const sending = alice.send(bob, text).then(
      () => accepted.push(text),
      () => {},
    )
    if (i % 4 === 1) alice.disk.full = true
    if (i % 4 === 3) {
      await world.clock.pass(100)
      alice.disk.full = false
    }
    await sending
  }
  alice.disk.full = false
  await world.must(async () => (await bob.read(alice)).length >= accepted.length, 'all arrive', HOUR_MS)
  await world.clock.pass(60_000)
  assert.deepEqual([...(await bob.read(alice))].sort(), [...accepted].sort())
  assert.ok(accepted.length > 3 && accepted.length < 20, `${accepted.length} accepted`)
  assert.equal(alice.rooms.outbox.queue.waiting, 0)
  assert.deepEqual(reused, [])
  const { events, last } = await alice.app.eventsSince(0, 1_000)
  assert.deepEqual(
    events.map(({ number }) => number),
    Array.from({ length: last }, (_each, i) => i + 1),
  )
})
