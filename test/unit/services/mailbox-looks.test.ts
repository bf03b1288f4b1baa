/** What the sender finds out about letters that it put, where a zone fails them, and at what price. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/lib/bytes.ts'
import { LimitError, NetworkError } from '../../../src/lib/errors.ts'
import { ask } from '../../../src/services/mailbox/ask.ts'
import { Looker } from '../../../src/services/mailbox/look.ts'
import type { Look } from '../../../src/services/mailbox/look.ts'
import { Pace } from '../../../src/services/mailbox/pace.ts'
import { Zones } from '../../../src/services/mailbox/zones.ts'
import { possessionHash } from '../../../src/protocol/mailbox-proofs.ts'
import { rungPlacement } from '../../../src/protocol/replicas.ts'
import { HOLDER_STATUS, HOLDER_VERB, POSSESSION } from '../../../src/wire/holder.ts'
import type { HolderResponse, Possession } from '../../../src/wire/holder.ts'
import { answer, people } from './mail-people.ts'
import { crypto, makeLetter, never, Swarm } from './swarm.ts'
import type { HolderNode, MadeLetter } from './swarm.ts'

const proofs = (all: readonly Possession[]): HolderResponse =>
  answer(HOLDER_STATUS.ok, { kind: 5, body: { proofs: [...all] } })

function looker(swarm: Swarm) {
  const deps = swarm.deps('carol')
  return { deps, looker: new Looker(deps, new Zones(deps)) }
}

async function lookAt(of: Looker, made: MadeLetter, receipts: readonly { holder: string }[] = []): Promise<Look> {
  const all = receipts.map(({ holder }) => ({ holder, at: 1, signature: new Uint8Array(64) }))
  const [look] = await of.look([{ id: made.id, letter: made.letter, receipts: all }], { rung: 0, signal: never })
  assert.ok(look)
  return look
}

/** Counts requests of a kind, holder by holder. */
function counting(nodes: readonly HolderNode[], kind: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (const node of nodes) {
    node.lie = async (_caller, request, honest) => {
      if (request.kind === kind) counts.set(node.peerId, (counts.get(node.peerId) ?? 0) + 1)
      return honest()
    }
  }
  return counts
}

test('MB-19 a look finds exactly those that have it; who is silent is not counted', async () => {
  await using swarm = await Swarm.create(8)
  const { write, send } = await people(swarm)
  const made = write()
  await send(made)
  const holders = await swarm.holdersOf(made.id)
  holders[0]?.down()
  const { looker: carol } = looker(swarm)
  const look = await lookAt(carol, made)
  assert.deepEqual(
    [...look.holding].sort(),
    holders
      .slice(1)
      .map(({ peerId }) => peerId)
      .sort(),
  )
  assert.deepEqual([look.dead, look.lied.length, look.answers], [false, 0, 7])
})

test('MB-16 a letter that was deleted is seen as dead, by its preimage only', async () => {
  await using swarm = await Swarm.create(5)
  const { alice, write, send } = await people(swarm)
  const [made, other] = [write(), write()]
  await send(made)
  await send(other)
  await alice.tombstones.start()
  await alice.tombstones.bury(made.tombstone)
  await alice.tombstones.idle()
  const { deps, looker: carol } = looker(swarm)
  assert.equal((await lookAt(carol, made)).dead, true)
  const [liar] = swarm.nodes
  assert.ok(liar)
  liar.lie = async (_caller, request, honest) =>
    request.kind === HOLDER_VERB.prove ? proofs([{ kind: POSSESSION.dead, body: made.tombstone }]) : honest()
  const look = await lookAt(carol, other)
  assert.deepEqual([look.dead, look.lied, look.holding.length], [false, [liar.peerId], 4])
  assert.deepEqual(deps.distrust.has(liar.peerId), true)
})

test("MB-20 neither a hash of one's own making nor that of another holder passes for possession", async () => {
  await using swarm = await Swarm.create(6)
  const { write, send } = await people(swarm)
  const made = write()
  await send(made)
  const [one, two, ...rest] = swarm.nodes
  assert.ok(one && two)
  for (const [node, named] of [[one, one.peerId + 'x'] as const, [two, rest[0]?.peerId ?? ''] as const]) {
    node.lie = async (_caller, request, honest) => {
      if (request.kind !== HOLDER_VERB.prove) return honest()
      const hash = possessionHash(crypto, request.body.nonce, named, made.letter.ciphertext)
      return proofs(request.body.ids.map(() => ({ kind: POSSESSION.held, body: { hash } })))
    }
  }
  const { deps, looker: carol } = looker(swarm)
  const look = await lookAt(carol, made)
  assert.deepEqual([...look.lied].sort(), [one.peerId, two.peerId].sort())
  for (const { peerId } of [one, two]) assert.ok(!look.holding.includes(peerId) && deps.distrust.has(peerId))
  const again = counting(swarm.nodes, HOLDER_VERB.prove)
  await lookAt(carol, made)
  assert.deepEqual([again.get(one.peerId), again.get(two.peerId), again.size], [undefined, undefined, 4])
})

