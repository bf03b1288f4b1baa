/**
 * The zone of a place on the ring, by the product's rules (`protocol/replicas.ts`), fast enough to be asked a billion times: a
 * test holds the two against each other. Peers are called by rank, nearest first; distances count by their first 41 bits.
 */
import { ZONE_CANDIDATES, ZONE_SIZE } from '../../../src/protocol/replicas.ts'
import type { Population } from './population.ts'
import type { Random } from './random.ts'

/** Distance and index share the 53 bits of a number. */
const INDEX_SPAN = 4_096
const LOW_BITS = 9
const PER_16_MAX = 2
/** No rank: the sender and the reader are not of the zone. */
export const OUTSIDE = -1

export class Zone {
  /** Ranks of the members that the last scan came to, nearest first; `length` of them. */
  readonly members = new Uint16Array(ZONE_SIZE)
  length = 0
  /** Ranks that went with the last {@link advance}. */
  readonly left: number[] = []
  /** Identity by rank, rank by identity. */
  readonly order: Uint16Array
  readonly #rankOf: Uint16Array
  readonly #population: Population
  readonly #missed: number
  readonly #random: Random
  readonly #keys: Float64Array
  /** One bit a rank: who is there. */
  readonly #there: Int32Array
  #nextComing = 0
  readonly #net16: Uint16Array
  readonly #net24: Uint16Array
  readonly #net48: Uint16Array
  /** By rank: it shares a network with enough others for the rule of diversity to matter. */
  readonly #contested: Uint8Array
  readonly #shared: Shared
  readonly #used16: Uint8Array
  readonly #used24: Uint8Array
  readonly #used48: Uint8Array
  /** Peers still to be found before the next one is missed. */
  #untilMiss = 0
  readonly #leftOut = new Uint16Array(ZONE_CANDIDATES)
  /** Contested members of the scan under way. */
  readonly #taken = new Uint16Array(ZONE_SIZE)
  #takenCount = 0

  /** `missed`: the share of peers that a lookup does not find though they are there. */
  constructor(population: Population, missed: number, random: Random) {
    const { count } = population
    if (count > INDEX_SPAN) throw new RangeError('more identities than an index has room for')
    this.#population = population
    this.#missed = missed
    this.#random = random
    this.order = new Uint16Array(count)
    this.#rankOf = new Uint16Array(count)
    this.#keys = new Float64Array(count)
    this.#there = new Int32Array(Math.ceil(count / 32))
    this.#net16 = new Uint16Array(count)
    this.#net24 = new Uint16Array(count)
    this.#net48 = new Uint16Array(count)
    this.#contested = new Uint8Array(count)
    this.#shared = sharedNetworks(population)
    this.#used16 = new Uint8Array(count + 1)
    this.#used24 = new Uint8Array(count + 1)
    this.#used48 = new Uint8Array(count + 1)
    this.#drawMiss()
  }

