import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { prekeyStampChallenge, sliceHash } from '../../src/protocol/prekey-pool.ts'
import { receiptHolds } from '../../src/protocol/mailbox-proofs.ts'
import { TAKES_PER_MINUTE, TARGET_TAKES_PER_DAY } from '../../src/services/holder/prekey-quotas.ts'
import { stampSolver } from '../../src/services/stamps/solver.ts'
import { HolderService } from '../../src/services/holder/serve.ts'
import { StampVerifier } from '../../src/services/stamps/verifier.ts'
import { StorageError } from '../../src/lib/errors.ts'
import { silentLogger } from '../../src/lib/log.ts'
import type { Logger } from '../../src/lib/log.ts'
import { seededRng } from '../../src/lib/rng.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/lib/time.ts'
import { HOLDER_STATUS as STATUS } from '../../src/wire/holder.ts'
import type { HolderResponse } from '../../src/wire/holder.ts'
import type { PrekeyBundle, PrekeySlice, SliceReport } from '../../src/wire/prekey-slices.ts'
import type { PrekeyCard } from '../../src/wire/prekeys.ts'
import { DAY_S, flipped, NOW_S, prekeysOf } from '../unit/protocol/card-fixtures.ts'
import { poolOf } from '../unit/protocol/pool-fixtures.ts'
import type { Pool, PoolOptions } from '../unit/protocol/pool-fixtures.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { crypto, directLink, never, Swarm, PROFILE } from '../unit/services/swarm.ts'
import type { HolderNode, MemoryLink } from '../unit/services/swarm.ts'

interface OneOptions extends PoolOptions {
  readonly stampBits?: number
  readonly log?: Logger
}

/** One holder, and a device's pool. `stampBits` is what a letter costs there; with 2 a prekey is free. */
async function one(options: OneOptions = {}) {
  const swarm = await Swarm.create(1)
  const node = swarm.nodes[0] as HolderNode
  const pool = await poolOf(options)
  const owner = (): MemoryLink => directLink(swarm, node, 'owner')
  const putCard = async (card: PrekeyCard, on = owner()): Promise<number> =>
    (await on.request({ kind: 2, body: { kind: 2, body: card } }, never)).status
  const put = (body: PrekeySlice, on = owner()): Promise<HolderResponse> => on.request({ kind: 16, body }, never)
  const solver = stampSolver(crypto, swarm.rng)
  const dear = new HolderService({
    clock: swarm.clock,
    crypto,
    held: node.held,
    log: options.log ?? silentLogger,
    onLeaving() {},
    routing: { known: () => [] },
    signer: { peerId: node.peerId, sign: (message) => crypto.ed25519Sign(node.seed, message) },
    stamps: new StampVerifier(crypto, swarm.clock),
    profile: { stampBits: options.stampBits ?? 2, epochMs: PROFILE.epochMs },
  })
  if (options.stampBits !== undefined || options.log !== undefined)
    node.lie = (caller, request) => dear.handle(caller, request)
  const take = async (
    from: MemoryLink | string,
    input: { bits?: number; hour?: number; key?: Uint8Array; nonce?: Uint8Array; holder?: string } = {},
  ): Promise<HolderResponse> => {
    const link = typeof from === 'string' ? directLink(swarm, node, from) : from
    const { bits = 0, hour = Math.floor(swarm.clock.now() / HOUR_MS), key = pool.key, holder = node.peerId } = input
    const challenge = prekeyStampChallenge(crypto, { card: key, holder, hour, bits })
    const nonce = input.nonce ?? (await solver.solve(challenge, bits, never))
    return link.request({ kind: 17, body: { card: key, hour, stamp: { bits, nonce } } }, never)
  }
  const report = async (token = pool.token): Promise<SliceReport | undefined> => {
    const { answer } = await owner().request({ kind: 18, body: { card: pool.key, token } }, never)
    return answer.kind === 9 ? answer.body : undefined
  }
  const dispose = (): Promise<void> => swarm[Symbol.asyncDispose]()
  return { swarm, node, pool, putCard, put, take, report, [Symbol.asyncDispose]: dispose }
}
type Held = Awaited<ReturnType<typeof one>>

async function stored(h: Held, pool: Pool = h.pool, slice = 0): Promise<void> {
  assert.equal(await h.putCard(pool.card), STATUS.ok)
  assert.equal((await h.put(await pool.slice(slice, h.node.peerId))).status, STATUS.ok)
}

function bundle({ status, answer }: HolderResponse): PrekeyBundle {
  assert.equal(status, STATUS.ok)
  assert.ok(answer.kind === 8)
  return answer.body
}

