/** What holders ask of each other, and tombstones of letters that a holder never saw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { mailboxDigest } from '../../../src/protocol/mailbox-digest.ts'
import { possessionHash } from '../../../src/protocol/mailbox-proofs.ts'
import {
  cardVersion,
  epochKey,
  expiryHour,
  idOfName,
  laneProof,
  nameOfLetter,
} from '../../../src/protocol/mailbox-rules.ts'
import { byDistance, rungPlacement } from '../../../src/protocol/replicas.ts'
import { PROVED_BYTES_MAX } from '../../../src/services/holder/prove.ts'
import { HOLDER_STATUS as STATUS, POSSESSION, RECONCILE_TOMBSTONES_MAX } from '../../../src/wire/holder.ts'
import type { HolderAnswer, HolderRequest, HolderResponse, Possession } from '../../../src/wire/holder.ts'
import type { Tombstone } from '../../../src/wire/letter.ts'
import { flipped } from '../protocol/card-fixtures.ts'
import { one, openOn } from './holder-fixture.ts'
import { crypto, directLink, makeLetter, never, positionOf } from './swarm.ts'
import type { MadeLetter } from './swarm.ts'

type Harness = Awaited<ReturnType<typeof one>>
const LAST = new Uint8Array(32).fill(255)

async function prove(h: Harness, ids: readonly Uint8Array[], nonce: Uint8Array): Promise<readonly Possession[]> {
  const { status, answer } = await h.ask({ kind: 10, body: { nonce, ids } })
  assert.equal(status, STATUS.ok)
  assert.ok(answer.kind === 5)
  return answer.body.proofs
}

// --- tombstones

test('MB-06 I7 a tombstone of a letter that was never here needs the lane, its signature and the preimage', async () => {
  await using h = await one()
  const made = h.make()
  const { tombstone } = made
  const stranger = h.swarm.rng.bytes(32)
  const lies: readonly (readonly [Tombstone, number])[] = [
    [{ ...tombstone, preimage: flipped(made.preimage) }, STATUS.refused],
    [{ ...tombstone, digest: flipped(tombstone.digest) }, STATUS.refused],
    [{ ...tombstone, header: { ...tombstone.header, expiry: tombstone.header.expiry - 1 } }, STATUS.refused],
    [{ ...tombstone, header: { ...tombstone.header, address: stranger } }, STATUS.lane],
    [{ ...tombstone, header: { ...tombstone.header, kind: 2 } }, STATUS.refused],
    [{ ...tombstone, proof: { kind: 1, body: laneProof(crypto, stranger, h.key.epoch, made.id) } }, STATUS.refused],
    [{ ...tombstone, proof: { kind: 2, body: { reserved: 0 } } }, STATUS.refused],
    [h.make({}, stranger).tombstone, STATUS.lane],
    [makeLetter(h.swarm, stranger, h.lanes[0]).tombstone, STATUS.lane],
  ]
  for (const [i, [lie, status]] of lies.entries()) assert.equal((await h.tomb([lie])).status, status, `lie ${i}`)
  assert.equal(h.node.held.usage.mailDiskBytes, 0)
  assert.equal((await h.put(made)).status, STATUS.ok)
  assert.equal((await h.tomb([tombstone])).status, STATUS.ok)
})

test('MB-16 I2 the owner is told of a letter that died before it came, also after a restart', async () => {
  await using h = await one()
  const made = h.make()
  assert.equal((await h.tomb([made.tombstone])).status, STATUS.ok)
  await h.node.restart()
  const link = directLink(h.swarm, h.node)
  await openOn(link, h.key)
  const { answer } = await h.ask({ kind: 5, body: { address: h.key.address, cursor: undefined } }, link)
  assert.ok(answer.kind === 3)
  assert.deepEqual(answer.body.dead, [{ id: made.id, preimage: made.preimage }])
  assert.equal((await h.put(made, link)).status, STATUS.gone)
  for (const kind of [1, 13] as const) {
    const { letter, proof } = made
    assert.equal((await h.ask({ kind, body: { letter, proof, rung: 1 } }, link)).status, STATUS.gone)
  }
})

test('MB-16 where the policy is unknown the answer says so, and the tombstone is taken once it was brought', async () => {
  await using h = await one()
  const fresh = await h.swarm.add()
  const link = directLink(h.swarm, fresh)
  const { tombstone } = h.make()
  assert.equal((await h.tomb([tombstone], link)).status, STATUS.lane)
  assert.equal((await h.ask({ kind: 2, body: { kind: 3, body: await h.policy(1) } }, link)).status, STATUS.ok)
  assert.equal((await h.tomb([tombstone], link)).status, STATUS.ok)
})

test("AS-02 a tombstone of a stranger's letter is asked for the letter's stamp", async () => {
  await using h = await one()
  const { letter, preimage } = h.make({ lifeMs: 7 * DAY_MS })
  const stamped = await h.stamps.stamp(letter, 2, never)
  const proof = { kind: 2, body: { reserved: 0 } } as const
  const tombstone: Tombstone = { ...nameOfLetter(crypto, stamped), preimage, proof }
  const { header } = tombstone
  const bits = (claimed: number): Tombstone => ({
    ...tombstone,
    header: { ...header, stamp: { ...header.stamp, bits: claimed } },
  })
  assert.equal((await h.tomb([bits(1)])).status, STATUS.stamp)
  assert.equal((await h.tomb([bits(40)])).status, STATUS.stamp)
  assert.equal((await h.tomb([tombstone])).status, STATUS.ok)
  assert.equal((await h.ask({ kind: 1, body: { letter: stamped, proof, rung: 0 } })).status, STATUS.gone)
})

test('MB-11 a tombstone is kept as long as its letter could come back, and neither longer nor for letters from afar', async () => {
  await using h = await one()
  const now = h.swarm.clock.now()
  const made = h.make({ lifeMs: 2 * HOUR_MS })
  const { header } = made.tombstone
  const at = async (expiry: number): Promise<number> =>
    (await h.tomb([{ ...made.tombstone, header: { ...header, expiry } }])).status
  assert.equal(await at(Math.floor(now / HOUR_MS) - 24), STATUS.ok, 'nobody needs it any more')
  assert.equal(await at(expiryHour(now, 30 * DAY_MS) + 2), STATUS.refused)
  assert.equal(h.node.held.usage.mailDiskBytes, 0)
  await h.swarm.clock.advance(10 * HOUR_MS)
  assert.equal((await h.tomb([made.tombstone])).status, STATUS.ok)
  assert.equal(h.node.held.usage.mailDiskBytes, 512)
  await h.node.held.sweep(now + 26 * HOUR_MS)
  assert.equal(h.node.held.usage.mailDiskBytes, 0)
})

// --- PROVE

test('MB-20 possession is shown over nonce and holder, death by its tombstone, and nothing for what is not here', async () => {
  await using h = await one()
  const [held, dead, other] = [h.make(), h.make(), h.make()] as const
  for (const each of [held, dead]) await h.put(each)
  await h.tomb([dead.tombstone])
  const nonce = h.swarm.rng.bytes(16)
  const proofs = await prove(h, [other.id, held.id, dead.id], nonce)
  const hash = possessionHash(crypto, nonce, h.node.peerId, held.letter.ciphertext)
  assert.deepEqual(proofs, [
    { kind: POSSESSION.none, body: {} },
    { kind: POSSESSION.held, body: { hash } },
    { kind: POSSESSION.dead, body: dead.tombstone },
  ])
  assert.notDeepEqual(await prove(h, [held.id], h.swarm.rng.bytes(16)), [proofs[1]])
})

test('AS-01 a proof over more than 4 MiB is put off, and its bytes are paid for', async () => {
  await using h = await one({ laneBytes: 2 ** 30, sourceRequestsBurst: 300, sourceRequestsPerSecond: 1 })
  const count = PROVED_BYTES_MAX / 65_536 + 3
  const made = Array.from({ length: count }, () => h.make({ sizeClass: 4 }))
  for (const each of made) await h.node.held.putLetter(each.id, each)
  const proofs = await prove(h, [...made.map(({ id }) => id), h.swarm.rng.bytes(32)], h.swarm.rng.bytes(16))
  assert.equal(proofs.filter(({ kind }) => kind === POSSESSION.held).length, count - 3)
  assert.equal(proofs.filter(({ kind }) => kind === POSSESSION.later).length, 3)
  assert.equal(proofs.at(-1)?.kind, POSSESSION.none)
  const again = { kind: 10, body: { nonce: new Uint8Array(16), ids: [made[0]?.id ?? assert.fail()] } } as const
  for (let i = 0; i < 50; i++) await h.ask(again)
  assert.equal((await h.ask(again)).status, STATUS.rate)
})

// --- SYNC and RECONCILE

/** Two holders with the policy, and what is said between them. */
async function two() {
  const h = await one()
  const other = await h.swarm.add()
  const link = directLink(h.swarm, other, h.node.peerId)
  const { address } = h.key
  const policy = await h.node.held.cards.get(address, h.swarm.clock.now())
  await h.ask({ kind: 2, body: policy ?? assert.fail() }, link)
  const salt = h.swarm.rng.bytes(16)
  const after = Math.ceil(h.swarm.clock.now() / HOUR_MS) + 1
  const differs = async (box = address): Promise<boolean> => {
    const digest = mailboxDigest(crypto, salt, await h.node.held.summary(box, after))
    const body = {
      salt,
      after,
      boxes: [
        { address: h.swarm.rng.bytes(32), digest: new Uint8Array(16) },
        { address: box, digest },
      ],
    }
    const { answer } = await h.ask({ kind: 11, body }, link)
    assert.ok(answer.kind === 6)
    assert.equal(answer.body.places[0], 0, 'a mailbox of which it knows nothing has a digest too')
    return answer.body.places.includes(1)
  }
  const reconcile = async (change: Partial<Extract<HolderRequest, { kind: 12 }>['body']> = {}, on = link) => {
    const dead: Uint8Array[] = []
    for await (const id of h.node.held.graves.ids(address, { after })) dead.push(id)
    const policy = await h.node.held.policyVersion(address, after)
    const body = { address, after, from: new Uint8Array(32), upto: LAST, dead, policy, ...change }
    return h.ask({ kind: 12, body }, on)
  }
  const settled = async (): Promise<void> => {
    const { dead, wanted, more } = reconciled(await reconcile())
    const own: Uint8Array[] = []
    for await (const id of h.node.held.graves.ids(address, { after })) own.push(id)
    for (const tombstone of dead) await h.node.held.adoptTombstone(idOfName(crypto, tombstone), tombstone)
    for (const place of wanted) {
      const grave = await h.node.held.graves.get(own[place] as Uint8Array)
      assert.equal((await h.tomb([grave?.tombstone ?? assert.fail()], link)).status, STATUS.ok)
    }
    if (more) await settled()
  }
  return {
    ...h,
    other,
    link,
    differs,
    reconcile,
    settled,
    after,
    [Symbol.asyncDispose]: () => h[Symbol.asyncDispose](),
  }
}

