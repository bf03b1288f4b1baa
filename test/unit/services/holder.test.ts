import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex, utf8 } from '../../../src/lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import { accountId } from '../../../src/protocol/account-id.ts'
import { ownerProof, receiptHolds } from '../../../src/protocol/mailbox-proofs.ts'
import {
  accountCardKey,
  cardHash,
  cardKey,
  epochKey,
  expiryHour,
  laneProof,
  letterId,
  prekeyCardKey,
} from '../../../src/protocol/mailbox-rules.ts'
import { LISTED_MAX } from '../../../src/services/holder/mailbox-access.ts'
import { encode } from '../../../src/wire/codec.ts'
import { CARD_KIND, cardRecordCodec, HOLDER_STATUS as STATUS } from '../../../src/wire/holder.ts'
import type { CardRecord, HolderRequest, HolderResponse } from '../../../src/wire/holder.ts'
import type { Deposit, Letter } from '../../../src/wire/letter.ts'
import { cardOf, certificateOf, flipped, idOf, NOW_S, prekeysOf } from '../protocol/card-fixtures.ts'
import { one, openOn } from './holder-fixture.ts'
import { crypto, directLink, makeLetter, never, SIZES, Swarm } from './swarm.ts'
import type { HolderNode, MadeLetter, MemoryLink } from './swarm.ts'

async function diskOf(node: HolderNode): Promise<Buffer> {
  const names = await readdir(node.path)
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(node.path, name)))))
}

// --- letters

test('MB-28 a put is answered with a signed receipt, and again when it is repeated', async () => {
  await using h = await one()
  const made = h.make()
  for (let i = 0; i < 2; i++) {
    const { status, answer } = await h.put(made)
    assert.equal(status, STATUS.ok)
    assert.ok(answer.kind === 1)
    const publicKey = crypto.ed25519PublicKey(h.node.seed)
    assert.ok(receiptHolds(crypto, publicKey, h.node.peerId, made.id, answer.body))
  }
  assert.equal(h.node.held.usage.letters, 1)
})

test('MB-10 the size classes go in, and nothing between them', async () => {
  await using h = await one()
  for (const sizeClass of [0, 1, 2, 3, 4] as const) {
    assert.equal((await h.put(h.make({ sizeClass }))).status, STATUS.ok)
    const made = h.make({ sizeClass })
    const short = { ...made.letter, ciphertext: made.letter.ciphertext.slice(1) }
    assert.equal((await h.put({ ...made, letter: short })).status, STATUS.refused)
  }
})

test('MB-11 a letter must expire ahead of now and within 30 days', async () => {
  await using h = await one()
  const now = h.swarm.clock.now()
  const at = async (expiry: number): Promise<number> => {
    const { letter, proof } = h.make()
    return (await h.put({ letter: { ...letter, expiry }, proof })).status
  }
  assert.equal(await at(Math.floor(now / HOUR_MS)), STATUS.expired)
  assert.equal(await at(expiryHour(now, 30 * DAY_MS) + 2), STATUS.expired)
})

test('a lane must stand in the policy, and its key must have signed', async () => {
  await using h = await one()
  const stranger = h.swarm.rng.bytes(32)
  assert.equal((await h.put(h.make({}, stranger))).status, STATUS.lane)
  const made = h.make()
  const forged = laneProof(crypto, stranger, h.key.epoch, made.id)
  assert.equal((await h.put({ ...made, proof: { kind: 1, body: forged } })).status, STATUS.refused)
  const other = makeLetter(h.swarm, h.swarm.rng.bytes(32), h.lanes[0])
  assert.equal((await h.put(other)).status, STATUS.lane)
  assert.equal(
    (await h.ask({ kind: 1, body: { letter: made.letter, proof: { kind: 2, body: { reserved: 0 } }, rung: 0 } }))
      .status,
    STATUS.refused,
  )
})

