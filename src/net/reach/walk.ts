/** A walk to somewhere at random, over holders and over kad-dht: whoever is met on the way says in identify what it serves. */
import type { Rng } from '../../lib/rng.ts'
import type { Node } from '../libp2p-node.ts'
import type { Routing } from '../ports.ts'
import { within } from '../signals.ts'

const WALK_DEADLINE_MS = 8_000
const MET_MAX = 12

export async function walkAnywhere(
  node: Node,
  routing: Pick<Routing, 'closest'>,
  rng: Rng,
  caller: AbortSignal,
): Promise<void> {
  const signal = within(WALK_DEADLINE_MS, caller)
  await Promise.allSettled([
    routing.closest(rng.bytes(32), MET_MAX, signal),
    (async () => {
      let met = 0
      for await (const event of node.services.dht.getClosestPeers(rng.bytes(32), { signal })) {
        if (event.name === 'PEER_RESPONSE' && ++met >= MET_MAX) return
      }
    })(),
  ])
}