function reconciled({ status, answer }: HolderResponse): Extract<HolderAnswer, { kind: 7 }>['body'] {
  assert.equal(status, STATUS.ok)
  assert.ok(answer.kind === 7)
  return answer.body
}

test('MB-16 I2 I3 two holders with different tombstones and policies end alike, and then their digests are the same', async () => {
  await using h = await two()
  assert.equal(await h.differs(), false)
  const made = Array.from({ length: 12 }, () => h.make({ sizeClass: 0 }))
  for (const [i, each] of made.entries()) {
    if (i % 3 !== 0) await h.tomb([each.tombstone], directLink(h.swarm, h.node))
    if (i % 3 !== 1) await h.tomb([each.tombstone], h.link)
    if (i % 2 === 0) await h.put(each, directLink(h.swarm, h.node))
  }
  assert.equal(await h.differs(), true)
  await h.settled()
  assert.equal(await h.differs(), false)
  for (const { id } of made) assert.equal(await h.node.held.stateOf(id), 'gone')
  await h.ask({ kind: 2, body: { kind: 3, body: await h.policy(2) } }, h.link)
  assert.equal(await h.differs(), true)
  const { policy, policyWanted } = reconciled(await h.reconcile())
  assert.equal(policy?.body.number, 2)
  assert.equal(policyWanted, false)
  assert.equal(reconciled(await h.reconcile({ policy: undefined })).policy?.body.number, 2)
  const newer = cardVersion(crypto, { kind: 3, body: await h.policy(3) })
  assert.deepEqual(reconciled(await h.reconcile({ policy: newer })).policyWanted, true)
})

