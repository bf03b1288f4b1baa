/**
 * Who has our letters: PROVE at everyone of their zones, up to 256 letters of whatever mailboxes in one question, and every
 * hash checked against our own ciphertext. A claim costs possession; one that fails is a lie.
 */
import { concat, equal } from '../../lib/bytes.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB, POSSESSION, PROVE_IDS_MAX } from '../../wire/holder.ts'
import type { Possession } from '../../wire/holder.ts'
import { tombstoneCodec } from '../../wire/letter.ts'
import type { Tombstone } from '../../wire/letter.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { possessionHash } from '../../protocol/mailbox-proofs.ts'
import { idOfName, opens } from '../../protocol/mailbox-rules.ts'
import { eachBounded, runsOf } from '../../lib/bounded.ts'
import { adoptTombstones, caught, PEERS_AT_ONCE, RECORDS_AT_ONCE, REQUESTS_AT_ONCE } from './round.ts'
import type { Round } from './round.ts'
import type { Item } from './survey.ts'

/** Turns that a peer gets to show what it did not get round to looking at. */
const TURNS_MAX = 4
const NONCE_BYTES = 16

/** Asks those of each letter's zone that `isNew` says were not asked yet. */
export async function askProofs(round: Round, isNew: (item: Item, peerId: string) => boolean): Promise<void> {
  const asked = new Map<string, { readonly peer: PeerRecord; readonly items: Item[] }>()
  for (const item of round.survey.items) {
    for (const peer of item.place.zone.members) {
      if (!isNew(item, peer.id) || round.deps.distrust.has(peer.id)) continue
      const entry = asked.get(peer.id) ?? { peer, items: [] }
      entry.items.push(item)
      asked.set(peer.id, entry)
    }
  }
  await eachBounded(asked.values(), PEERS_AT_ONCE, async ({ peer, items }) => {
    let rest: readonly Item[] = items
    for (let turn = 0; turn < TURNS_MAX && rest.length > 0; turn++) rest = await askTurn(round, peer, rest)
    for (const item of rest) item.unsure.add(peer.id)
  })
}

/** What the peer did not get round to. */
async function askTurn(round: Round, peer: PeerRecord, items: readonly Item[]): Promise<readonly Item[]> {
  const later: Item[] = []
  await eachBounded(runsOf(items, PROVE_IDS_MAX), REQUESTS_AT_ONCE, async (run) => {
    later.push(...(await askOne(round, peer, run)))
  })
  return later
}

async function askOne(round: Round, peer: PeerRecord, items: readonly Item[]): Promise<readonly Item[]> {
  const nonce = round.deps.rng.bytes(NONCE_BYTES)
  const body = { nonce, ids: items.map(({ id }) => id) }
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.prove, body })
  if (response === undefined) return []
  const proofs = response.answer.kind === ANSWER_KIND.proofs ? response.answer.body.proofs : []
  if (response.status !== HOLDER_STATUS.ok || proofs.length !== items.length) {
    round.neighbours.drop(peer.id)
    return []
  }
  return sorted(round, peer, items, nonce, proofs)
}

/** Notes claims, adopts tombstones, and answers what is left for later. */
async function sorted(
  round: Round,
  peer: PeerRecord,
  items: readonly Item[],
  nonce: Uint8Array,
  proofs: readonly Possession[],
): Promise<readonly Item[]> {
  const later: Item[] = []
  for (const [place, item] of items.entries()) {
    const proof = proofs[place]
    if (proof?.kind === POSSESSION.held) item.claims.push({ peerId: peer.id, nonce, hash: proof.body.hash })
    else if (proof?.kind === POSSESSION.later) later.push(item)
    else if (proof?.kind === POSSESSION.dead && !(await died(round, peer, item, proof.body))) return []
  }
  return later
}

/** The letter is dead, if the tombstone is this one's and opens it: then it dies here too. False where it was made up. */
async function died(round: Round, peer: PeerRecord, item: Item, tombstone: Tombstone): Promise<boolean> {
  const { crypto } = round.deps
  const genuine =
    equal(idOfName(crypto, tombstone), item.id) && opens(crypto, tombstone.header.commitment, tombstone.preimage)
  if (!genuine) {
    caught(round, peer.id, 'tombstone', encode(tombstoneCodec, tombstone))
    return false
  }
  if (!item.dead) await adoptTombstones(round, peer.id, [tombstone])
  item.dead = true
  return true
}

/** Checks what was claimed; each letter is read once for all who claimed it. */
export async function checkClaims(round: Round): Promise<void> {
  const claimed = round.survey.items.filter(({ claims, dead }) => claims.length > 0 && !dead)
  await eachBounded(claimed, RECORDS_AT_ONCE, async (item) => {
    await checkItem(round, item)
  })
}

async function checkItem(round: Round, item: Item): Promise<void> {
  const { crypto, held, clock } = round.deps
  const claims = item.claims.splice(0)
  const own = await held.deposit(item.id, clock.now())
  if (own === undefined) {
    item.dead = true // deleted or expired meanwhile: no business of this round any more
    return
  }
  for (const { peerId, nonce, hash } of claims) {
    round.counters.audited++
    if (equal(possessionHash(crypto, nonce, peerId, own.letter.ciphertext), hash)) item.holders.add(peerId)
    else caught(round, peerId, 'possession', concat(nonce, item.id, hash))
  }
}
