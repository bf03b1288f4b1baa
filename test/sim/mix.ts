/** What goes wrong in a seed, and how much of it. */
import { epochKey, epochOf } from '../../src/protocol/mailbox-rules.ts'
import { placement } from '../../src/protocol/replicas.ts'
import { LIE_KINDS } from './liars.ts'
import type { Person } from './person.ts'
import type { World } from './world.ts'

type Churn = 'exponential' | 'weibull' | 'day-night' | 'steady'

/** The mix of one seed, for the trace. */
export interface Mix {
  readonly loss: number
  readonly duplicate: number
  readonly slow: number
  readonly misses: number
  readonly churn: Churn
  readonly massLoss: number
  readonly liars: readonly string[]
  readonly captured: string | undefined
  /** Peer ids of the three nearest to one mailbox, who are away while most of its letters are written, and then come back. */
  readonly away: readonly string[]
  readonly senderLost: string | undefined
  readonly partitions: number
  readonly skewed: number
}

/** @param sybils share of all holders that lie, those nearest to one mailbox; otherwise the dice say who lies and where. */
export function draw(world: World, sybils?: number): Mix {
  const mix = drawn(world)
  if (sybils === undefined) return mix
  const victim = world.dice.pick(world.readers)
  return { ...mix, liars: capture(world, victim, sybils, 0), captured: victim.name }
}

function drawn(world: World): Mix {
  const { dice } = world
  const share = dice.chance(0.25) ? 0 : dice.between(0, 0.33)
  const captured = dice.chance(0.2) ? dice.pick(world.readers) : undefined
  return {
    loss: dice.between(0, 0.15),
    duplicate: dice.between(0, 0.05),
    slow: dice.between(0, 0.01),
    misses: dice.between(0.02, 0.12),
    churn: dice.pick<Churn>(['exponential', 'weibull', 'day-night', 'steady']),
    massLoss: dice.pick([0, 0, 0.5, 0.5, 0.7]),
    liars: captured === undefined ? scattered(world, share) : capture(world, captured, 1 / 3, dice.below(3)),
    captured: captured?.name,
    away: dice.chance(0.4) ? nearest(world, dice.pick(world.readers)) : [],
    senderLost: dice.chance(0.3) ? dice.pick(world.senders).name : undefined,
    partitions: dice.below(8),
    skewed: dice.between(0, 0.2),
  }
}

function scattered({ dice, holders }: World, share: number): readonly string[] {
  return holders.map(() => (dice.chance(share) ? dice.pick(LIE_KINDS) : ''))
}

function nearest(world: World, person: Person): readonly string[] {
  const { crypto, net, profile } = world
  if (person.mailboxSeed === undefined) return []
  const { address } = epochKey(crypto, person.mailboxSeed, epochOf(world.scheduler.now(), profile))
  return net
    .order(placement(crypto, address))
    .slice(0, 3)
    .map(({ peerId }) => peerId)
}

/** The share of all holders that is nearest to one mailbox in an epoch to come, all with one kind of lie. */
function capture(world: World, person: Person, share: number, ahead: number): readonly string[] {
  const { dice, crypto, net, holders, profile } = world
  const epoch = epochOf(world.scheduler.now(), profile) + ahead
  const address =
    person.mailboxSeed === undefined ? dice.rng.bytes(32) : epochKey(crypto, person.mailboxSeed, epoch).address
  const near = net.order(placement(crypto, address)).slice(0, Math.floor(holders.length * share))
  const kind = dice.pick(LIE_KINDS)
  return holders.map((holder) => (near.includes(holder) ? kind : ''))
}