test('a mailbox with more dead letters than an answer holds is brought together in pieces', async () => {
  await using h = await two()
  const count = RECONCILE_TOMBSTONES_MAX + 20
  const made = Array.from({ length: count }, () => h.make({ sizeClass: 0 }))
  await Promise.all(made.map(({ id, tombstone }) => h.other.held.adoptTombstone(id, tombstone)))
  const mine = h.make({ sizeClass: 0 })
  await h.node.held.adoptTombstone(mine.id, mine.tombstone)
  const first = reconciled(await h.reconcile())
  assert.equal(first.dead.length, RECONCILE_TOMBSTONES_MAX)
  assert.equal(first.more, true)
  await h.settled()
  assert.equal(await h.differs(), false)
})

test('what has nearly run out is left out of digests, so that sweeps at different times make no difference', async () => {
  await using h = await two()
  const short = h.make({ lifeMs: HOUR_MS })
  await h.node.held.adoptTombstone(short.id, short.tombstone)
  assert.equal(await h.differs(), false)
  assert.equal(reconciled(await h.reconcile({ dead: [] })).dead.length, 0)
})

test('MB-03 AS-08 who is not of the zone is not told what died in a mailbox; its owner is', async () => {
  await using h = await one()
  const peers = Array.from({ length: 2_000 }, (_, i) => ({ peerId: `peer-${i}`, position: positionOf(`peer-${i}`) }))
  h.swarm.near = (target, count) =>
    byDistance(target, peers)
      .slice(0, count)
      .map(({ peerId }) => ({ id: peerId, addresses: [] }))
  const { address } = h.key
  const request: HolderRequest = {
    kind: 12,
    body: { address, after: 0, from: new Uint8Array(32), upto: LAST, dead: [], policy: undefined },
  }
  const status = async (name: string): Promise<number> =>
    (await h.ask(request, directLink(h.swarm, h.node, name))).status
  for (const rung of [0, 1, 2]) {
    const zone = h.swarm.near(rungPlacement(crypto, address, rung), 30, '')
    for (const { id } of zone) assert.equal(await status(id), STATUS.ok)
  }
  const near = await Promise.all(peers.slice(0, 200).map(async ({ peerId }) => status(peerId)))
  assert.ok(near.filter((each) => each === STATUS.closed).length > 150)
  const owner = directLink(h.swarm, h.node, 'whoever')
  assert.equal((await h.ask(request, owner)).status, STATUS.closed)
  await openOn(owner, h.key)
  assert.equal((await h.ask(request, owner)).status, STATUS.ok)
})

