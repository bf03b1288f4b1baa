/** A network for chaos: real daemons under a profile of its own, in which days pass in seconds. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { befriend, knowEnough, startAll } from '../support/daemons.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import type { Testbed } from '../support/daemons.ts'

/** Everybody lives behind one address, so nobody may be told from others by it. */
const INBOUND_PER_SECOND = 100_000
const API_PER_MINUTE = 60_000
/** People's, in the order in which they come. */
export const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy'] as const
export const PEOPLE_MAX = NAMES.length
/** What a daemon keeps for others at the least that a configuration may say. */
export const SMALL_DISK_BYTES = 1_048_576

export interface NetworkInit {
  /** All of them, people's too. */
  readonly nodes: number
  readonly people: number
  readonly repairIntervalMs: number
  readonly collectIntervalMs: number
  /** So many of the holders may keep no more than {@link SMALL_DISK_BYTES}. */
  readonly smallDisks: number
}

export interface ChaosNetwork {
  readonly people: readonly ApiDaemon[]
  /** Daemons without a person. */
  readonly holders: readonly ApiDaemon[]
  /** Those with small disks, by name. */
  readonly small: ReadonlySet<string>
}

/** What a storm goes over: daemons in processes or in containers. */
export interface Ground {
  /** Everything that they write lies under it. */
  readonly root: string
  readonly daemons: readonly ApiDaemon[]
  /** Resolves when all of them run and every two people are contacts. */
  start(): Promise<ChaosNetwork>
}

/** Processes on this machine. */
export function loopback(bed: Testbed, init: NetworkInit): Ground {
  return { root: bed.root, daemons: bed.daemons, start: async () => startChaosNetwork(bed, init) }
}

/** Starts all of them; every two people are contacts when it resolves. */
export async function startChaosNetwork(bed: Testbed, init: NetworkInit): Promise<ChaosNetwork> {
  bed.network = writeProfile(bed, init)
  const holders = Array.from({ length: init.nodes - init.people }, (_, i) =>
    bed.daemon(`holder${i}`, { passphrase: null }),
  )
  const people = NAMES.slice(0, init.people).map((name) => bed.daemon(name))
  const small = holders.slice(1, 1 + init.smallDisks)
  for (const daemon of bed.daemons) configure(daemon, small.includes(daemon))
  const [first, ...others] = bed.daemons
  await first?.start()
  await startAll(others)
  await knowEnough(bed, Math.min(5, bed.daemons.length - 1))
  await acquaint(people)
  return { people, holders, small: new Set(small.map(({ name }) => name)) }
}

/** Everybody has an account, and every two are contacts when it resolves. */
export async function acquaint(people: readonly ApiDaemon[]): Promise<void> {
  for (const person of people) await person.createIdentity()
  for (const pairs of rounds(people)) await Promise.all(pairs.map(async ([asker, asked]) => befriend(asker, asked)))
}

/** Everybody meets everybody once; in a round nobody is in two pairs. */
export function rounds<T>(people: readonly T[]): (readonly [T, T])[][] {
  // Who sits across an empty seat waits; all but the first move on by one.
  const seats: (T | undefined)[] = people.length % 2 === 0 ? [...people] : [...people, undefined]
  return seats.slice(1).map(() => {
    const pairs = seats.slice(0, seats.length / 2).flatMap((one, i) => {
      const other = seats[seats.length - 1 - i]
      return one === undefined || other === undefined ? [] : [[one, other] as const]
    })
    seats.splice(1, 0, ...seats.splice(-1))
    return pairs
  })
}

function writeProfile(bed: Testbed, { repairIntervalMs, collectIntervalMs }: NetworkInit): string {
  const profile = {
    name: 'chaos',
    repairIntervalMs,
    collectIntervalMs,
    holderUptimeMs: 0,
    stampBits: 1,
    puzzleBits: 0,
    privateAddresses: true,
    inboundPerSecond: INBOUND_PER_SECOND,
  }
  return bed.file('chaos.json', JSON.stringify(profile))
}

/** No limits of the API for the one who asks in everybody's name; and a small disk for those who have one. */
export function configure({ home }: { readonly home: string }, small: boolean): void {
  const limits = {
    readsPerMinute: API_PER_MINUTE,
    writesPerMinute: API_PER_MINUTE,
    messagesPerMinute: API_PER_MINUTE,
    publishesPerMinute: API_PER_MINUTE,
    rotationsPerMinute: API_PER_MINUTE,
    requestsPerMinute: API_PER_MINUTE,
  }
  const holder = small ? { holder: { diskMaxBytes: SMALL_DISK_BYTES } } : {}
  writeFileSync(join(home, 'config.json'), JSON.stringify({ api: { limits }, ...holder }), { mode: 0o600 })
}