test('a lane that was dropped from the policy is shut at once', async () => {
  await using h = await one()
  assert.equal((await h.put(h.make())).status, STATUS.ok)
  assert.equal(await h.putCard({ kind: 3, body: await h.policy(2, [h.lanes[1]]) }), STATUS.ok)
  assert.equal((await h.put(h.make())).status, STATUS.lane)
  assert.equal((await h.put(h.make({}, h.lanes[1]))).status, STATUS.ok)
})

test('a stranger writes with a stamp of the price that the network and the owner ask', async () => {
  await using h = await one()
  assert.equal((await h.putStamped(h.make({ lifeMs: 7 * DAY_MS }).letter, 2)).status, STATUS.ok)
  assert.equal((await h.putStamped(h.make({ lifeMs: 7 * DAY_MS }).letter, 1)).status, STATUS.stamp)
  const { letter } = h.make()
  const claim = {
    ...letter,
    kind: 2,
    lane: new Uint8Array(16),
    stamp: { bits: 30, nonce: new Uint8Array(16) },
  } as const
  const { status } = await h.ask({
    kind: 1,
    body: { letter: claim, proof: { kind: 2, body: { reserved: 0 } }, rung: 0 },
  })
  assert.equal(status, STATUS.stamp)
})

test('MB-06 only who knows the preimage deletes, and what is deleted does not come back', async () => {
  await using h = await one()
  const made = h.make()
  await h.put(made)
  const tomb = (preimage: Uint8Array): Promise<HolderResponse> =>
    h.ask({ kind: 7, body: { tombstones: [{ ...made.tombstone, preimage }] } })
  assert.equal((await tomb(flipped(made.preimage))).status, STATUS.refused)
  assert.equal(h.node.held.usage.letters, 1)
  assert.equal((await tomb(made.preimage)).status, STATUS.ok)
  assert.equal(h.node.held.usage.letters, 0)
  assert.equal((await h.put(made)).status, STATUS.gone)
  assert.equal((await tomb(made.preimage)).status, STATUS.ok)
})

test('MB-16 a tombstone that came before its letter keeps it out; a false one does not', async () => {
  await using h = await one()
  const [early, lied] = [h.make(), h.make()]
  assert.equal((await h.ask({ kind: 7, body: { tombstones: [early.tombstone] } })).status, STATUS.ok)
  const lie = { ...lied.tombstone, preimage: flipped(lied.preimage) }
  assert.equal((await h.ask({ kind: 7, body: { tombstones: [lie] } })).status, STATUS.refused)
  assert.equal((await h.put(early)).status, STATUS.gone)
  assert.equal((await h.put(lied)).status, STATUS.ok)
  await h.open()
  const { live, dead } = await h.list()
  assert.deepEqual(
    live.map(({ id }) => id),
    [lied.id],
  )
  assert.deepEqual(
    dead.map(({ id }) => id),
    [early.id],
  )
})

// --- mailboxes

test('MB-03 ID-24 a mailbox opens for its owner alone', async () => {
  await using h = await one()
  const made = h.make()
  await h.put(made)
  const { address } = h.key
  const verbs: HolderRequest[] = [
    { kind: 5, body: { address, cursor: undefined } },
    { kind: 6, body: { address, ids: [made.id] } },
    { kind: 8, body: { address } },
  ]
  for (const request of verbs) assert.equal((await h.ask(request)).status, STATUS.closed)
  const mallory = epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
  const claim = await ownerProof(crypto, { ...mallory, address }, h.link.challenge, h.node.peerId)
  assert.equal((await h.ask({ kind: 4, body: { address, proof: claim } })).status, STATUS.refused)
  const other = directLink(h.swarm, h.node, 'bob')
  const seen = await ownerProof(crypto, h.key, other.challenge, h.node.peerId)
  assert.equal((await h.ask({ kind: 4, body: { address, proof: seen } })).status, STATUS.refused)
  const elsewhere = await ownerProof(crypto, h.key, h.link.challenge, 'peer-elsewhere')
  assert.equal((await h.ask({ kind: 4, body: { address, proof: elsewhere } })).status, STATUS.refused)
  for (const request of verbs) assert.equal((await h.ask(request)).status, STATUS.closed)
  assert.equal((await h.open()).status, STATUS.ok)
  for (const request of verbs) assert.equal((await h.ask(request)).status, STATUS.ok)
  const fresh = directLink(h.swarm, h.node, 'mallory')
  assert.equal((await fresh.request(verbs[0] as HolderRequest, never)).status, STATUS.closed)
})

