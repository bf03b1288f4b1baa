/**
 * How long one peer has known another to be there, by the product's rule (`services/repair/ages.ts`): an absence of up to one
 * and a half intervals is none, a longer one starts anew, and the time in which oneself was away counts neither way.
 */
import { TICKS_PER_HOUR } from './population.ts'
import type { Sessions } from './population.ts'

const GAP_TICKS = 1.5 * TICKS_PER_HOUR

/** In ticks, at `now`, when both are there. */
export function knownFor(sessions: Sessions, who: number, whom: number, now: number): number {
  const { first, from, to } = sessions
  const watched = presentUntil(sessions, who, now)
  const last = sessionAt(sessions, whom, now)
  let start = presentUntil(sessions, who, from[last] ?? 0)
  for (let i = last - 1; i >= (first[whom] ?? 0); i--) {
    const [came, went] = [presentUntil(sessions, who, from[i] ?? 0), presentUntil(sessions, who, to[i] ?? 0)]
    if (came === went) continue // nobody saw that session
    if (start - went > GAP_TICKS) break
    start = came
  }
  return watched - start
}

/** Ticks that it was there for before `tick`. */
function presentUntil(sessions: Sessions, who: number, tick: number): number {
  const i = sessionAt(sessions, who, tick)
  const [from, to] = [sessions.from[i] ?? 0, sessions.to[i] ?? 0]
  return tick < from ? 0 : (sessions.before[i] ?? 0) + Math.min(tick, to) - from
}

/** The last session that began at or before `tick`; the first where none did. */
function sessionAt({ first, from }: Sessions, who: number, tick: number): number {
  let [low, high] = [first[who] ?? 0, (first[who + 1] ?? 0) - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((from[middle] ?? 0) <= tick) low = middle
    else high = middle - 1
  }
  return low
}