test('PK-01 PK-08 a slice is kept for its device, receipted, and holds no private byte', async () => {
  await using h = await one()
  assert.equal(await h.putCard(h.pool.card), STATUS.ok)
  const slice = await h.pool.slice(2, h.node.peerId)
  for (let i = 0; i < 2; i++) {
    const { status, answer } = await h.put(slice)
    assert.equal(status, STATUS.ok)
    assert.ok(answer.kind === 1)
    const publicKey = crypto.ed25519PublicKey(h.node.seed)
    assert.ok(receiptHolds(crypto, publicKey, h.node.peerId, sliceHash(crypto, slice), answer.body))
  }
  assert.deepEqual(await h.report(), { number: 1, slice: 2, root: h.pool.tree.root, left: 2 ** 20 - 1 })
  await h.node.stop()
  const files = await readdir(h.node.path)
  const disk = Buffer.concat(await Promise.all(files.map((name) => readFile(join(h.node.path, name)))))
  await h.node.start()
  assert.ok(disk.includes(Buffer.from(slice.body.prekeys[0]?.prekey.key ?? [])), 'public keys are there')
  const secrets = seededRng(50 + 100)
  for (let i = 0; i < 5; i++) {
    assert.equal(disk.indexOf(secrets.bytes(32)), -1)
    assert.equal(disk.indexOf(secrets.bytes(64)), -1)
  }
})

test('PK-19 a foreign slice, one for another holder, and one whose card is not here are refused', async () => {
  await using h = await one()
  const own = await h.pool.slice(0, h.node.peerId)
  assert.equal((await h.put(own)).status, STATUS.notFound, 'no card yet')
  assert.equal(await h.putCard(h.pool.card), STATUS.ok)
  assert.equal((await h.put(await h.pool.slice(0, 'another'))).status, STATUS.refused)
  const other = await poolOf({ device: 51 })
  const foreign = await other.slice(0, h.node.peerId, { card: h.pool.key })
  assert.equal((await h.put(foreign)).status, STATUS.refused, 'another pool')
  const forged = { ...own, signature: { ...own.signature, mldsa65: flipped(own.signature.mldsa65, 9) } }
  assert.equal((await h.put(forged)).status, STATUS.refused)
  const ahead = await poolOf({ number: 2, firstId: 500 })
  assert.equal((await h.put(await ahead.slice(0, h.node.peerId))).status, STATUS.notFound, 'its card has to come first')
  assert.equal(await h.report(), undefined)
  assert.equal((await h.put(own)).status, STATUS.ok)
})

test('PK-19 AS-09 the sixth slice write within a minute is refused, foreign ones do not use up the five', async () => {
  await using h = await one()
  await stored(h)
  const slice = await h.pool.slice(0, h.node.peerId)
  const forged = { ...slice, signature: { ...slice.signature, ed25519: flipped(slice.signature.ed25519) } }
  for (let i = 0; i < 12; i++) {
    const link = directLink(h.swarm, h.node, 'mallory')
    assert.equal((await h.put(forged, link)).status, i < 10 ? STATUS.refused : STATUS.rate)
  }
  for (let i = 2; i <= 6; i++) assert.equal((await h.put(slice)).status, i < 6 ? STATUS.ok : STATUS.rate, `write ${i}`)
  await h.swarm.clock.advance(MINUTE_MS)
  assert.equal((await h.put(slice)).status, STATUS.ok)
})

test('PK-04 PK-05 PK-12 twenty are given out once each, then the card alone; a restart changes nothing', async () => {
  await using h = await one()
  await stored(h)
  const ids = new Set<number>()
  for (let i = 0; i < 24; i++) {
    if (i === 7 || i === 15) await h.node.restart()
    const { oneTime, card } = bundle(await h.take(`peer ${i}`))
    assert.equal(card.body.number, 1)
    assert.equal(oneTime !== undefined, i < 20, `take ${i}`)
    if (oneTime !== undefined) assert.ok(!ids.has(oneTime.prekey.id), 'given twice')
    if (oneTime !== undefined) ids.add(oneTime.prekey.id)
  }
  assert.equal(ids.size, 20)
  assert.equal((await h.report())?.left, 0)
})

test('PK-05 side by side nobody is given what another has', async () => {
  await using h = await one()
  await stored(h)
  const taken = await Promise.all(Array.from({ length: 30 }, async (_, i) => bundle(await h.take(`peer ${i}`))))
  const ids = taken.flatMap(({ oneTime }) => (oneTime === undefined ? [] : [oneTime.prekey.id]))
  assert.equal(ids.length, 20)
  assert.equal(new Set(ids).size, 20)
})