test('an opened mailbox gives no letters of another one', async () => {
  await using h = await one()
  const made = h.make()
  await h.put(made)
  const own = epochKey(crypto, h.swarm.rng.bytes(32), h.key.epoch)
  assert.equal((await h.open(h.link, own)).status, STATUS.ok)
  const { answer } = await h.ask({ kind: 6, body: { address: own.address, ids: [made.id] } })
  assert.ok(answer.kind === 4 && answer.body.letters.length === 0)
})

test('MB-04 MB-40 a hundred letters put at once are all listed, and reading takes nothing away', async () => {
  await using h = await one()
  const made = Array.from({ length: 100 }, () => h.make({ sizeClass: 0 }))
  const answers = await Promise.all(made.map((each) => h.put(each)))
  assert.ok(answers.every(({ status }) => status === STATUS.ok))
  await h.open()
  for (let i = 0; i < 2; i++) {
    const { live } = await h.list()
    assert.deepEqual(new Set(live.map(({ id }) => toHex(id))), new Set(made.map(({ id }) => toHex(id))))
  }
  const ids = made.slice(0, 64).map(({ id }) => id)
  for (let i = 0; i < 2; i++) {
    const { answer } = await h.ask({ kind: 6, body: { address: h.key.address, ids } })
    assert.ok(answer.kind === 4)
    assert.deepEqual(
      answer.body.letters.map(({ letter }) => letterId(crypto, letter)),
      ids,
    )
  }
})

test('MB-14 a cursor brings only what is new, and one of another boot brings everything', async () => {
  await using h = await one()
  const first = h.make()
  await h.put(first)
  await h.open()
  const before = await h.list()
  const second = h.make()
  await h.put(second)
  await h.ask({ kind: 7, body: { tombstones: [first.tombstone] } })
  const after = await h.list({ boot: before.boot, at: before.cursor })
  assert.deepEqual(
    after.live.map(({ id }) => id),
    [second.id],
  )
  assert.deepEqual(after.dead, [{ id: first.id, preimage: first.preimage }])
  assert.equal((await h.list({ boot: after.boot, at: after.cursor })).live.length, 0)
  assert.equal((await h.list({ boot: flipped(after.boot), at: after.cursor })).live.length, 1)
})

test('a long listing comes in pages', async () => {
  await using h = await one({ laneLettersPerDay: 2_000, laneBytes: 2 ** 30, laneRecords: 2_000, mailboxRecords: 4_000 })
  const made = Array.from({ length: LISTED_MAX + 3 }, () => h.make({ sizeClass: 0 }))
  await Promise.all(made.map((each) => h.put(each)))
  await h.open()
  const first = await h.list()
  assert.equal(first.live.length, LISTED_MAX)
  assert.equal(first.more, 1)
  const rest = await h.list({ boot: first.boot, at: first.cursor })
  assert.equal(rest.live.length, 3)
  assert.equal(rest.more, 0)
})

test('a GET of large letters stops before the frame is full', async () => {
  await using h = await one()
  const made = Array.from({ length: 6 }, () => h.make({ sizeClass: 4 }))
  for (const each of made) await h.put(each)
  await h.open()
  const { answer } = await h.ask({ kind: 6, body: { address: h.key.address, ids: made.map(({ id }) => id) } })
  assert.ok(answer.kind === 4)
  assert.equal(answer.body.letters.length, 4)
})

