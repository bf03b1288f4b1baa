/** Fifty daemons that start at the same moment, and what that costs each holder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOLDER_VERB } from '../../../src/wire/holder.ts'
import { people, until } from './mail-people.ts'
import { PROFILE, Swarm } from './swarm.ts'

const DAEMONS = 50
const HOLDERS = 20
const STEP_MS = 50

test('MB-07 50 daemons that start together make no poll storm: they begin at different moments, and nobody polls', async (t) => {
  await using swarm = await Swarm.create(HOLDERS)
  const asked = new Map<number, number>()
  for (const node of swarm.nodes) {
    node.lie = async (_caller, request, honest) => {
      asked.set(request.kind, (asked.get(request.kind) ?? 0) + 1)
      return honest()
    }
  }
  const lists = (): number => (asked.get(HOLDER_VERB.list) ?? 0) / DAEMONS / HOLDERS
  const sinceMs = swarm.clock.now()
  /** Daemons by the step in which they first went to any holder. */
  const begun = new Map<number, number>()
  const daemons = Array.from({ length: DAEMONS }, (_each, i) => {
    const deps = swarm.deps(`daemon ${i}`)
    let first = true
    const link: typeof deps.network.link = async (...args) => {
      const step = Math.floor((swarm.clock.now() - sinceMs) / STEP_MS)
      if (first) begun.set(step, (begun.get(step) ?? 0) + 1)
      first = false
      return deps.network.link(...args)
    }
    const network = {
      link,
      onPush: deps.network.onPush.bind(deps.network),
      onPeerChange: deps.network.onPeerChange.bind(deps.network),
    }
    return swarm.mailboxOf({ ...deps, network }, [swarm.rng.bytes(32)], async () => ({ kind: 'junk' }), { sinceMs })
  })
  for (const daemon of daemons) await daemon.start()
  await until(swarm, () => lists() >= 1, STEP_MS)
  const most = Math.max(...begun.values())
  t.diagnostic(`at most ${most} of ${DAEMONS} begin within ${STEP_MS} ms`)
  assert.ok(most <= DAEMONS / 3)
  // Everybody sees everybody arrive, twenty times over: each of them is listed once more for it, not each time.
  for (let i = 0; i < 20; i++) for (const node of swarm.nodes) swarm.changed(node.peerId, true)
  await until(swarm, () => lists() >= 2, STEP_MS)
  await until(swarm, () => daemons.every(({ reader }) => reader.lastSweep !== undefined), STEP_MS)
  const rest = PROFILE.collectIntervalMs * 0.7 - (swarm.clock.now() - sinceMs)
  for (let i = 0; i < 20; i++) {
    await swarm.clock.advance(rest / 20)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.equal(lists(), 2, 'nobody polls in between')
})

test('MB-07 a letter that is put while its owner is connected is there without the clock moving at all', async () => {
  await using swarm = await Swarm.create(6)
  const { bob, write, send, read } = await people(swarm)
  await bob.start()
  await until(swarm, () => bob.reader.lastSweep !== undefined, 10)
  const before = swarm.clock.now()
  await send(write())
  for (let turn = 0; turn < 200 && read.length === 0; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([read.length, swarm.clock.now() - before], [1, 0])
})