test('PK-05 a crash between the mark and the answer loses the prekey; it is never given to another', async () => {
  await using h = await one()
  await stored(h)
  const before = (await h.report())?.left
  // The mark is on the disk, the answer is not written: the stream dies with the process.
  const lost = await h.node.held.prekeys.take(h.pool.key, h.pool.tree.root)
  assert.ok(lost)
  await h.node.restart()
  assert.notEqual((await h.report())?.left, before)
  for (let i = 0; i < 19; i++) {
    const { oneTime } = bundle(await h.take(`peer ${i}`))
    assert.notEqual(oneTime?.prekey.id, lost.prekey.id)
  }
  assert.equal(bundle(await h.take('peer 20')).oneTime, undefined)
})

test('PK-05 a disk that cannot note the mark gives nothing out', async () => {
  await using h = await one()
  await stored(h)
  const batch = h.node.db.batch.bind(h.node.db)
  h.node.db.batch = () => Promise.reject(new StorageError('full'))
  assert.equal(bundle(await h.take('peer 1')).oneTime, undefined)
  h.node.db.batch = batch
  const { oneTime } = bundle(await h.take('peer 2'))
  assert.ok(oneTime)
})

test('PK-05 TE-07 what was mended may bring back what was given out: no prekey of it is given to anybody', async () => {
  await using h = await one()
  await h.putCard(h.pool.card)
  const before = h.node.held.usage.cardDiskBytes
  await stored(h)
  assert.ok(bundle(await h.take('first')).oneTime)
  await h.node.held.scrub()
  assert.equal(bundle(await h.take('second')).oneTime, undefined)
  assert.equal(await h.report(), undefined)
  assert.equal(h.node.held.usage.cardDiskBytes, before)
})

test('PK-05 a newer slice takes the place of the older one, and what was given out stays so', async () => {
  await using h = await one()
  await stored(h)
  const given = new Set<number>()
  for (let i = 0; i < 5; i++) given.add(bundle(await h.take(`peer ${i}`)).oneTime?.prekey.id ?? 0)
  // The owner does not know yet what was given out, and names the same prekeys again among new ones.
  const also = h.pool.body(0).prekeys.slice(0, 10)
  const next = await poolOf({ number: 2, firstId: 500, also })
  assert.equal(await h.putCard(next.card), STATUS.ok)
  assert.equal(bundle(await h.take('between')).oneTime, undefined, 'the old slice is not of the new card')
  assert.equal((await h.put(await next.slice(0, h.node.peerId))).status, STATUS.ok)
  assert.equal((await h.put(await h.pool.slice(0, h.node.peerId))).status, STATUS.stale)
  await h.node.restart()
  for (let i = 10; i < 25; i++) {
    const { oneTime } = bundle(await h.take(`peer ${i}`))
    assert.ok(oneTime, `take ${i}`)
    assert.ok(!given.has(oneTime.prekey.id), 'given twice')
    given.add(oneTime.prekey.id)
  }
  assert.equal(bundle(await h.take('last')).oneTime, undefined)
  assert.equal(given.size, 20)
})

test('PK-20 AS-09 one peer gets 30 answers a minute and few prekeys of one device; a network gets four times as much', async () => {
  await using h = await one()
  await stored(h)
  const link = directLink(h.swarm, h.node, 'scraper')
  let prekeys = 0
  for (let i = 0; i <= TAKES_PER_MINUTE; i++) {
    const response = await h.take(link)
    if (i === TAKES_PER_MINUTE) assert.equal(response.status, STATUS.rate)
    else if (bundle(response).oneTime !== undefined) prekeys++
  }
  assert.equal(prekeys, TARGET_TAKES_PER_DAY)
  await h.swarm.clock.advance(MINUTE_MS)
  assert.equal(bundle(await h.take(link)).oneTime, undefined, 'not before the next day')
  for (let i = 0; i < 20; i++) {
    const { oneTime } = bundle(await h.take(directLink(h.swarm, h.node, `sibling ${i}`, '203.0.113.9')))
    assert.equal(oneTime !== undefined, i < 16 && i < 4 * TARGET_TAKES_PER_DAY, `sibling ${i}`)
  }
  await h.swarm.clock.advance(DAY_MS)
  assert.equal(bundle(await h.take(link)).oneTime, undefined, 'the four times four are gone as well')
})

