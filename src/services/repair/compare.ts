/**
 * Anti-entropy: digests of mailboxes and cards are compared with other holders of their zones, and where they differ the
 * tombstones and the policy are brought together. One SYNC a peer and round as long as there are no more than 512 keys.
 *
 * Whom is asked: everyone of the zone about what changed since the last round and about cards, which are to be counted;
 * about the rest two of the zone, drawn anew each round, the same two for as many mailboxes as possible.
 */
import { ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB, SYNC_BOXES_MAX } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { eachBounded, runsOf } from '../../lib/bounded.ts'
import { reconcile } from './reconcile.ts'
import { drawn, membersOf, PEERS_AT_ONCE, REQUESTS_AT_ONCE } from './round.ts'
import type { Round } from './round.ts'
import type { Box } from './survey.ts'

/** Of the zone of a mailbox where nothing changed here. */
const PARTNERS = 2
/** Mailboxes that are brought together with one peer in one round; the others wait for the next. */
export const RECONCILED_MAX = 512

/** Compares `boxes` with those of their zones that `isNew` says were not asked yet. */
export async function compareBoxes(round: Round, isNew: (box: Box, peerId: string) => boolean): Promise<void> {
  const asked = new Map<string, { readonly peer: PeerRecord; readonly boxes: Box[] }>()
  for (const box of round.survey.boxes) {
    for (const peer of partnersOf(round, box)) {
      if (!isNew(box, peer.id)) continue
      const entry = asked.get(peer.id) ?? { peer, boxes: [] }
      entry.boxes.push(box)
      asked.set(peer.id, entry)
    }
  }
  await eachBounded(asked.values(), PEERS_AT_ONCE, async ({ peer, boxes }) => {
    const differing: Box[] = []
    await eachBounded(runsOf(boxes, SYNC_BOXES_MAX / 2), REQUESTS_AT_ONCE, async (run) => {
      differing.push(...(await askOne(round, peer, run)))
    })
    await bringTogether(round, peer, differing)
  })
}

function partnersOf(round: Round, box: Box): readonly PeerRecord[] {
  const members = membersOf(box.places).filter(({ id }) => !round.deps.distrust.has(id))
  if (box.changed || !box.mail) return members
  const live = members.filter(({ id }) => !round.neighbours.isOut(id))
  return drawn(round, live).slice(0, PARTNERS)
}

/**
 * Notes who has the same of each, and answers which mailboxes with mail the peer knows otherwise. A card is asked about twice, the
 * second time with the digest of nothing: most of a zone has none, and is not to be asked for it.
 */
async function askOne(round: Round, peer: PeerRecord, boxes: readonly Box[]): Promise<readonly Box[]> {
  const { salt, after } = round.survey
  const asked = boxes.flatMap((box) => [
    { box, digest: box.digest, of: 'ours' },
    ...(box.nothing === undefined ? [] : [{ box, digest: box.nothing, of: 'nothing' }]),
  ])
  const body = { salt, after, boxes: asked.map(({ box, digest }) => ({ address: box.key, digest })) }
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.sync, body })
  if (response === undefined) return []
  if (response.status !== HOLDER_STATUS.ok || response.answer.kind !== ANSWER_KIND.differing) {
    round.neighbours.drop(peer.id)
    return []
  }
  const places = new Set(response.answer.body.places)
  for (const [place, { box, of }] of asked.entries()) {
    if (of === 'ours') (places.has(place) ? box.differs : box.same).add(peer.id)
    else if (!places.has(place)) box.empty.add(peer.id)
  }
  return boxes.filter(({ mail, differs }) => mail && differs.has(peer.id))
}

async function bringTogether(round: Round, peer: PeerRecord, differing: readonly Box[]): Promise<void> {
  await eachBounded(differing.slice(0, RECONCILED_MAX), REQUESTS_AT_ONCE, async (box) => {
    await reconcile(round, peer, box)
  })
}