test('MB-20 who signs for letters of three mailboxes and has none of them, while others do, is distrusted; no owner can frame it', async () => {
  await using swarm = await Swarm.create(5)
  const { write, send, laneSeed, bob } = await people(swarm)
  const { deps, looker: carol } = looker(swarm)
  const [dropper] = swarm.nodes
  assert.ok(dropper)
  const dropped = async (made: MadeLetter): Promise<void> => {
    await send(made)
    await dropper.held.evict(made.letter.address, made.id)
    const receipts = swarm.nodes.map(({ peerId }) => ({ holder: peerId }))
    assert.equal((await lookAt(carol, made, receipts)).holding.length, 4)
  }
  for (let i = 0; i < 6; i++) await dropped(write())
  assert.ok(!deps.distrust.has(dropper.peerId), 'whose mailbox it is may have had them dropped there')
  for (const last of [false, true]) {
    const mailboxSeed = swarm.rng.bytes(32)
    await bob.cards.publishPolicies({ mailboxSeed, number: 1, stampBits: 2, laneSeeds: [laneSeed] }, never)
    await dropped(makeLetter(swarm, mailboxSeed, laneSeed))
    assert.equal(deps.distrust.has(dropper.peerId), last)
  }
  const lost = write()
  await send(lost)
  for (const node of swarm.nodes) await node.held.evict(lost.letter.address, lost.id)
  for (let i = 0; i < 4; i++)
    await lookAt(
      carol,
      lost,
      swarm.nodes.map(({ peerId }) => ({ holder: peerId })),
    )
  assert.equal(swarm.nodes.filter(({ peerId }) => deps.distrust.has(peerId)).length, 1, 'a mailbox may be cleared')
})

test('300 letters of one mailbox cost each holder two questions; what it puts off is asked again', async () => {
  await using swarm = await Swarm.create(3)
  const { write, send } = await people(swarm)
  const all = Array.from({ length: 300 }, () => write({ sizeClass: 0 }))
  await send(all[299] as MadeLetter)
  const counts = counting(swarm.nodes, HOLDER_VERB.prove)
  const { looker: carol } = looker(swarm)
  const sought = all.map(({ id, letter }) => ({ id, letter, receipts: [] }))
  const looks = await carol.look(sought, { rung: 0, signal: never })
  assert.deepEqual([...counts.values()], [2, 2, 2])
  assert.deepEqual(looks.map(({ holding }) => holding.length).slice(-2), [0, 3])
  const [busy] = swarm.nodes
  assert.ok(busy)
  let puts = 0
  busy.lie = async (_caller, request, honest) => {
    const response = await honest()
    if (request.kind !== HOLDER_VERB.prove || response.answer.kind !== 5 || puts++ > 0) return response
    return proofs(
      response.answer.body.proofs.map((proof, i) => (i === 0 ? proof : { kind: POSSESSION.later, body: {} })),
    )
  }
  const [, second] = await carol.look(sought.slice(298).toReversed(), { rung: 0, signal: never })
  assert.equal(second?.answers, 3)
  assert.equal(puts, 2)
  busy.lie = async (_caller, request, honest) =>
    request.kind === HOLDER_VERB.prove
      ? proofs(request.body.ids.map(() => ({ kind: POSSESSION.later, body: {} })))
      : honest()
  assert.equal((await lookAt(carol, all[299] as MadeLetter)).holding.length, 2, 'who only puts off is let be')
})

test('MB-38 the second put to a mailbox is one round trip: no lookup, five requests', async () => {
  await using swarm = await Swarm.create(20)
  const { write, send, bobSeed } = await people(swarm)
  let lookups = 0
  const deps = swarm.deps('dora')
  const dora = swarm.mailboxOf(
    {
      ...deps,
      routing: {
        ...deps.routing,
        closest: async (...args) => {
          lookups++
          return deps.routing.closest(...args)
        },
      },
    },
    [bobSeed],
    async () => ({ kind: 'junk' }),
  )
  assert.equal((await send(write(), dora)).receipts.length, 5)
  assert.equal(lookups, 1)
  for (const node of swarm.nodes) node.seenFrames.length = 0
  assert.equal((await send(write(), dora)).receipts.length, 5)
  assert.equal(lookups, 1)
  assert.equal(
    swarm.nodes.reduce((sum, { seenFrames }) => sum + seenFrames.length, 0),
    5,
  )
})