test('PK-21 without a stamp, with one for another holder or hour, or with a spent one there is no prekey', async () => {
  await using h = await one({ stampBits: 8 })
  await stored(h)
  const hour = Math.floor(h.swarm.clock.now() / HOUR_MS)
  const oneTime = async (...[from, input]: Parameters<Held['take']>) => bundle(await h.take(from, input)).oneTime
  assert.equal(await oneTime('a'), undefined, 'no work')
  assert.equal(await oneTime('b', { bits: 5 }), undefined, 'too cheap')
  assert.equal(await oneTime('c', { bits: 6, holder: 'another' }), undefined, 'for another holder')
  assert.equal(await oneTime('d', { bits: 6, hour: hour - 2 }), undefined, 'of two hours ago')
  const challenge = prekeyStampChallenge(crypto, { card: h.pool.key, holder: h.node.peerId, hour, bits: 6 })
  const nonce = await stampSolver(crypto, h.swarm.rng).solve(challenge, 6, never)
  assert.ok(await oneTime('e', { bits: 6, nonce }))
  assert.equal(await oneTime('f', { bits: 6, nonce }), undefined, 'spent')
  assert.ok(await oneTime('g', { bits: 6, hour: hour - 1 }), 'the hour has just begun')
})

test('PK-21 AS-02 who keeps the verifier busy with false stamps does not use up the stamp of another', async () => {
  await using h = await one({ stampBits: 8 })
  await stored(h)
  const hour = Math.floor(h.swarm.clock.now() / HOUR_MS)
  const challenge = prekeyStampChallenge(crypto, { card: h.pool.key, holder: h.node.peerId, hour, bits: 6 })
  const nonce = await stampSolver(crypto, h.swarm.rng).solve(challenge, 6, never)
  for (let i = 0; i < 50; i++) await h.take(`flooder ${i}`, { bits: 6, nonce: h.swarm.rng.bytes(16) })
  assert.equal(bundle(await h.take('friend', { bits: 6, nonce })).oneTime, undefined, 'not looked at')
  await h.swarm.clock.advance(1_000)
  assert.ok(bundle(await h.take('friend', { bits: 6, nonce })).oneTime)
  const replayed = await Promise.all(['a', 'b'].map(async (name) => h.take(name, { bits: 6, nonce })))
  for (const response of replayed) assert.equal(bundle(response).oneTime, undefined, 'spent')
})

test('PK-22 a device that nobody knows is not found, nor is what is left told to strangers', async () => {
  await using h = await one()
  assert.equal((await h.take('peer')).status, STATUS.notFound)
  await stored(h)
  assert.equal(await h.report(new Uint8Array(16)), undefined)
  assert.equal((await h.report())?.left, 2 ** 20 - 1)
})

test('MB-45 PK-01 slices count as cards do, also after a restart, and go with their card', async () => {
  await using h = await one()
  const empty = h.node.held.usage.cardDiskBytes
  await stored(h)
  const full = h.node.held.usage.cardDiskBytes
  assert.ok(full - empty > 20 * 1_900)
  await h.node.restart()
  assert.equal(h.node.held.usage.cardDiskBytes, full)
  // Its card is renewed over the same pool: the slice stays as long as that, and no longer.
  const issuedAt = NOW_S + 20 * DAY_S
  const changes = { number: 2, pool: h.pool.card.body.pool, issuedAt, expiresAt: issuedAt + 30 * DAY_S }
  await h.swarm.clock.advance(20 * DAY_MS)
  assert.equal(await h.putCard(await prekeysOf(1, 50, changes)), STATUS.ok)
  await h.swarm.clock.advance(11 * DAY_MS)
  await h.node.held.sweep(h.swarm.clock.now())
  assert.equal((await h.report())?.left, 2 ** 20 - 1)
  assert.ok(bundle(await h.take('peer')).oneTime)
  await h.swarm.clock.advance(20 * DAY_MS)
  await h.node.held.sweep(h.swarm.clock.now())
  assert.equal(await h.report(), undefined)
  assert.ok(h.node.held.usage.cardDiskBytes < 1_000)
})

test('SE-17 who scrapes prekeys, or brings forged ones, is in the log once a minute', async () => {
  const { log, lines } = recordingLogger()
  await using h = await one({ log })
  await stored(h)
  const scraper = directLink(h.swarm, h.node, 'scraper')
  for (let i = 0; i < TAKES_PER_MINUTE + 5; i++) await h.take(scraper)
  const slice = await h.pool.slice(0, h.node.peerId)
  const forged = { ...slice, signature: { ...slice.signature, ed25519: flipped(slice.signature.ed25519) } }
  for (let i = 0; i < 3; i++) await h.put(forged, directLink(h.swarm, h.node, 'mallory'))
  const told = lines.filter(({ fields }) => fields?.['security'] === true)
  assert.deepEqual(
    told.map(({ level, fields }) => [level, fields?.['times']]),
    [
      ['warn', 1],
      ['warn', 1],
    ],
  )
  assert.ok(!/scraper|mallory/.test(JSON.stringify(lines)))
})
