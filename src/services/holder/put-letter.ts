/** PUT: a letter is checked in the order of what the checks cost, stored and synced, and then receipted. */
import { toHex } from '../../lib/bytes.ts'
import { StorageError } from '../../lib/errors.ts'
import { HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import type { Letter, PutProof } from '../../wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import {
  CLOCK_TOLERANCE_MS,
  expiryAllowed,
  HOUR_MS,
  laneProofHolds,
  LETTER_LIFE_MAX_MS,
  letterId,
  wellFormed,
} from '../../protocol/mailbox-rules.ts'
import { stampPrice } from '../../protocol/stamp.ts'
import { factsOf } from '../../store/held.ts'
import type { PutOutcome } from '../../store/held.ts'
import type { HolderCaller } from '../ports.ts'
import { outcome } from './deps.ts'
import type { HolderDeps, Outcome } from './deps.ts'
import type { Policies } from './policies.ts'
import type { Quotas } from './quotas.ts'
import { receiptFor } from './receipts.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface LetterDesk extends HolderDeps {
  readonly quotas: Quotas
  readonly policies: Policies
  readonly subscriptions: Subscriptions
}

export async function putLetter(
  desk: LetterDesk,
  caller: HolderCaller,
  letter: Letter,
  proof: PutProof,
): Promise<Outcome> {
  const first = cheapRefusal(desk, caller, letter, proof)
  if (first !== undefined) return outcome(first, letter.address)
  const id = letterId(desk.crypto, letter)
  try {
    return await store(desk, caller, id, letter, proof)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    desk.log.warn('the disk refused a letter')
    return outcome(HOLDER_STATUS.full, letter.address)
  }
}

/** Shape, expiry, and what the source may bring: no hash, no disk. */
function cheapRefusal(
  desk: LetterDesk,
  caller: HolderCaller,
  letter: Letter,
  proof: PutProof,
): HolderStatus | undefined {
  if (!wellFormed(letter) || letter.kind !== proof.kind) return HOLDER_STATUS.refused
  if (!expiryAllowed(letter.expiry, desk.clock.now(), LETTER_LIFE_MAX_MS)) return HOLDER_STATUS.expired
  return desk.quotas.takePut(caller, letter.ciphertext.length) ? undefined : HOLDER_STATUS.rate
}

/** Room first, then the lane's signature or the stamp. */
async function dearRefusal(
  desk: LetterDesk,
  caller: HolderCaller,
  id: Uint8Array,
  letter: Letter,
  proof: PutProof,
): Promise<HolderStatus | undefined> {
  if (!desk.quotas.hasRoom(factsOf(id, letter))) return HOLDER_STATUS.full
  const policy = await desk.policies.of(letter.address)
  if (proof.kind === LETTER_KIND.stamp) return stampRefusal(desk, caller, id, letter, policy?.stampBits ?? 0)
  if (policy === undefined || !policy.lanes.has(toHex(letter.lane))) return HOLDER_STATUS.lane
  return laneProofHolds(desk.crypto, letter.lane, id, proof.body) ? undefined : HOLDER_STATUS.refused
}

async function stampRefusal(
  desk: LetterDesk,
  caller: HolderCaller,
  id: Uint8Array,
  letter: Letter,
  ownersBits: number,
): Promise<HolderStatus | undefined> {
  const lifeMs = letter.expiry * HOUR_MS - desk.clock.now() - CLOCK_TOLERANCE_MS
  const base = Math.max(desk.profile.stampBits, ownersBits)
  if (letter.stamp.bits < stampPrice(base, SIZE_CLASSES_BYTES[letter.sizeClass], lifeMs)) return HOLDER_STATUS.stamp
  if (desk.quotas.giveWay(factsOf(id, letter)) === 'full') return HOLDER_STATUS.full
  if (!desk.quotas.trustsStamps(caller)) return HOLDER_STATUS.rate
  const verdict = await desk.stamps.verify(letter)
  if (verdict === 'busy') return HOLDER_STATUS.rate
  if (verdict === 'bad') desk.quotas.falseStamp(caller)
  return verdict === 'good' ? undefined : HOLDER_STATUS.stamp
}

/** Looks whether the letter is known, lets it be admitted, stores it, and signs once the disk has it. */
async function store(
  desk: LetterDesk,
  caller: HolderCaller,
  id: Uint8Array,
  letter: Letter,
  proof: PutProof,
): Promise<Outcome> {
  const facts = factsOf(id, letter)
  let reserved = false
  let loser: Uint8Array | undefined
  let result: PutOutcome | HolderStatus | undefined
  const admit = async (): Promise<HolderStatus | undefined> => {
    const refusal = await dearRefusal(desk, caller, id, letter, proof)
    if (refusal !== undefined) return refusal
    // Others may have come while the proof was checked: from this look to the reservation nothing waits.
    const least = letter.kind === LETTER_KIND.stamp ? desk.quotas.giveWay(facts) : undefined
    if (least === 'full' || !desk.quotas.hasRoom(facts)) return HOLDER_STATUS.full
    loser = least
    if (loser !== undefined) desk.quotas.leaves(loser)
    desk.quotas.reserve(facts)
    reserved = true
    return undefined
  }
  try {
    result = await desk.held.putLetter(id, letter, admit)
    if (result === 'stored' && loser !== undefined) await desk.held.evict(letter.address, loser)
  } finally {
    if (reserved && result !== 'stored') desk.quotas.release(facts)
    if (loser !== undefined) desk.quotas.left(loser)
  }
  if (result === 'gone') return outcome(HOLDER_STATUS.gone, letter.address)
  if (typeof result === 'number') return outcome(result, letter.address)
  if (result === 'stored') desk.subscriptions.publish(letter)
  return receiptFor(desk, id, letter.address)
}
