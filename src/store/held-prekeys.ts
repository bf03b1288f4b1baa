/**
 * Slices of one-time prekeys that are held for others, one for each device. A prekey leaves the disk, and its id is noted,
 * before anybody is given it: a crash in between loses it, and nothing brings it back.
 */
import { equal } from '../lib/bytes.ts'
import { HOUR_MS } from '../lib/time.ts'
import { fixed, list, struct, u32, u8 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { CARD_KIND } from '../wire/holder.ts'
import { provenPrekeyCodec, SLICE_PLACES } from '../wire/prekey-slices.ts'
import type { PrekeySliceBody, ProvenPrekey, SliceReport } from '../wire/prekey-slices.ts'
import { cardExpiryMs } from '../protocol/mailbox-rules.ts'
import { bucketRange } from './buckets.ts'
import type { StoreOp } from './database.ts'
import type { HeldCards } from './held-cards.ts'
import type { HeldTable } from './held-table.ts'
import type { HeldUsage } from './held-usage.ts'

/** Ids of prekeys given out that are remembered for a device, the latest ones: those of fifty slices. */
const TAKEN_MAX = 1_024
/** What one prekey takes on disk, with its key, path and checksum. */
const PREKEY_BYTES = 1_920
/** Where the place stands in the key of a prekey: behind the bucket and the card's key. */
const PLACE_AT = 33

/** What is known of a device's slice. `until` counts hours; `taken` are the ids that were given out. */
const heldSliceCodec = struct({
  number: u32,
  slice: u8,
  root: fixed(32),
  token: fixed(16),
  count: u8,
  until: u32,
  taken: list(u32, TAKEN_MAX),
})
type HeldSlice = Coded<typeof heldSliceCodec>

export class HeldPrekeys {
  readonly #table: HeldTable
  readonly #cards: HeldCards
  readonly #usage: HeldUsage

  constructor(table: HeldTable, cards: HeldCards, usage: HeldUsage) {
    this.#table = table
    this.#cards = cards
    this.#usage = usage
  }

  /** Number and bytes of the slice that is here. Waits for one that is being written. */
  async known(card: Uint8Array): Promise<{ readonly number: number; readonly bytes: number } | undefined> {
    const slice = await this.#table.alone(card, () => this.#slice(card))
    return slice && { number: slice.number, bytes: bytesOf(slice.count) }
  }

  /** Keeps a slice that was found to be good instead of the one before. What was given out once stays so. */
  async put(body: PrekeySliceBody, untilHour: number): Promise<'stored' | 'stale'> {
    const { card, number, slice, root, token, prekeys } = body
    return this.#table.alone(card, async () => {
      const before = await this.#slice(card)
      if (before !== undefined && number < before.number) return 'stale'
      const taken = before?.taken ?? []
      const given = new Set(taken)
      const fresh = prekeys.filter(({ prekey }) => !given.has(prekey.id))
      const places = new Set(fresh.map(({ place }) => place))
      const gone = (await this.#left(card)).filter(({ place }) => !places.has(place))
      const next = { number, slice, root, token, count: prekeys.length, until: untilHour, taken }
      await this.#table.write([
        ...gone.map(({ place }) => this.#del(card, place)),
        ...fresh.map((each) => this.#table.put('slicePrekeys', placeKey(card, each.place), provenPrekeyCodec, each)),
        this.#table.put('slices', [card], heldSliceCodec, next),
        this.#table.expires('slicesByExpiry', untilHour, card),
      ])
      this.#usage.addCardBytes(bytesOf(next.count) - (before === undefined ? 0 : bytesOf(before.count)))
      return 'stored'
    })
  }

  /** A prekey of the pool `root`, for good: when this resolves, it is on the disk that it was given out. */
  async take(card: Uint8Array, root: Uint8Array): Promise<ProvenPrekey | undefined> {
    return this.#table.alone(card, async () => {
      const slice = await this.#slice(card)
      if (slice === undefined || !equal(slice.root, root)) return undefined
      for await (const [, prekey] of this.#table.walk(bucketRange('slicePrekeys', card), provenPrekeyCodec)) {
        const taken = [...slice.taken, prekey.prekey.id].slice(-TAKEN_MAX)
        await this.#table.write([
          this.#del(card, prekey.place),
          this.#table.put('slices', [card], heldSliceCodec, { ...slice, taken }),
        ])
        return prekey
      }
      return undefined
    })
  }

  /** What is left, for who shows the slice's token. */
  async report(card: Uint8Array, token: Uint8Array): Promise<SliceReport | undefined> {
    return this.#table.alone(card, async () => {
      const slice = await this.#slice(card)
      if (slice === undefined || !equal(slice.token, token)) return undefined
      const left = (await this.#left(card)).reduce((bits, { place }) => bits + 2 ** (place % SLICE_PLACES), 0)
      return { number: slice.number, slice: slice.slice, root: slice.root, left }
    })
  }

  /** Removes slices whose card has run out; one whose card was renewed stays as long as that. */
  async sweep(nowMs: number): Promise<number> {
    return this.#table.sweep('slicesByExpiry', nowMs, (card) => this.#expire(card, nowMs))
  }

  /** Removes every slice: what was mended may say that prekeys are here which were given out. Their devices make new ones. */
  async clear(): Promise<void> {
    const cards: Uint8Array[] = []
    for await (const [key] of this.#table.walk(bucketRange('slices'), heldSliceCodec)) cards.push(key.slice(1))
    for (const card of cards) {
      await this.#table.alone(card, async () => {
        const slice = await this.#slice(card)
        if (slice !== undefined) await this.#remove(card, slice)
      })
    }
  }

  /** Counts what is there. Once, at opening. */
  async rebuild(): Promise<void> {
    for await (const [, { count }] of this.#table.walk(bucketRange('slices'), heldSliceCodec)) {
      this.#usage.addCardBytes(bytesOf(count))
    }
  }

  async #expire(card: Uint8Array, nowMs: number): Promise<boolean> {
    const slice = await this.#slice(card)
    if (slice === undefined || slice.until * HOUR_MS > nowMs) return false
    const record = await this.#cards.get(card, nowMs)
    if (record?.kind === CARD_KIND.prekeys && equal(record.body.body.pool.root, slice.root)) {
      const until = Math.ceil(cardExpiryMs(record) / HOUR_MS)
      await this.#table.write([
        this.#table.put('slices', [card], heldSliceCodec, { ...slice, until }),
        this.#table.expires('slicesByExpiry', until, card),
      ])
      return false
    }
    await this.#remove(card, slice)
    return true
  }

  async #remove(card: Uint8Array, { count }: HeldSlice): Promise<void> {
    const left = await this.#left(card)
    await this.#table.write([...left.map(({ place }) => this.#del(card, place)), this.#table.del('slices', [card])])
    this.#usage.addCardBytes(-bytesOf(count))
  }

  async #slice(card: Uint8Array): Promise<HeldSlice | undefined> {
    return this.#table.get('slices', [card], heldSliceCodec)
  }

  async #left(card: Uint8Array): Promise<{ readonly place: number }[]> {
    const left: { place: number }[] = []
    for await (const [key] of this.#table.walk(bucketRange('slicePrekeys', card), provenPrekeyCodec)) {
      left.push({ place: key[PLACE_AT] ?? 0 })
    }
    return left
  }

  #del(card: Uint8Array, place: number): StoreOp {
    return this.#table.del('slicePrekeys', placeKey(card, place))
  }
}

/** What a slice of so many prekeys counts for in {@link HeldUsage}, whether they were given out or not. */
export function bytesOf(count: number): number {
  return count * PREKEY_BYTES + TAKEN_MAX
}

function placeKey(card: Uint8Array, place: number): [Uint8Array, Uint8Array] {
  return [card, Uint8Array.of(place)]
}
