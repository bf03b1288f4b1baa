/** When one slot is there: pairs of hours [from, to) over a span, long run in beforehand. */
import { drawn } from './models.ts'
import type { Presence } from './models.ts'
import { normal } from './random.ts'
import type { Random } from './random.ts'

/** Hours since the beginning of the study; negative before it. */
export type Interval = readonly [from: number, to: number]

export interface Span {
  readonly fromHour: number
  readonly toHour: number
}

/** A long pause can last weeks: what is seen must not depend on how all began. */
const RUN_IN_HOURS = 60 * 24
const WAKING_HOUR = 7

/** One slot's intervals within `span`, in order and apart. */
export function intervalsOf(presence: Presence, span: Span, oneZone: boolean, random: Random): Interval[] {
  const raw = presence.kind === 'daily' ? daily(presence, span, oneZone, random) : sessions(presence, span, random)
  return raw.filter(([from, to]) => to > span.fromHour && from < span.toHour && to > from)
}

function daily(
  { meanHours, days }: Extract<Presence, { kind: 'daily' }>,
  { fromHour, toHour }: Span,
  oneZone: boolean,
  random: Random,
): Interval[] {
  const habit = oneZone ? 8 + 6 * random() : 24 * random()
  const intervals: Interval[] = []
  let busyUntil = Number.NEGATIVE_INFINITY
  for (let day = Math.floor(fromHour / 24) - 1; day * 24 < toHour; day++) {
    if (random() >= days) continue
    const from = Math.max(busyUntil, day * 24 + normal(random, habit, 1))
    const to = from + Math.min(16, Math.max(1, normal(random, meanHours, 2)))
    intervals.push([from, to])
    busyUntil = to + 0.25
  }
  return intervals
}

function sessions(
  { on, off, daytime }: Extract<Presence, { kind: 'sessions' }>,
  { fromHour, toHour }: Span,
  random: Random,
): Interval[] {
  const intervals: Interval[] = []
  let at = fromHour - RUN_IN_HOURS * random() - RUN_IN_HOURS
  while (at < toHour) {
    const to = at + drawn(on, random)
    if (to > fromHour) intervals.push(...(daytime === true ? awake(at, to) : [[at, to] as const]))
    at = to + drawn(off, random)
  }
  return intervals
}

/** The parts of [from, to) outside the night. */
function awake(from: number, to: number): Interval[] {
  const parts: Interval[] = []
  for (let day = Math.floor(from / 24); day * 24 < to; day++) {
    const part = [Math.max(from, day * 24 + WAKING_HOUR), Math.min(to, day * 24 + 24)] as const
    if (part[1] > part[0]) parts.push(part)
  }
  return parts
}
