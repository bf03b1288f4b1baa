/**
 * TOMB: anyone may delete who knows the preimage. Where the letter is here it alone decides; where it is not, the tombstone must
 * pass what its letter would have to, so that it is worth its place on the disk.
 */
import { runsOf } from '../../lib/bounded.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { HOLDER_STATUS } from '../../wire/holder.ts'
import type { HolderStatus } from '../../wire/holder.ts'
import type { Tombstone } from '../../wire/letter.ts'
import {
  CLOCK_TOLERANCE_MS,
  headerWellFormed,
  hourPassed,
  idOfName,
  LETTER_LIFE_MAX_MS,
  opens,
  TOMBSTONE_EXTRA_HOURS,
} from '../../protocol/mailbox-rules.ts'
import type { HolderCaller } from '../ports.ts'
import { admissionRefusal } from './admission.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'

/** Tombstones of one request that wait for the disk side by side. */
const AT_ONCE = 8
/** Which of several outcomes is the answer: first that the sender is to come again with all, then what it can do about it. */
const WORST_FIRST = [
  HOLDER_STATUS.rate,
  HOLDER_STATUS.lane,
  HOLDER_STATUS.full,
  HOLDER_STATUS.stamp,
  HOLDER_STATUS.refused,
] as const

/** All are looked at; the answer is the worst outcome of them. */
export async function tomb(desk: Desk, caller: HolderCaller, tombstones: readonly Tombstone[]): Promise<Outcome> {
  const statuses = tombstones.map((tombstone) => cheapOutcome(desk, tombstone))
  const due = tombstones.filter((_, i) => statuses[i] === undefined)
  if (due.length > 0 && !desk.quotas.takeTombstones(caller, due.length)) return outcome(HOLDER_STATUS.rate, undefined)
  for (const run of runsOf(due, AT_ONCE)) {
    statuses.push(...(await Promise.all(run.map((each) => buryLooked(desk, caller, each)))))
  }
  return outcome(WORST_FIRST.find((status) => statuses.includes(status)) ?? HOLDER_STATUS.ok, undefined)
}

/** Shape and expiry. One whose letter nobody takes any more is done with; it costs its sender nothing. */
function cheapOutcome(desk: Desk, { header, proof }: Tombstone): HolderStatus | undefined {
  const now = desk.clock.now()
  if (!headerWellFormed(header) || header.kind !== proof.kind) return HOLDER_STATUS.refused
  if (hourPassed(header.expiry + TOMBSTONE_EXTRA_HOURS, now)) return HOLDER_STATUS.ok
  const tooFar = header.expiry * HOUR_MS > now + LETTER_LIFE_MAX_MS + CLOCK_TOLERANCE_MS
  return tooFar ? HOLDER_STATUS.refused : undefined
}

async function buryLooked(desk: Desk, caller: HolderCaller, tombstone: Tombstone): Promise<HolderStatus> {
  const { held, crypto } = desk
  if (!opens(crypto, tombstone.header.commitment, tombstone.preimage)) return HOLDER_STATUS.refused
  const id = idOfName(crypto, tombstone)
  const known = await held.bury(id, tombstone)
  if (known !== 'unseen') return known === 'refused' ? HOLDER_STATUS.refused : HOLDER_STATUS.ok
  if (!held.graves.hasRoom(tombstone)) return HOLDER_STATUS.full
  const refusal = await admissionRefusal(desk, { caller, id, name: tombstone, proof: tombstone.proof, fresh: false })
  if (refusal !== undefined) return refusal
  return (await held.adoptTombstone(id, tombstone)) === 'full' ? HOLDER_STATUS.full : HOLDER_STATUS.ok
}