test('MB-07 a subscriber is told of a new letter, once, until its stream ends', async () => {
  await using h = await one()
  const pushed: Uint8Array[] = []
  const link = directLink(h.swarm, h.node, 'bob')
  Object.assign(link.caller, { push: ({ letter }: Deposit) => pushed.push(letterId(crypto, letter)) > 0 })
  await openOn(link, h.key)
  for (let i = 0; i < 2; i++) {
    assert.equal((await link.request({ kind: 8, body: { address: h.key.address } }, never)).status, STATUS.ok)
  }
  const made = h.make()
  await h.put(made)
  await h.put(made)
  assert.deepEqual(pushed, [made.id])
  h.node.down()
  h.node.back()
  const next = h.make()
  await directLink(h.swarm, h.node).request(
    { kind: 1, body: { letter: next.letter, proof: next.proof, rung: 0 } },
    never,
  )
  assert.equal(pushed.length, 1)
})

test('a stream opens 32 mailboxes and no more', async () => {
  await using h = await one()
  const statuses: number[] = []
  for (let i = 0; i < 33; i++) statuses.push((await h.open(h.link, epochKey(crypto, h.seed, i))).status)
  assert.ok(statuses.slice(0, 32).every((status) => status === STATUS.ok))
  assert.equal(statuses[32], STATUS.rate)
})

// --- cards

test("ID-05 a foreign card is refused, the owner's is given to anyone", async () => {
  await using h = await one()
  const card = await cardOf(1)
  const foreign = { ...card, signature: (await cardOf(2)).signature }
  assert.equal(await h.putCard({ kind: 1, body: foreign }), STATUS.refused)
  const key = accountCardKey(crypto, idOf(1))
  assert.equal((await h.ask({ kind: 3, body: { key } })).status, STATUS.notFound)
  assert.equal(await h.putCard({ kind: 1, body: card }), STATUS.ok)
  const { answer } = await h.ask({ kind: 3, body: { key } })
  assert.ok(answer.kind === 2)
  assert.deepEqual(answer.body, { kind: 1, body: card })
})

test('ID-06 PK-11 TE-13 a prekey card and a 16 KiB account card come back byte for byte', async () => {
  await using h = await one()
  const devices = await Promise.all([50, 51].map((device) => certificateOf(1, device)))
  const records: CardRecord[] = [
    { kind: CARD_KIND.account, body: await cardOf(1, { devices }) },
    { kind: CARD_KIND.prekeys, body: await prekeysOf(1, 50) },
  ]
  for (const record of records) {
    assert.equal(await h.putCard(record), STATUS.ok)
    const { answer } = await h.ask({ kind: 3, body: { key: cardKey(crypto, record) } })
    assert.ok(answer.kind === 2)
    assert.deepEqual(encode(cardRecordCodec, answer.body), encode(cardRecordCodec, record))
  }
  assert.ok(encode(cardRecordCodec, records[0] as CardRecord).length > 16_000)
  assert.deepEqual(
    cardKey(crypto, records[1] as CardRecord),
    prekeyCardKey(crypto, idOf(1), new Uint8Array(16).fill(50)),
  )
})

test('MB-43 ID-12 an older card is refused, also after a restart and after the newer one ran out', async () => {
  await using h = await one()
  const older = await cardOf(1, { expiresAt: NOW_S + 90 * 86_400 })
  const newer = await cardOf(1, { number: 2, previous: crypto.sha256(utf8('x')), expiresAt: NOW_S + 86_400 })
  assert.equal(await h.putCard({ kind: 1, body: older }), STATUS.ok)
  assert.equal(await h.putCard({ kind: 1, body: newer }), STATUS.ok)
  assert.equal(await h.putCard({ kind: 1, body: older }), STATUS.stale)
  await h.node.restart()
  const link = directLink(h.swarm, h.node)
  const replay = async (): Promise<number> =>
    (await link.request({ kind: 2, body: { kind: 1, body: older } }, never)).status
  assert.equal(await replay(), STATUS.stale)
  await h.swarm.clock.advance(2 * DAY_MS)
  await h.node.held.sweep(h.swarm.clock.now())
  assert.equal(
    (await link.request({ kind: 3, body: { key: accountCardKey(crypto, idOf(1)) } }, never)).status,
    STATUS.notFound,
  )
  assert.equal(await replay(), STATUS.stale)
})