  /** From here on ranks are counted from `target` (32 bytes), and time begins anew. */
  rank(target: Uint8Array): void {
    const { positions, count } = this.#population
    const { net16, net24, net48 } = this.#shared
    const ring = new DataView(positions.buffer, positions.byteOffset)
    const aim = new DataView(target.buffer, target.byteOffset)
    const [high, low] = [aim.getUint32(0), aim.getUint32(4)]
    for (let i = 0; i < count; i++) {
      const first = (ring.getUint32(32 * i) ^ high) >>> 0
      const second = (ring.getUint32(32 * i + 4) ^ low) >>> (32 - LOW_BITS)
      this.#keys[i] = (first * 2 ** LOW_BITS + second) * INDEX_SPAN + i
    }
    this.#keys.sort()
    for (let rank = 0; rank < count; rank++) {
      const identity = (this.#keys[rank] ?? 0) % INDEX_SPAN
      this.order[rank] = identity
      this.#rankOf[identity] = rank
      this.#net16[rank] = net16[identity] ?? 0
      this.#net24[rank] = net24[identity] ?? 0
      this.#net48[rank] = net48[identity] ?? 0
      this.#contested[rank] = net16[identity] || net24[identity] || net48[identity] ? 1 : 0
    }
    this.#there.fill(0)
    this.#nextComing = 0
  }

  /** Time goes on to `tick`, which is never less than before. */
  advance(tick: number): void {
    const { comings } = this.#population
    this.left.length = 0
    for (; (comings.tick[this.#nextComing] ?? Number.POSITIVE_INFINITY) <= tick; this.#nextComing++) {
      const rank = this.#rankOf[comings.identity[this.#nextComing] ?? 0] ?? 0
      const bit = 1 << (rank & 31)
      if (comings.on[this.#nextComing] === 1) {
        this.#there[rank >> 5] = (this.#there[rank >> 5] ?? 0) | bit
      } else {
        this.#there[rank >> 5] = (this.#there[rank >> 5] ?? 0) & ~bit
        this.left.push(rank)
      }
    }
  }

  isThere(rank: number): boolean {
    return ((this.#there[rank >> 5] ?? 0) & (1 << (rank & 31))) !== 0
  }

  /**
   * Walks the zone and counts the members that have `marked[rank]`, up to `enough` of them: then it stops, and `members` is
   * not complete. The rank `self` is found in any case, if it is there at all.
   */
  scan(self: number, marked: Uint8Array, enough: number): number {
    let [marks, seen, leftOut] = [0, 0, 0]
    this.length = 0
    walk: for (let i = 0; i < this.#there.length; i++) {
      for (let word = this.#there[i] ?? 0; word !== 0; word &= word - 1) {
        const rank = 32 * i + 31 - Math.clz32(word & -word)
        if (rank !== self && this.#untilMiss-- === 0) {
          this.#drawMiss()
          continue
        }
        seen++
        if (this.#contested[rank] === 0 || this.#admit(rank)) {
          this.members[this.length++] = rank
          marks += marked[rank] ?? 0
        } else this.#leftOut[leftOut++] = rank
        if (marks >= enough || this.length === ZONE_SIZE || seen === ZONE_CANDIDATES) break walk
      }
    }
    this.#forgetNetworks()
    // A network smaller than a lookup: everyone belongs to the zone.
    const others = seen < ZONE_CANDIDATES ? leftOut : 0
    for (let i = 0; i < others && marks < enough && this.length < ZONE_SIZE; i++) {
      const rank = this.#leftOut[i] ?? 0
      this.members[this.length++] = rank
      marks += marked[rank] ?? 0
    }
    return marks
  }

  /** False where its networks have their part of the zone already. */
  #admit(rank: number): boolean {
    const [a, b, c] = [this.#net16[rank] ?? 0, this.#net24[rank] ?? 0, this.#net48[rank] ?? 0]
    const on16 = a === 0 ? 0 : (this.#used16[a] ?? 0)
    if (on16 >= PER_16_MAX || (b !== 0 && this.#used24[b] === 1) || (c !== 0 && this.#used48[c] === 1)) return false
    this.#used16[a] = on16 + 1
    this.#used24[b] = 1
    this.#used48[c] = 1
    this.#taken[this.#takenCount++] = rank
    return true
  }

  #forgetNetworks(): void {
    for (; this.#takenCount > 0; this.#takenCount--) {
      const rank = this.#taken[this.#takenCount - 1] ?? 0
      this.#used16[this.#net16[rank] ?? 0] = 0
      this.#used24[this.#net24[rank] ?? 0] = 0
      this.#used48[this.#net48[rank] ?? 0] = 0
    }
  }

  /** Misses are independent of one another: the run between two of them is geometric. */
  #drawMiss(): void {
    const missed = this.#missed
    this.#untilMiss =
      missed === 0 ? Number.POSITIVE_INFINITY : Math.floor(Math.log(1 - this.#random()) / Math.log(1 - missed))
  }
}

type Shared = Pick<Population, 'net16' | 'net24' | 'net48'>

/** The networks of a population numbered anew from 1, those too small to break the rule as 0. */
function sharedNetworks({ net16, net24, net48 }: Population): Shared {
  return { net16: numbered(net16, PER_16_MAX), net24: numbered(net24, 1), net48: numbered(net48, 1) }
}

function numbered(networks: Uint16Array, harmless: number): Uint16Array {
  const sizes = new Map<number, number>()
  for (const network of networks) sizes.set(network, (sizes.get(network) ?? 0) + 1)
  sizes.delete(0)
  const large = [...sizes].filter(([, size]) => size > harmless).map(([network]) => network)
  const numbers = new Map(large.map((network, i) => [network, i + 1]))
  return networks.map((network) => numbers.get(network) ?? 0)
}
