/**
 * A network over a month in ticks of five minutes: who comes and goes when, and when each does its repair round. A slot's
 * leavers and newcomers are different identities.
 */
import type { ChurnModel, PeerClass } from './models.ts'
import { intervalsOf } from './presence.ts'
import type { Interval } from './presence.ts'
import { exponential } from './random.ts'
import type { Random } from './random.ts'

export const TICKS_PER_HOUR = 12
export const TICKS_PER_DAY = 24 * TICKS_PER_HOUR

/** Many vanish at once: for good (`hours` absent) or for a while. */
export interface MassFailure {
  readonly day: number
  readonly share: number
  readonly hours?: number
}

export interface PopulationOptions {
  readonly model: ChurnModel
  readonly slots: number
  readonly days: number
  /** Share of identities that take everything and keep nothing. */
  readonly liars: number
  /** They do not even claim to have it when they are asked for a proof: no audit catches them. */
  readonly silent?: boolean
  readonly failure?: MassFailure
}

export interface Population {
  readonly options: PopulationOptions
  /** Identities. */
  readonly count: number
  readonly ticks: number
  /** 32 bytes each. */
  readonly positions: Uint8Array
  /** Public networks as small numbers, 0 for none: IPv4 /16, IPv4 /24, IPv6 /48. */
  readonly net16: Uint16Array
  readonly net24: Uint16Array
  readonly net48: Uint16Array
  readonly liar: Uint8Array
  readonly comings: Comings
  readonly sessions: Sessions
  readonly rounds: Rounds
}

/** Every coming (`on` 1) and going, by tick. */
export interface Comings {
  readonly tick: Uint16Array
  readonly identity: Uint16Array
  readonly on: Uint8Array
}

/** Sessions [from, to) of identity i: those from `first[i]` to before `first[i + 1]`, in order, in ticks; the past's are negative. */
export interface Sessions {
  readonly first: Uint32Array
  readonly from: Int32Array
  readonly to: Int32Array
  /** Ticks that it was there for before this session. */
  readonly before: Int32Array
}

/** Ticks of the repair rounds of identity i: `tick` from `first[i]` to before `first[i + 1]`, ascending. */
export interface Rounds {
  readonly first: Uint32Array
  readonly tick: Uint16Array
}

/** Peers know one another from before the study. */
const PAST_DAYS = 14
/** Prefixes of the network; the larger providers' are such that some zones hold three of one /16. */
const PREFIXES_16 = 255
const V6_SHARE = 0.3
/** The product's interval of repair, an hour ± 20 %. */
const ROUND_JITTER = 0.2

export function populate(options: PopulationOptions, random: Random): Population {
  const identities = options.model.classes.flatMap((peers) => classIdentities(options, peers, random))
  const count = identities.length
  const ticks = options.days * TICKS_PER_DAY
  const sessions = sessionsOf(identities, ticks)
  return {
    options,
    count,
    ticks,
    positions: Uint8Array.from({ length: 32 * count }, () => random() * 256),
    ...networks(count, random),
    liar: Uint8Array.from({ length: count }, () => (random() < options.liars ? 1 : 0)),
    comings: comingsOf(sessions, ticks),
    sessions,
    rounds: roundsOf(sessions, random),
  }
}

function networks(count: number, random: Random): Pick<Population, 'net16' | 'net24' | 'net48'> {
  const net16 = new Uint16Array(count)
  const net24 = new Uint16Array(count)
  const net48 = new Uint16Array(count)
  for (let i = 0; i < count; i++) {
    // Large providers have more peers than small ones.
    const prefix = Math.floor(PREFIXES_16 * random() ** 2)
    net16[i] = 1 + prefix
    net24[i] = 1 + prefix * 256 + Math.floor(random() * 256)
    if (random() < V6_SHARE) net48[i] = 1 + Math.floor(random() * 20_000)
  }
  return { net16, net24, net48 }
}

/** The addresses that the numbers stand for, as the product reads them. */
export function addressesOf({ net24, net48 }: Population, identity: number): string[] {
  const subnet = (net24[identity] ?? 0) - 1
  const six = net48[identity] ?? 0
  const four = `/ip4/60.${Math.floor(subnet / 256)}.${subnet % 256}.${1 + (identity % 250)}/tcp/4001`
  return six === 0 ? [four] : [four, `/ip6/2a02:${six.toString(16)}:1::1/tcp/4001`]
}

function classIdentities(options: PopulationOptions, peers: PeerClass, random: Random): Interval[][] {
  const slots = Math.round(peers.share * options.slots)
  return Array.from({ length: slots }, () => slotIdentities(options, peers, random)).flat()
}