test('two cards of one number end the same in any order', async () => {
  await using h = await one()
  const cards = await Promise.all(
    [50, 51].map(async (device) => cardOf(1, { devices: [await certificateOf(1, device)] })),
  )
  const records = cards.map((body): CardRecord => ({ kind: 1, body }))
  const winner = records.toSorted((a, b) => Buffer.compare(cardHash(crypto, a), cardHash(crypto, b))).at(-1)
  for (const order of [records, records.toReversed()]) {
    const node = await h.swarm.add()
    const link = directLink(h.swarm, node)
    for (const body of order) await link.request({ kind: 2, body }, never)
    const { answer } = await link.request({ kind: 3, body: { key: accountCardKey(crypto, idOf(1)) } }, never)
    assert.deepEqual(answer.body, winner)
  }
})

test('an expired policy and one from the far future are refused', async () => {
  await using h = await one()
  const { body, signature } = await h.policy(3)
  const now = h.swarm.clock.now()
  for (const expiry of [Math.floor(now / HOUR_MS), Math.ceil((now + 76 * DAY_MS) / HOUR_MS)]) {
    assert.equal(await h.putCard({ kind: 3, body: { body: { ...body, expiry }, signature } }), STATUS.expired)
  }
  assert.equal(await h.putCard({ kind: 3, body: { body: { ...body, number: 9 }, signature } }), STATUS.refused)
})

// --- quotas

test('I4 MB-45 quotas hold at n and refuse n + 1: records and bytes of a mailbox, bytes and records of a lane, the disk', async () => {
  const cases: { quotas: Parameters<typeof Swarm.create>[1]; fits: number }[] = [
    { quotas: { mailboxRecords: 3 }, fits: 3 },
    { quotas: { mailboxBytes: 4 * SIZES[1] }, fits: 2 },
    { quotas: { laneBytes: 2 * SIZES[1] }, fits: 2 },
    { quotas: { laneLettersPerDay: 3 }, fits: 3 },
    { quotas: { laneRecords: 3 }, fits: 3 },
    { quotas: { nodeBytes: 4 * SIZES[1] }, fits: 2 },
  ]
  for (const { quotas, fits } of cases) {
    await using h = await one(quotas)
    const made = Array.from({ length: fits + 1 }, () => h.make())
    for (const each of made.slice(0, fits)) assert.equal((await h.put(each)).status, STATUS.ok)
    assert.equal((await h.put(made[fits] as MadeLetter)).status, STATUS.full)
    assert.equal((await h.put(made[0] as MadeLetter)).status, STATUS.ok, 'a known letter gets its receipt')
    assert.equal(h.node.held.usage.letters, fits)
  }
})

test('I4 letters put side by side cannot share the last place', async () => {
  await using h = await one({ mailboxRecords: 5 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => h.put(h.make())))
  assert.equal(answers.filter(({ status }) => status === STATUS.ok).length, 5)
  assert.equal(h.node.held.usage.letters, 5)
})

test('a deleted letter makes room, a day renews a lane, another lane has its own share', async () => {
  await using h = await one({ laneLettersPerDay: 2 })
  const made = [h.make(), h.make()]
  for (const each of made) await h.put(each)
  assert.equal((await h.put(h.make())).status, STATUS.full)
  assert.equal((await h.put(h.make({}, h.lanes[1]))).status, STATUS.ok)
  await h.swarm.clock.advance(DAY_MS)
  assert.equal((await h.put(h.make())).status, STATUS.ok)
  await using small = await one({ mailboxRecords: 1 })
  const only = small.make()
  await small.put(only)
  assert.equal((await small.put(small.make())).status, STATUS.full)
  await small.ask({ kind: 7, body: { tombstones: [only.tombstone] } })
  assert.equal((await small.put(small.make())).status, STATUS.ok)
})