test('I1 a letter at another rung is found by its sweeps, and deleted there', async () => {
  await using swarm = await Swarm.create(45)
  const { alice, bob, write, read } = await people(swarm)
  const ids: string[] = []
  for (const rung of [1, 2] as const) {
    const made = write()
    ids.push(toHex(made.id))
    const near = swarm.near(rungPlacement(crypto, made.letter.address, 0), 20, '').map(({ id }) => id)
    for (const node of swarm.nodes) {
      node.lie = async (_caller, request, honest) =>
        near.includes(node.peerId) && request.kind === HOLDER_VERB.put ? answer(HOLDER_STATUS.full) : honest()
    }
    const put = await alice.depositor.put(made.letter, made.proof, { rung, exclude: [], signal: never })
    assert.equal(put.receipts.length, 5)
    const target = rungPlacement(crypto, made.letter.address, rung)
    const zone = swarm.near(target, 20, '').map(({ id }) => id)
    assert.ok(put.receipts.every(({ holder }) => zone.includes(holder) && !near.includes(holder)))
  }
  await bob.tombstones.start()
  await bob.reader.sweep()
  assert.equal(read.length, 0)
  await bob.reader.sweep()
  assert.ok(read.includes(ids[0] ?? ''), 'the second sweep reads the second zone')
  await bob.reader.sweep()
  assert.deepEqual(new Set(read), new Set(ids), 'and the third the third')
  await bob.tombstones.idle()
  for (const node of swarm.nodes) assert.equal(node.held.usage.letters, 0)
})

test('a holder that says it is too much is left alone for a moment, and then given its quota', async () => {
  await using swarm = await Swarm.create(1)
  const pace = new Pace(swarm.clock)
  for (let i = 0; i < 500; i++) assert.ok(pace.take('holder'))
  pace.refused('holder')
  assert.equal(pace.take('holder'), false)
  assert.equal(pace.take('another'), true)
  let given = 0
  for (let second = 0; second < 20; second++) {
    await swarm.clock.advance(1_000)
    while (pace.take('holder')) given++
  }
  assert.ok(given > 150 && given <= 200, `${given} in 20 s`)
  await swarm.clock.advance(60_000)
  for (let i = 0; i < 500; i++) assert.ok(pace.take('holder'), 'it is not held against it for ever')
})

test('who asks for a zone while it is being looked up waits for that answer, and goes on where it was given up', async () => {
  await using swarm = await Swarm.create(5)
  const deps = swarm.deps('carol')
  const gates: PromiseWithResolvers<void>[] = []
  const routing = {
    ...deps.routing,
    closest: async (...args: Parameters<typeof deps.routing.closest>) => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      args[2].addEventListener('abort', () => {
        gate.reject(args[2].reason)
      })
      await gate.promise
      return deps.routing.closest(...args)
    },
  }
  const zones = new Zones({ ...deps, routing })
  const address = swarm.rng.bytes(32)
  const first = new AbortController()
  const given = assert.rejects(zones.of(address, first.signal))
  const rest = Array.from({ length: 3 }, async () => zones.of(address, never))
  assert.equal(gates.length, 1)
  first.abort()
  await given
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(gates.length, 2, 'one of the others begins again, for all')
  gates[1]?.resolve()
  for (const zone of await Promise.all(rest)) assert.equal(zone.length, 5)
  const failing = [zones.of(address, never, 1), zones.of(address, never, 1)]
  gates[2]?.reject(new NetworkError('nobody is there'))
  for (const each of await Promise.allSettled(failing)) assert.equal(each.status, 'rejected')
  assert.equal(gates.length, 3)
})

test('MB-48 too much under way on one link is no reason to take its holder for dead', async () => {
  await using swarm = await Swarm.create(3)
  const [busy] = swarm.nodes
  assert.ok(busy)
  const evicted: string[] = []
  const deps = swarm.deps('carol')
  const failing = (error: Error) => ({
    clock: deps.clock,
    routing: { ...deps.routing, evict: (peerId: string) => evicted.push(peerId) },
    network: {
      ...deps.network,
      link: async () => {
        throw error
      },
    },
  })
  const request = { kind: HOLDER_VERB.prove, body: { nonce: new Uint8Array(16), ids: [] } } as const
  const peer = { id: busy.peerId, addresses: [] }
  await assert.rejects(ask(failing(new LimitError('too many requests wait')), peer, request, never), LimitError)
  assert.deepEqual(evicted, [])
  await assert.rejects(ask(failing(new NetworkError('gone')), peer, request, never), NetworkError)
  assert.deepEqual(evicted, [busy.peerId])
})
