/** What lives how long at all holders together, and what looking again costs. */
import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../../src/lib/time.ts'
import {
  accountCardKey,
  cardExpiryMs,
  epochKey,
  epochOf,
  policyExpiryHour,
} from '../../../src/protocol/mailbox-rules.ts'
import { DEFAULT_QUOTAS } from '../../../src/services/holder/quotas.ts'
import { CardNetwork } from '../../../src/services/mailbox/card-network.ts'
import { loadSettings } from '../../../src/config.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../../src/wire/holder.ts'
import type { CardRecord } from '../../../src/wire/holder.ts'
import { cardOf, idOf } from '../protocol/card-fixtures.ts'
import { one } from './holder-fixture.ts'
import { people } from './mail-people.ts'
import { crypto, never, PROFILE, Swarm } from './swarm.ts'
import type { HolderNode } from './swarm.ts'

const KIB = 1_024
const MIB = 1_024 * KIB

async function diskBytes(node: HolderNode): Promise<number> {
  const names = await readdir(node.path)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(node.path, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The clock jumps; the hourly sweeps that it jumps over would find nothing. */
async function jump(swarm: Swarm, ms: number): Promise<void> {
  for (const node of swarm.nodes) await node.withoutSweeps()
  await swarm.clock.advance(ms)
  for (const node of swarm.nodes) node.service.start()
}

test('MB-11 LS-05 30 days and an hour later letters are gone from all holders, and their disks have shrunk', async () => {
  await using swarm = await Swarm.create(6)
  const { write, send, bobSeed } = await people(swarm)
  const made = Array.from({ length: 40 }, () => write({ sizeClass: 4 }))
  for (const each of made) assert.ok((await send(each)).receipts.length >= 3)
  const full = new Map<HolderNode, number>()
  for (const node of swarm.nodes) {
    if (node.held.usage.letters === 0) continue
    full.set(node, await diskBytes(node))
    await node.restart() // moves LevelDB's log into a table, as four MiB more of letters would
  }
  assert.ok(full.size >= 5)
  await jump(swarm, 30 * DAY_MS)
  await swarm.clock.advance(HOUR_MS)
  const { address } = epochKey(crypto, bobSeed, epochOf(swarm.clock.now() - 30 * DAY_MS, PROFILE))
  for (const [node, before] of full) {
    await node.withoutSweeps()
    assert.equal(node.held.usage.letters, 0)
    assert.deepEqual((await node.held.list(address, 0, 100, 0)).live, [])
    const after = await diskBytes(node)
    assert.ok(after < before / 4, `${before} bytes before, ${after} after`)
  }
})

/** Counts what holders send to readers. */
function counting(swarm: Swarm) {
  const sent = { entries: 0, letters: 0, bytes: 0 }
  for (const node of swarm.nodes) {
    node.lie = async (_, request, honest) => {
      const response = await honest()
      const { answer } = response
      if (request.kind === HOLDER_VERB.list && answer.kind === ANSWER_KIND.listing) {
        sent.entries += answer.body.live.length + answer.body.dead.length
      }
      if (answer.kind === ANSWER_KIND.letters) {
        sent.letters += answer.body.letters.length
        sent.bytes += answer.body.letters.reduce((sum, { letter }) => sum + letter.ciphertext.length, 0)
      }
      return response
    }
  }
  return (): typeof sent => {
    const before = { ...sent }
    Object.assign(sent, { entries: 0, letters: 0, bytes: 0 })
    return before
  }
}

test('MB-22 a sweep transfers what is new: no entry twice, no byte of a letter that was read', async () => {
  await using swarm = await Swarm.create(5)
  const { bob, write, send, read } = await people(swarm)
  const count = counting(swarm)
  const old = Array.from({ length: 20 }, () => write())
  for (const each of old) await send(each)
  await bob.reader.sweep()
  assert.deepEqual(count(), { entries: 5 * 20, letters: 20, bytes: 20 * 4 * KIB }, 'each from one of its five holders')
  await bob.reader.sweep()
  assert.deepEqual(count(), { entries: 5 * 20, letters: 0, bytes: 0 }, 'the tombstones, once')
  await bob.reader.sweep()
  assert.deepEqual(count(), { entries: 0, letters: 0, bytes: 0 }, 'nothing is new')
  const fresh = write({ sizeClass: 2 })
  await send(fresh)
  await bob.reader.sweep()
  assert.deepEqual(count(), { entries: 5, letters: 1, bytes: 8 * KIB })
  assert.equal(read.at(-1), toHex(fresh.id))
  assert.equal(read.length, 21)
})

test('MB-34 OP-08 a card that nobody puts again cannot be looked up once its life is over: account 90 days, policy 75', async () => {
  await using swarm = await Swarm.create(5)
  const { alice, bob, bobSeed } = await people(swarm)
  const [issuedAt, expiresAt] = [
    Math.floor(swarm.clock.now() / 1_000),
    Math.floor(swarm.clock.now() / 1_000) + 90 * 86_400,
  ]
  const card: CardRecord = { kind: CARD_KIND.account, body: await cardOf(1, { issuedAt, expiresAt }) }
  const cards = new CardNetwork(alice.cards)
  assert.equal((await cards.publish(card)).receipts, 5)
  const key = accountCardKey(crypto, idOf(1))
  const epoch = epochOf(swarm.clock.now(), PROFILE)
  const { address } = epochKey(crypto, bobSeed, epoch)
  const policyEnds = policyExpiryHour(epoch, PROFILE) * HOUR_MS
  assert.ok(policyEnds - swarm.clock.now() <= 75 * DAY_MS)
  assert.equal((await bob.cards.fetch(address, never)).record?.kind, CARD_KIND.policy)

  await jump(swarm, policyEnds - HOUR_MS - swarm.clock.now())
  assert.equal((await bob.cards.fetch(address, never)).record?.kind, CARD_KIND.policy)
  await swarm.clock.advance(2 * HOUR_MS)
  assert.deepEqual(await bob.cards.fetch(address, never), { record: undefined, answers: 5, complete: true })

  await jump(swarm, cardExpiryMs(card) - HOUR_MS - swarm.clock.now())
  assert.deepEqual(await cards.fetch(key), card)
  await swarm.clock.advance(2 * HOUR_MS)
  assert.equal(await cards.fetch(key), undefined)
  for (const node of swarm.nodes) await node.withoutSweeps()
  assert.ok(
    swarm.nodes.every((node) => node.held.usage.cardDiskBytes < 16 * KIB),
    'and leaves next to nothing behind',
  )
})

test('MB-42 MB-08 what is stored lies on five disks at once, none of them the sender’s or the reader’s', async () => {
  await using swarm = await Swarm.create(9)
  const { write, send } = await people(swarm)
  for (let i = 0; i < 10; i++) {
    const made = write()
    const { receipts, refused } = await send(made)
    assert.equal(refused, 'none')
    const holders = (await swarm.holdersOf(made.id)).map(({ peerId }) => peerId)
    assert.deepEqual(holders.sort(), receipts.map(({ holder }) => holder).sort())
    assert.equal(holders.length, 5)
  }
})

test('MB-46 the disk that the settings give is what letters take: full is said, and the files stay below', async () => {
  const env = { SOTTO_HOLDER_DISK_MAX_BYTES: String(2 * MIB) }
  const nodeBytes = (await loadSettings({ home: '/nowhere', env })).holder.diskMaxBytes
  assert.equal(nodeBytes, 2 * MIB)
  assert.equal((await loadSettings({ home: '/nowhere', env: {} })).holder.diskMaxBytes, DEFAULT_QUOTAS.nodeBytes)
  await using h = await one({
    ...DEFAULT_QUOTAS,
    nodeBytes,
    laneBytes: 64 * MIB,
    mailboxBytes: 64 * MIB,
    laneRecords: 9_999,
  })
  let stored = 0
  for (;;) {
    const { status } = await h.put(h.make({ sizeClass: 4 }))
    if (status !== HOLDER_STATUS.ok) {
      assert.equal(status, HOLDER_STATUS.full)
      break
    }
    assert.ok(++stored < 100)
  }
  // Three quarters are for mail: 64 KiB each, and what their entries take.
  assert.ok(stored >= 20 && stored * 64 * KIB <= nodeBytes, `${stored} letters`)
  assert.ok((await diskBytes(h.node)) <= nodeBytes, `${await diskBytes(h.node)} bytes on the disk`)
  assert.equal((await h.put(h.make({ sizeClass: 4 }))).status, HOLDER_STATUS.full)
})