// --- COPY, LEAVING, DROP

test('MB-44 a copy from another holder does not count for the day of the lane, and has a ration of bytes of its own', async () => {
  await using h = await one({ laneLettersPerDay: 2, sourceCopyBytesPerSecond: 1_000, sourceCopyBytesBurst: 16_384 })
  const copy = async ({ letter, proof }: MadeLetter): Promise<number> =>
    (await h.ask({ kind: 13, body: { letter, proof, rung: 2 } })).status
  for (let i = 0; i < 2; i++) assert.equal((await h.put(h.make())).status, STATUS.ok)
  assert.equal((await h.put(h.make())).status, STATUS.full)
  const made = Array.from({ length: 4 }, () => h.make())
  for (const each of made) assert.equal(await copy(each), STATUS.ok)
  assert.equal(await copy(h.make()), STATUS.rate)
  await h.swarm.clock.advance(5_000)
  assert.equal(await copy(h.make({}, h.swarm.rng.bytes(32))), STATUS.lane)
  const stored = await h.node.held.deposit(made[0]?.id ?? assert.fail(), h.swarm.clock.now())
  assert.deepEqual([stored?.rung, stored?.proof], [2, made[0]?.proof])
})

test('MB-16 a mailbox whose epoch is over takes no new mail, but copies and tombstones of what lies there', async () => {
  await using h = await one()
  const [copied, dead, late] = [h.make(), h.make(), h.make()]
  await h.swarm.clock.advance(9 * DAY_MS)
  assert.equal((await h.put(late)).status, STATUS.lane)
  const { letter, proof } = copied
  assert.equal((await h.ask({ kind: 13, body: { letter, proof, rung: 0 } })).status, STATUS.ok)
  assert.equal((await h.tomb([dead.tombstone])).status, STATUS.ok)
  await h.swarm.clock.advance(20 * DAY_MS)
  assert.equal((await h.tomb([copied.tombstone])).status, STATUS.ok)
  const fresh = await h.swarm.add()
  const record = await h.node.held.cards.get(h.key.address, h.swarm.clock.now())
  const link = directLink(h.swarm, fresh)
  assert.equal((await h.ask({ kind: 2, body: record ?? assert.fail() }, link)).status, STATUS.ok)
  const { letter: last, proof: lastProof } = late
  assert.equal((await h.ask({ kind: 13, body: { letter: last, proof: lastProof, rung: 0 } }, link)).status, STATUS.ok)
})