test('a source brings its burst, then its rate, by peer and by public network', async () => {
  await using h = await one({ sourcePutsBurst: 3, sourcePutsPerSecond: 1 })
  const at = (name: string, ip: string): MemoryLink => directLink(h.swarm, h.node, name, ip)
  const put = async (link: MemoryLink): Promise<number> => {
    const { letter, proof } = h.make()
    return (await link.request({ kind: 1, body: { letter, proof, rung: 0 } }, never)).status
  }
  const first = at('peer-1', '5.9.1.1')
  for (let i = 0; i < 3; i++) assert.equal(await put(first), STATUS.ok)
  assert.equal(await put(first), STATUS.rate)
  assert.equal(await put(at('peer-2', '5.9.1.2')), STATUS.rate)
  assert.equal(await put(at('peer-3', '5.9.2.1')), STATUS.ok)
  assert.equal(await put(at('peer-4', '127.0.0.1')), STATUS.ok)
  await h.swarm.clock.advance(1_000)
  assert.equal(await put(first), STATUS.ok)
})

test('the intro box holds the stamps with the most effort', async () => {
  await using h = await one({ stampedLetters: 3 })
  const letter = (): Letter => h.make({ lifeMs: 7 * DAY_MS }).letter
  for (const bits of [3, 2, 4]) assert.equal((await h.putStamped(letter(), bits)).status, STATUS.ok)
  assert.equal((await h.putStamped(letter(), 2)).status, STATUS.full)
  assert.equal((await h.putStamped(letter(), 3)).status, STATUS.ok)
  const stamped = h.node.held.usage.mailbox(h.key.address)?.stamped
  assert.deepEqual(
    [...(stamped?.values() ?? [])].toSorted((a, b) => a - b),
    [3, 3, 4],
  )
  assert.equal((await h.put(h.make())).status, STATUS.ok, 'lanes are not touched by it')
})

test('a peer that asks too much is told so', async () => {
  await using h = await one({ sourceRequestsBurst: 5, sourceRequestsPerSecond: 1 })
  const link = directLink(h.swarm, h.node, 'busy')
  const find = async (): Promise<number> =>
    (await link.request({ kind: 9, body: { target: new Uint8Array(32) } }, never)).status
  for (let i = 0; i < 5; i++) assert.equal(await find(), STATUS.ok)
  assert.equal(await find(), STATUS.rate)
})

// --- expiry, disk, closer peers

test('MB-11 MB-35 the hourly sweep removes what has run out and nothing else, and the disk shrinks', async () => {
  await using h = await one({ laneLettersPerDay: 1_000, laneBytes: 2 ** 30 })
  const short = Array.from({ length: 40 }, () => h.make({ sizeClass: 4, lifeMs: 2 * DAY_MS }))
  const long = h.make({ lifeMs: 4 * DAY_MS })
  for (const each of [...short, long]) await h.put(each)
  const [buried] = short as [MadeLetter]
  await h.ask({ kind: 7, body: { tombstones: [buried.tombstone] } })
  const before = (await diskOf(h.node)).length
  await h.node.restart() // moves LevelDB's log into a table, as four MiB more of letters would
  await h.swarm.clock.advance(2 * DAY_MS + HOUR_MS)
  await h.node.withoutSweeps()
  assert.equal(h.node.held.usage.letters, 1)
  const left = await h.node.held.list(h.key.address, 0, 100, h.swarm.clock.now())
  assert.deepEqual(
    left.live.map(({ id }) => id),
    [long.id],
  )
  assert.deepEqual(
    left.dead.map(({ id }) => id),
    [buried.id],
  )
  await h.node.held.sweep(h.swarm.clock.now() + DAY_MS)
  assert.equal((await h.node.held.list(h.key.address, 0, 100, h.swarm.clock.now())).dead.length, 0)
  const after = (await diskOf(h.node)).length
  assert.ok(after < before / 4, `${before} bytes before, ${after} after`)
})

test('MB-11 an expired letter is not served before the sweep has come', async () => {
  await using h = await one()
  const made = h.make({ lifeMs: HOUR_MS * 2 })
  await h.put(made)
  await h.open()
  await h.node.withoutSweeps()
  await h.swarm.clock.advance(2 * HOUR_MS)
  assert.equal((await h.list()).live.length, 0)
  const { answer } = await h.ask({ kind: 6, body: { address: h.key.address, ids: [made.id] } })
  assert.ok(answer.kind === 4 && answer.body.letters.length === 0)
})

