/** Who may bring a letter, or a tombstone of one that is not here: a lane that the owner lets in, or whoever paid with a stamp. */
import { toHex } from '../../lib/bytes.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import type { PutProof } from '../../wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { CLOCK_TOLERANCE_MS, laneProofHolds, policyTakesPuts } from '../../protocol/mailbox-rules.ts'
import type { LetterName } from '../../protocol/mailbox-rules.ts'
import { stampPrice } from '../../protocol/stamp.ts'
import type { HolderCaller } from '../ports.ts'
import type { Desk } from './desk.ts'

/** What is to be admitted. */
export interface Claim {
  readonly caller: HolderCaller
  readonly id: Uint8Array
  readonly name: LetterName
  readonly proof: PutProof
  /** Whether it is new mail, for which the mailbox must still be in use. */
  readonly fresh: boolean
}

/**
 * Why it is not admitted; `undefined` lets it in. `place` is asked between a stamp's price and its check, which costs 1.6 ms:
 * for nothing where the box is full.
 */
export async function admissionRefusal(
  desk: Desk,
  claim: Claim,
  place: () => HolderStatus | undefined = () => undefined,
): Promise<HolderStatus | undefined> {
  const { header } = claim.name
  const policy = await desk.policies.of(header.address)
  if (claim.proof.kind === LETTER_KIND.stamp) return stampRefusal(desk, claim, policy?.stampBits ?? 0, place)
  if (policy === undefined || !policy.lanes.has(toHex(header.lane))) return HOLDER_STATUS.lane
  if (claim.fresh && !policyTakesPuts(policy.expiry, desk.clock.now(), desk.profile)) return HOLDER_STATUS.lane
  return laneProofHolds(desk.crypto, header.lane, claim.id, claim.proof.body) ? undefined : HOLDER_STATUS.refused
}

async function stampRefusal(
  desk: Desk,
  { caller, name }: Claim,
  ownersBits: number,
  place: () => HolderStatus | undefined,
): Promise<HolderStatus | undefined> {
  const { expiry, sizeClass, stamp } = name.header
  const lifeMs = expiry * HOUR_MS - desk.clock.now() - CLOCK_TOLERANCE_MS
  const base = Math.max(desk.profile.stampBits, ownersBits)
  if (stamp.bits < stampPrice(base, SIZE_CLASSES_BYTES[sizeClass], lifeMs)) return HOLDER_STATUS.stamp
  const full = place()
  if (full !== undefined) return full
  if (!desk.quotas.takeStampLook(caller)) return HOLDER_STATUS.rate
  const verdict = await desk.stamps.verify(name)
  if (verdict !== 'bad') desk.quotas.giveStampLookBack(caller)
  if (verdict === 'busy') return HOLDER_STATUS.rate
  return verdict === 'good' ? undefined : HOLDER_STATUS.stamp
}
