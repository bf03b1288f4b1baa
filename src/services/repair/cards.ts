/**
 * Cards: where fewer than four of a zone have this version, it is brought to those known the longest. A newer one that comes
 * to light is adopted by the rules by which one's own holder takes any card, so that no number ever goes back.
 */
import { equal } from '../../lib/bytes.ts'
import { encode } from '../../wire/codec.ts'
import { ANSWER_KIND, cardRecordCodec, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { CardRecord } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { cardHash, cardKey, cardVersion, compareVersions } from '../../protocol/mailbox-rules.ts'
import { eachBounded } from '../../lib/bounded.ts'
import { isReceipt, standingOf, targetsOf } from './copy.ts'
import { adoptCard, counts, drawn, membersOf, RECORDS_AT_ONCE } from './round.ts'
import type { Round } from './round.ts'
import type { Box } from './survey.ts'

/** Peers that one card is brought to at most in a round, refusals included. */
const ATTEMPTS_MAX = 10

export async function repairCards(round: Round): Promise<void> {
  const cards = round.survey.boxes.filter(({ mail, differs }) => !mail && differs.size > 0)
  await eachBounded(cards, RECORDS_AT_ONCE, async (box) => {
    const record = await round.deps.held.cards.get(box.key, round.deps.clock.now())
    if (record === undefined || (await newerFound(round, box, record))) return
    await copyCard(round, box, record)
  })
}

/**
 * Looks at what those have who have something else: all of them when our card is new to us, one of them otherwise.
 */
async function newerFound(round: Round, box: Box, record: CardRecord): Promise<boolean> {
  const others = membersOf(box.places).filter(
    ({ id }) => box.differs.has(id) && !box.empty.has(id) && counts(round, id),
  )
  for (const peer of box.changed ? others : drawn(round, others).slice(0, 1))
    if (await newerAt(round, box, record, peer)) return true
  return false
}

/** Whether the peer's card is newer, and is ours now. One that is older is put right. */
async function newerAt(round: Round, box: Box, record: CardRecord, peer: PeerRecord): Promise<boolean> {
  const { order, adopted } = await lookAt(round, box, record, peer)
  if (order < 0) await bring(round, box, record, peer)
  return adopted
}

/** How the peer's card stands to ours (0: it has none, or the same), and whether we took it. */
async function lookAt(
  round: Round,
  box: Box,
  record: CardRecord,
  peer: PeerRecord,
): Promise<{ readonly order: number; readonly adopted: boolean }> {
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.getCard, body: { key: box.key } })
  const nothing = { order: 0, adopted: false }
  if (response?.status !== HOLDER_STATUS.ok || response.answer.kind !== ANSWER_KIND.card) return nothing
  const { crypto } = round.deps
  const theirs = response.answer.body
  if (!equal(cardKey(crypto, theirs), box.key)) return nothing
  const order = compareVersions(cardVersion(crypto, theirs), cardVersion(crypto, record))
  return { order, adopted: order > 0 && (await adoptCard(round, peer.id, theirs)) === HOLDER_STATUS.ok }
}

async function copyCard(round: Round, box: Box, record: CardRecord): Promise<void> {
  const refused = new Set<string>()
  const isOut = (peerId: string): boolean => refused.has(peerId) || !(box.same.has(peerId) || box.differs.has(peerId))
  for (let attempts = 0; attempts < ATTEMPTS_MAX;) {
    const hasSelf = box.places.some(({ zone }) => zone.hasSelf)
    const standing = standingOf(round, membersOf(box.places), hasSelf, (peerId) => box.same.has(peerId), isOut)
    const targets = targetsOf(standing).slice(0, ATTEMPTS_MAX - attempts)
    if (targets.length === 0) return
    attempts += targets.length
    for (const peer of targets) {
      const outcome = await bring(round, box, record, peer)
      if (outcome === 'newer') return
      if (outcome === 'refused') refused.add(peer.id)
    }
  }
}

/** `newer`: the peer knew better, and now we do. */
async function bring(
  round: Round,
  box: Box,
  record: CardRecord,
  peer: PeerRecord,
): Promise<'stored' | 'refused' | 'newer'> {
  const bytes = encode(cardRecordCodec, record).length
  await round.budget.take(bytes, round.signal)
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.putCard, body: record })
  if (response?.status === HOLDER_STATUS.stale) {
    return (await lookAt(round, box, record, peer)).adopted ? 'newer' : 'refused'
  }
  if (response?.status !== HOLDER_STATUS.ok) return 'refused'
  if (!isReceipt(round, peer.id, cardHash(round.deps.crypto, record), response)) return 'refused'
  box.same.add(peer.id)
  round.counters.copies++
  round.counters.copiedBytes += bytes
  return 'stored'
}
