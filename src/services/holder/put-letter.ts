/** PUT and COPY: checks in the order of their cost, then room and disk, then the receipt. */
import { toHex } from '../../lib/bytes.ts'
import { StorageError } from '../../lib/errors.ts'
import { HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import { LETTER_KIND } from '../../wire/letter.ts'
import { expiryAllowed, idOfName, LETTER_LIFE_MAX_MS, nameOfLetter, wellFormed } from '../../protocol/mailbox-rules.ts'
import { factsOf } from '../../store/held.ts'
import type { HeldDeposit, PutOutcome } from '../../store/held.ts'
import type { LetterFacts } from '../../store/held-usage.ts'
import type { HolderCaller } from '../ports.ts'
import { admissionRefusal } from './admission.ts'
import type { Claim } from './admission.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'
import type { Way } from './quotas.ts'
import { receiptFor } from './receipts.ts'

/** A letter on its way in. */
interface Put {
  readonly deposit: HeldDeposit
  readonly way: Way
  readonly claim: Claim
  readonly facts: LetterFacts
  /** Its proof was found to be good, and needs no second look. */
  admitted: boolean
  reserved: boolean
  /** The letter that gives way to it in a full intro box. */
  loser: Uint8Array | undefined
}

/** Admitted, and the mailbox has a place for it, but the disk is full. */
type Admission = HolderStatus | 'noRoom' | undefined

export async function putLetter(desk: Desk, caller: HolderCaller, deposit: HeldDeposit, way: Way): Promise<Outcome> {
  const { letter, proof } = deposit
  const first = cheapRefusal(desk, caller, deposit, way)
  if (first !== undefined) return outcome(first, letter.address)
  const name = nameOfLetter(desk.crypto, letter)
  const id = idOfName(desk.crypto, name)
  if (desk.dropped.get(toHex(id)) === true) return outcome(HOLDER_STATUS.gone, letter.address)
  const claim = { caller, id, name, proof, fresh: way === 'put' }
  const put: Put = {
    deposit,
    way,
    claim,
    facts: factsOf(id, letter),
    admitted: false,
    reserved: false,
    loser: undefined,
  }
  try {
    return await take(desk, put)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    desk.log.warn('the disk refused a letter')
    return outcome(HOLDER_STATUS.full, letter.address)
  }
}

/** Shape, expiry, and what the source may bring: no hash, no disk. */
function cheapRefusal(
  desk: Desk,
  caller: HolderCaller,
  { letter, proof }: HeldDeposit,
  way: Way,
): HolderStatus | undefined {
  if (!wellFormed(letter) || letter.kind !== proof.kind) return HOLDER_STATUS.refused
  if (!expiryAllowed(letter.expiry, desk.clock.now(), LETTER_LIFE_MAX_MS)) return HOLDER_STATUS.expired
  const bytes = letter.ciphertext.length
  const allowed = way === 'put' ? desk.quotas.takePut(caller, bytes) : desk.quotas.takeCopy(caller, bytes)
  return allowed ? undefined : HOLDER_STATUS.rate
}

/** Stores it, where the disk is full after room was made, and signs once the disk has it. */
async function take(desk: Desk, put: Put): Promise<Outcome> {
  const { letter } = put.deposit
  let result = await store(desk, put)
  // Room is made outside of the letter's turn: the letters that go have turns of their own.
  if (result === 'noRoom' && (await desk.room.make(letter.ciphertext.length, letter.stamp.bits))) {
    result = await store(desk, put)
  }
  if (result === 'noRoom') {
    // Its stamp was checked for nothing, and would be as often as it came again.
    if (letter.kind === LETTER_KIND.stamp) desk.quotas.takeStampLook(put.claim.caller)
    return outcome(HOLDER_STATUS.full, letter.address)
  }
  if (result === 'gone') return outcome(HOLDER_STATUS.gone, letter.address)
  if (typeof result === 'number') return outcome(result, letter.address)
  if (result === 'stored') desk.subscriptions.publish(put.deposit)
  return receiptFor(desk, put.claim.id, letter.address)
}

async function store(desk: Desk, put: Put): Promise<PutOutcome | HolderStatus | 'noRoom' | undefined> {
  const { deposit, claim, facts, way } = put
  let result: PutOutcome | HolderStatus | 'noRoom' | undefined
  try {
    result = await desk.held.putLetter(claim.id, deposit, () => admit(desk, put))
    if (result === 'stored' && put.loser !== undefined) await desk.held.evict(deposit.letter.address, put.loser)
  } finally {
    if (put.reserved && result !== 'stored') desk.quotas.release(facts, way)
    if (put.loser !== undefined) desk.quotas.left(put.loser)
    put.reserved = false
    put.loser = undefined
  }
  return result
}

/** Room first, then the lane's signature or the stamp, then room again, for others may have come meanwhile. */
async function admit(desk: Desk, put: Put): Promise<Admission> {
  const { quotas } = desk
  const { facts, way } = put
  if (!quotas.hasPlace(facts, way)) return HOLDER_STATUS.full
  if (!put.admitted) {
    const place = () => (quotas.giveWay(facts) === 'full' ? HOLDER_STATUS.full : undefined)
    const refusal = await admissionRefusal(desk, put.claim, place)
    if (refusal !== undefined) return refusal
    put.admitted = true
  }
  // From this look to the reservation nothing waits.
  const loser = put.deposit.letter.kind === LETTER_KIND.stamp ? quotas.giveWay(facts) : undefined
  if (loser === 'full' || !quotas.hasPlace(facts, way)) return HOLDER_STATUS.full
  if (!quotas.hasMailRoom(put.deposit.letter.ciphertext.length)) return 'noRoom'
  put.loser = loser
  if (loser !== undefined) quotas.leaves(loser)
  quotas.reserve(facts, way)
  put.reserved = true
  return undefined
}