/** A slot's presence goes on when its peer leaves for good: the next identity takes it over. */
function slotIdentities(options: PopulationOptions, { presence, lifeDays }: PeerClass, random: Random): Interval[][] {
  const span = { fromHour: -24 * PAST_DAYS, toHour: options.days * 24 }
  let intervals = intervalsOf(presence, span, options.model.oneZone === true, random)
  if (options.failure !== undefined && random() < options.failure.share) intervals = failed(intervals, options.failure)
  const identities: Interval[][] = []
  let from = Number.NEGATIVE_INFINITY
  let to = span.fromHour + exponential(random, lifeDays * 24)
  while (from < span.toHour) {
    identities.push(within(intervals, from, to))
    from = to
    to += exponential(random, lifeDays * 24)
  }
  return identities.filter((intervals) => (intervals.at(-1)?.[1] ?? 0) > 0)
}

const within = (intervals: readonly Interval[], from: number, to: number): Interval[] =>
  intervals.map(([a, b]) => [Math.max(a, from), Math.min(b, to)] as const).filter(([a, b]) => b > a)

function failed(intervals: readonly Interval[], { day, hours }: MassFailure): Interval[] {
  const before = within(intervals, Number.NEGATIVE_INFINITY, day * 24)
  const after = hours === undefined ? [] : within(intervals, day * 24 + hours, Number.POSITIVE_INFINITY)
  return [...before, ...after]
}

function sessionsOf(identities: readonly (readonly Interval[])[], ticks: number): Sessions {
  const first = [0]
  const [from, to, before]: [number[], number[], number[]] = [[], [], []]
  for (const intervals of identities) {
    let there = 0
    for (const [a, b] of intervals) {
      const [began, ended] = [Math.ceil(a * TICKS_PER_HOUR), Math.min(ticks, Math.ceil(b * TICKS_PER_HOUR))]
      if (ended <= began) continue
      from.push(began)
      to.push(ended)
      before.push(there)
      there += ended - began
    }
    first.push(from.length)
  }
  return {
    first: Uint32Array.from(first),
    from: Int32Array.from(from),
    to: Int32Array.from(to),
    before: Int32Array.from(before),
  }
}

/** `visit` gets every session that reaches into the study, with its identity. */
function eachSession({ first, from, to }: Sessions, visit: (identity: number, from: number, to: number) => void): void {
  for (let identity = 0; identity + 1 < first.length; identity++) {
    for (let i = first[identity] ?? 0; i < (first[identity + 1] ?? 0); i++) {
      if ((to[i] ?? 0) > 0) visit(identity, from[i] ?? 0, to[i] ?? 0)
    }
  }
}

function comingsOf(sessions: Sessions, ticks: number): Comings {
  const all: { tick: number; identity: number; on: number }[] = []
  eachSession(sessions, (identity, from, to) => {
    all.push({ tick: Math.max(0, from), identity, on: 1 })
    if (to < ticks) all.push({ tick: to, identity, on: 0 })
  })
  // Who goes and comes in one tick was not seen to go.
  all.sort((a, b) => a.tick - b.tick || a.on - b.on)
  return {
    tick: Uint16Array.from(all, ({ tick }) => tick),
    identity: Uint16Array.from(all, ({ identity }) => identity),
    on: Uint8Array.from(all, ({ on }) => on),
  }
}

/** The first round of a session is at its start, the others hourly with jitter. */
function roundsOf(sessions: Sessions, random: Random): Rounds {
  const first = new Uint32Array(sessions.first.length)
  const ticks: number[] = []
  eachSession(sessions, (identity, from, to) => {
    let next = from >= 0 ? from : Math.floor(random() * TICKS_PER_HOUR)
    for (; next < to; next += Math.round(TICKS_PER_HOUR * (1 + ROUND_JITTER * (2 * random() - 1)))) ticks.push(next)
    first[identity + 1] = ticks.length
  })
  // Whoever has no session left has no rounds: its end is that of the one before.
  for (let i = 1; i < first.length; i++) first[i] = Math.max(first[i] ?? 0, first[i - 1] ?? 0)
  return { first, tick: Uint16Array.from(ticks) }
}

/** Share of the slots that are there, over all ticks. */
export function availability({ comings: { tick, on }, ticks, options: { slots } }: Population): number {
  let there = 0
  tick.forEach((at, i) => (there += on[i] === 1 ? ticks - at : at - ticks))
  return there / (ticks * slots)
}
