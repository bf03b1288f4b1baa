/** Copies for letters that fewer than four of their zone have: to those whom we have known the longest, up to five. */
import { ANSWER_KIND, HOLDER_STATUS, HOLDER_VERB } from '../../wire/holder.ts'
import type { HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import { encode } from '../../wire/codec.ts'
import { receiptCodec } from '../../wire/letter.ts'
import { receiptHolds } from '../../protocol/mailbox-proofs.ts'
import { REPAIR_BELOW, repairTargets } from '../../protocol/repair-rules.ts'
import type { HeldDeposit } from '../../store/held.ts'
import { eachBounded } from '../../lib/bounded.ts'
import { caught, counts, RECORDS_AT_ONCE } from './round.ts'
import type { Round } from './round.ts'
import type { Item } from './survey.ts'

/** Peers that one letter is brought to at most in a round, refusals included. */
const ATTEMPTS_MAX = 10
/** Header, proof and frame around a ciphertext, about. */
const AROUND_BYTES = 320

/** Whose zone it is, as the rules see it: who was not asked, did not say or refused is left out. */
interface Standing {
  readonly holds: boolean
  readonly observedForMs: number
  /** None: ourselves. */
  readonly peer: PeerRecord | undefined
}

export function standingOf(
  round: Round,
  members: readonly PeerRecord[],
  hasSelf: boolean,
  holds: (peerId: string) => boolean,
  isOut: (peerId: string) => boolean,
): Standing[] {
  const standing: Standing[] = []
  if (hasSelf && !round.leaving) standing.push({ holds: true, observedForMs: 0, peer: undefined })
  for (const peer of members) {
    if (isOut(peer.id) || !counts(round, peer.id)) continue
    standing.push({ holds: holds(peer.id), observedForMs: round.ages.of(peer.id), peer })
  }
  return standing
}

/** Who is to get a copy now. */
export function targetsOf(standing: readonly Standing[]): PeerRecord[] {
  const targets: PeerRecord[] = []
  for (const place of repairTargets(standing)) {
    const peer = standing[place]?.peer
    if (peer !== undefined) targets.push(peer)
  }
  return targets
}

/** Brings every letter that too few have to where it belongs, the one that lives longest first. */
export async function copyMissing(round: Round): Promise<void> {
  const alive = round.survey.items.filter(({ dead }) => !dead)
  const missing = alive.filter((item) => targetsOf(letterStanding(round, item)).length > 0)
  missing.sort((a, b) => b.expiry - a.expiry)
  await eachBounded(missing, RECORDS_AT_ONCE, async (item) => {
    await copyItem(round, item)
  })
}

/** Whether a letter lies here outside its zone while four of it have it: then it may go when our disk is full. */
export function isSpare(round: Round, item: Item): boolean {
  if (item.place.zone.hasSelf || item.dead) return false
  return letterStanding(round, item).filter(({ holds }) => holds).length >= REPAIR_BELOW
}

function letterStanding(round: Round, { id, place, holders, unsure }: Item): Standing[] {
  const { members, hasSelf } = place.zone
  const holds = (peerId: string): boolean => holders.has(peerId)
  const broke = (peerId: string): boolean => !holds(peerId) && round.signed.has(peerId, id)
  const isOut = (peerId: string): boolean => unsure.has(peerId) || !place.asked.has(peerId) || broke(peerId)
  return standingOf(round, members, hasSelf, holds, isOut)
}

async function copyItem(round: Round, item: Item): Promise<void> {
  const deposit = await round.deps.held.deposit(item.id, round.deps.clock.now())
  if (deposit === undefined) return
  for (let attempts = 0; attempts < ATTEMPTS_MAX && !item.dead;) {
    const targets = targetsOf(letterStanding(round, item)).slice(0, ATTEMPTS_MAX - attempts)
    if (targets.length === 0) return
    attempts += targets.length
    await Promise.all(targets.map((peer) => copyTo(round, item, deposit, peer)))
  }
}

async function copyTo(round: Round, item: Item, deposit: HeldDeposit, peer: PeerRecord): Promise<void> {
  let response = await send(round, deposit, peer)
  if (response?.status === HOLDER_STATUS.lane && (await bringPolicy(round, deposit, peer))) {
    response = await send(round, deposit, peer)
  }
  if (response?.status === HOLDER_STATUS.gone) item.dead = true // its tombstone reaches us by the next round
  const stored = response?.status === HOLDER_STATUS.ok && isReceipt(round, peer.id, item.id, response)
  if (!stored) {
    item.unsure.add(peer.id)
    return
  }
  item.holders.add(peer.id)
  round.signed.made(peer.id, item.id)
}

async function send(round: Round, deposit: HeldDeposit, peer: PeerRecord): Promise<HolderResponse | undefined> {
  const bytes = deposit.letter.ciphertext.length + AROUND_BYTES
  await round.budget.take(bytes, round.signal)
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.copy, body: deposit })
  if (response?.status !== HOLDER_STATUS.ok) return response
  round.counters.copies++
  round.counters.copiedBytes += bytes
  return response
}

/** A holder that came to the zone lately does not know who may write here. */
async function bringPolicy(round: Round, { letter }: HeldDeposit, peer: PeerRecord): Promise<boolean> {
  const record = await round.deps.held.cards.get(letter.address, round.deps.clock.now())
  if (record === undefined) return false
  const response = await round.neighbours.ask(peer, { kind: HOLDER_VERB.putCard, body: record })
  return response?.status === HOLDER_STATUS.ok
}

/** Whether the holder's own key signed for this record. One that did not is a lie. */
export function isReceipt(round: Round, peerId: string, id: Uint8Array, { answer }: HolderResponse): boolean {
  if (answer.kind !== ANSWER_KIND.receipt) return false
  const publicKey = round.deps.peers.publicKey(peerId)
  if (publicKey === undefined) return false
  if (receiptHolds(round.deps.crypto, publicKey, peerId, id, answer.body)) return true
  caught(round, peerId, 'receipt', encode(receiptCodec, answer.body))
  return false
}