test('MB-41 what has a receipt is there after a restart', async () => {
  await using h = await one()
  const [kept, deleted] = [h.make(), h.make()]
  await h.put(kept)
  await h.put(deleted)
  await h.ask({ kind: 7, body: { tombstones: [deleted.tombstone] } })
  const usage = h.node.held.usage.mailbox(h.key.address)
  await h.node.restart()
  assert.deepEqual(h.node.held.usage.mailbox(h.key.address), usage)
  const link = directLink(h.swarm, h.node)
  await openOn(link, h.key)
  const { answer } = await link.request(
    { kind: 6, body: { address: h.key.address, ids: [kept.id, deleted.id] } },
    never,
  )
  assert.ok(answer.kind === 4)
  assert.deepEqual(answer.body.letters, [{ letter: kept.letter, proof: kept.proof }])
  const again = await link.request({ kind: 1, body: { letter: deleted.letter, proof: deleted.proof, rung: 0 } }, never)
  assert.equal(again.status, STATUS.gone)
})

test("MB-01 MB-26 a holder's disk names neither who brought a letter nor whom it is for", async () => {
  await using h = await one()
  const link = directLink(h.swarm, h.node, 'peer-of-the-sender')
  const reader = directLink(h.swarm, h.node, 'peer-of-the-reader')
  const { letter, proof, id } = h.make()
  await link.request({ kind: 1, body: { letter, proof, rung: 0 } }, never)
  await openOn(reader, h.key)
  await reader.request({ kind: 6, body: { address: h.key.address, ids: [id] } }, never)
  await h.node.held.sweep(h.swarm.clock.now())
  const disk = await diskOf(h.node)
  assert.ok(disk.includes(Buffer.from(id)))
  for (const canary of ['peer-of-the-sender', 'peer-of-the-reader']) assert.ok(!disk.includes(canary))
})

test('MB-29 MB-30 every answer names peers that are closer', async () => {
  await using swarm = await Swarm.create(30)
  const address = swarm.rng.bytes(32)
  const far = swarm.order(address).at(-1) as HolderNode
  const link = directLink(swarm, far)
  const nearest = swarm
    .order(address)
    .slice(0, 8)
    .map(({ peerId }) => peerId)
  const card = await link.request({ kind: 3, body: { key: address } }, never)
  assert.equal(card.status, STATUS.notFound)
  assert.deepEqual(
    card.closer.map(({ id }) => id),
    nearest,
  )
  const found = await link.request({ kind: 9, body: { target: crypto.sha256(address) } }, never)
  assert.equal(found.closer.length, 20)
  assert.deepEqual(
    found.closer.slice(0, 8).map(({ id }) => id),
    nearest,
  )
})

test('a fault inside is an answer, not a throw', async () => {
  await using h = await one()
  h.node.held.putLetter = async () => {
    throw new Error('inside')
  }
  assert.equal((await h.put(h.make())).status, STATUS.full)
})

test('a holder that stops ends what is under way first, and sends who comes then to others', async () => {
  await using h = await one()
  const before = h.make()
  const put = h.put(before)
  await h.node.service.stop()
  const stored = await h.node.held.deposit(before.id, h.swarm.clock.now())
  assert.ok(stored !== undefined, 'the disk has it when stop() resolves')
  assert.equal((await put).status, STATUS.ok)
  assert.equal((await h.put(h.make())).status, STATUS.full)
})

test('ID-01 an account id in a card cannot be claimed by other keys', async () => {
  const card = await cardOf(1)
  const other = await cardOf(2)
  const stolen: CardRecord = { kind: 1, body: { ...other, body: { ...other.body, devices: card.body.devices } } }
  assert.notDeepEqual(cardKey(crypto, stolen), accountCardKey(crypto, accountId(crypto, card.body.account)))
  await using h = await one()
  assert.equal(await h.putCard(stolen), STATUS.refused)
})
