import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRng } from '../../../src/lib/rng.ts'
import { MINUTE_MS } from '../../../src/lib/time.ts'
import type { Node } from '../../../src/net/libp2p-node.ts'
import { walkAnywhere } from '../../../src/net/reach/walk.ts'
import { RoutingSim } from '../../support/routing-sim.ts'

const SEED = 11
const PEERS = 200
const RELAYS = 50
const ROUND_TRIP_MS = 200
/** As many as the keeper wants to choose among (`relay-keeper.ts`). */
const CHOICE_MIN = 6

test(`OP-10 a newcomer meets 90 % of 50 relays among 200 peers within a minute of walking (seed ${SEED})`, async (t) => {
  const rng = seededRng(SEED)
  const sim = await RoutingSim.grown({ peers: PEERS, rng, findsEach: 1 })
  const relays = new Set(sim.ids.filter((_id, i) => i % (PEERS / RELAYS) === 0))
  const met = new Set<string>()
  await sim.join('newcomer')
  // Half of the walk, as where nobody answers kad-dht.
  const node = { services: { dht: { async *getClosestPeers() {} } } } as unknown as Node
  const closest = async (target: Uint8Array, count: number) =>
    sim.walk('newcomer', target, count, (id) => relays.has(id) && met.add(id), ROUND_TRIP_MS)
  const from = sim.now
  const walkUntil = async (enough: number): Promise<number> => {
    for (let walks = 0; ; walks++) {
      if (met.size >= enough || sim.now - from > MINUTE_MS) return walks
      await walkAnywhere(node, { closest }, rng, new AbortController().signal)
    }
  }
  const first = await walkUntil(CHOICE_MIN)
  t.diagnostic(`${met.size} relays, enough to choose among, after ${first} walks and ${sim.now - from} ms`)
  const more = await walkUntil(0.9 * RELAYS)
  t.diagnostic(`${met.size} of ${RELAYS} after ${first + more} walks and ${sim.now - from} ms`)
  assert.ok(
    first <= 4 && met.size >= 0.9 * RELAYS && sim.now - from <= MINUTE_MS,
    `${met.size} in ${sim.now - from} ms`,
  )
})
