/**
 * Which members of a zone get a copy of a record that too few hold (protocol §4, "Repair"). Pure and sparing with memory:
 * the churn study asks it hundreds of millions of times.
 */
import { REPLICAS } from './replicas.ts'

/** Fewer holders than this and repair makes copies. One below k: every copy of its own would cost three times the traffic. */
export const REPAIR_BELOW = 4

/** One of a zone, as one holder sees it. Who refused or lied is no member for it: leave it out. */
export interface ZoneMember {
  /** It proved in this round that it has the record. */
  readonly holds: boolean
  /** How long we ourselves have known it to answer. Never what it says of itself. */
  readonly observedForMs: number
}

/** Nobody is to get a copy: one array for all of these answers, since nearly all are. */
const NOBODY: number[] = []

/**
 * Places of the members that are to get a copy, the longest observed first: none where `low` or more hold it, else so many
 * that `replicas` do. Of equally old ones the one that stands first (the nearer) comes first. The answer is not to be written to.
 */
export function repairTargets(members: readonly ZoneMember[], replicas = REPLICAS, low = REPAIR_BELOW): number[] {
  let holding = 0
  for (const member of members) if (member.holds) holding++
  if (holding >= low) return NOBODY
  const missing = Math.min(replicas - holding, members.length - holding)
  if (missing <= 0) return NOBODY
  const targets: number[] = []
  for (let place = 0; place < members.length; place++) {
    const member = members[place]
    if (member !== undefined && !member.holds) insert(targets, members, place, missing)
  }
  return targets
}

/** Keeps the `most` longest observed in order: at most five, so that shifting costs less than sorting. */
function insert(targets: number[], members: readonly ZoneMember[], place: number, most: number): void {
  const age = members[place]?.observedForMs ?? 0
  let at = targets.length
  if (at === most) {
    if ((members[targets[at - 1] ?? 0]?.observedForMs ?? 0) >= age) return
    at--
  } else targets.push(place)
  while (at > 0 && (members[targets[at - 1] ?? 0]?.observedForMs ?? 0) < age) {
    targets[at] = targets[at - 1] ?? 0
    at--
  }
  targets[at] = place
}