test('a peer that leaves is heard, three times and no more', async () => {
  await using h = await one()
  const link = directLink(h.swarm, h.node, 'going', '5.9.1.1')
  const leave = async (): Promise<number> => (await h.ask({ kind: 14, body: {} }, link)).status
  assert.deepEqual([await leave(), await leave(), await leave(), await leave()], [0, 0, 0, STATUS.rate])
  assert.deepEqual(h.node.left, ['going', 'going', 'going'])
})

test('MB-06 letters are dropped by the owner of their mailbox alone, and not taken back for a day', async () => {
  await using h = await one()
  const [junk, kept] = [h.make(), h.make()]
  for (const each of [junk, kept]) await h.put(each)
  const drop = async (address: Uint8Array): Promise<number> =>
    (await h.ask({ kind: 15, body: { address, ids: [junk.id] } })).status
  assert.equal(await drop(h.key.address), STATUS.closed)
  const own = epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
  await h.open(h.link, own)
  assert.equal(await drop(own.address), STATUS.ok)
  assert.equal(h.node.held.usage.letters, 2, 'it is not of that mailbox')
  await h.open()
  assert.equal(await drop(h.key.address), STATUS.ok)
  const { live, dead } = await h.list()
  assert.deepEqual([live.map(({ id }) => toHex(id)), dead], [[toHex(kept.id)], []])
  assert.equal((await h.put(junk)).status, STATUS.gone)
  const { letter, proof } = junk
  assert.equal((await h.ask({ kind: 13, body: { letter, proof, rung: 0 } })).status, STATUS.gone)
  assert.deepEqual(await prove(h, [junk.id], new Uint8Array(16)), [{ kind: POSSESSION.none, body: {} }])
  await h.swarm.clock.advance(DAY_MS)
  assert.equal((await h.put(junk)).status, STATUS.ok)
})
