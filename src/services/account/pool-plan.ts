/** What becomes of the pool of one-time prekeys: who keeps which slice, and how many are made. Decides; the caller writes. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { equal } from '../../lib/bytes.ts'
import { DAY_MS } from '../../lib/time.ts'
import { poolTree, sliceOfPlace } from '../../protocol/prekey-pool.ts'
import type { PoolTree } from '../../protocol/prekey-pool.ts'
import { retentionOver } from '../../protocol/prekey-rules.ts'
import type { StoreOp } from '../../store/database.ts'
import { ONE_TIME_STATE, PREKEY_USE } from '../../store/prekeys.ts'
import type { OwnOneTimePrekey, OwnPool, Prekeys, PrekeyUse } from '../../store/prekeys.ts'
import { SLICE_PLACES, SLICE_PREKEYS_MAX, SLICES } from '../../wire/prekey-slices.ts'
import type { SliceReport } from '../../wire/prekey-slices.ts'

/** With so many left in all slices together, new ones are made, so many at once. */
export const REFILL_AT = 20
export const REFILL_BATCH = 50
/** Prekeys out of the pool whose private halves are kept; beyond that the ones that went first go. */
const OUT_MAX = 2_000
/** For so long a holder that gave a prekey out twice keeps no slice of ours. */
const DEMOTED_MS = 7 * DAY_MS
/** Of the eight nearest at most these: five must be left for the five slices. */
const DEMOTED_MAX = 3

export const inPool = ({ state }: OwnOneTimePrekey): boolean => state !== ONE_TIME_STATE.out

/** The prekeys of each slice that nobody was given yet, as far as we know. */
export function bySlice(records: readonly OwnOneTimePrekey[]): readonly (readonly OwnOneTimePrekey[])[] {
  return Array.from({ length: SLICES }, (_, slice) =>
    records.filter((record) => inPool(record) && sliceOfPlace(record.place) === slice),
  )
}

/** Those that the holder has given out: it has them no more. */
export function goneOf(records: readonly OwnOneTimePrekey[], { left }: SliceReport): readonly OwnOneTimePrekey[] {
  return records.filter(({ place }) => Math.floor(left / 2 ** (place % SLICE_PLACES)) % 2 === 0)
}

/** Prekeys out of the pool, `more` of them in a moment, of which nobody can use the private half any more. */
export function overdue(records: readonly OwnOneTimePrekey[], more: number, now: number): readonly OwnOneTimePrekey[] {
  const out = records.filter((record) => !inPool(record))
  const surplus = Math.max(0, out.length + more - OUT_MAX)
  return out.filter(({ retiredAt }, i) => i < surplus || retentionOver(retiredAt, now))
}

/** Uses that need not be remembered any more. */
export function forgotten(uses: readonly PrekeyUse[], now: number): readonly PrekeyUse[] {
  return uses.filter(({ lastAt }) => retentionOver(lastAt, now))
}

/** The tree over the pool's leaves, which are the same in most rounds: made again where they are not. */
export class LastTree {
  readonly #crypto: CryptoProvider
  #last: { readonly leaves: OwnPool['leaves']; readonly tree: PoolTree } | undefined

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  over(leaves: OwnPool['leaves']): PoolTree {
    if (this.#last === undefined || !sameLeaves(this.#last.leaves, leaves)) {
      this.#last = { leaves, tree: poolTree(this.#crypto, leaves) }
    }
    return this.#last.tree
  }
}

/** The pool of the next card: every prekey that is left and every new one becomes a leaf. */
export async function nextPool(
  crypto: CryptoProvider,
  store: Pick<Prekeys, 'oneTime' | 'pool' | 'putPool'>,
): Promise<{ readonly tree: PoolTree; readonly ops: readonly StoreOp[] }> {
  const live = (await store.oneTime.list()).filter(inPool)
  const known = await store.pool()
  const leaves = live.map(({ place, leaf }) => ({ place, leaf })).toSorted((a, b) => a.place - b.place)
  const fresh = live.filter(({ state }) => state === ONE_TIME_STATE.made)
  const ops = fresh.flatMap((record) => store.oneTime.put({ ...record, state: ONE_TIME_STATE.published }))
  if (!sameLeaves(leaves, known.leaves)) ops.push(...store.putPool({ ...known, leaves }))
  return { tree: poolTree(crypto, leaves), ops }
}

function sameLeaves(a: OwnPool['leaves'], b: OwnPool['leaves']): boolean {
  return (
    a.length === b.length &&
    a.every(({ place, leaf }, i) => b[i]?.place === place && equal(leaf, b[i]?.leaf ?? new Uint8Array(0)))
  )
}

/** The pool as it lies on the disk. */
export interface Standing extends OwnPool {
  /** What is left of each slice. */
  readonly slices: readonly (readonly OwnOneTimePrekey[])[]
}

/** What the holder of a slice says: `undefined`, nothing. */
export interface Look {
  readonly slice: number
  readonly report: SliceReport | 'none' | undefined
  readonly lost: boolean
}

/** What there is: each slice's holder (empty text: none) and how many it has left. */
export interface PoolStanding {
  readonly holders: readonly string[]
  readonly left: readonly number[]
}

/** Who keeps the slices from now on, and how many prekeys are made for each. */
export interface PoolPlan {
  readonly holders: readonly string[]
  readonly add: readonly number[]
}

/**
 * A slice that lies nowhere goes, full, to the nearest of `keepers` that has none. Where at most {@link REFILL_AT} are left in
 * all, {@link REFILL_BATCH} are added where the fewest are.
 */
export function planPool({ holders, left }: PoolStanding, keepers: readonly string[]): PoolPlan {
  const free = keepers.filter((peerId) => !holders.includes(peerId))
  const next = holders.map((holder) => (holder === '' ? (free.shift() ?? '') : holder))
  const add: number[] = next.map((holder, slice) => (holder !== '' && holders[slice] === '' ? SLICE_PREKEYS_MAX : 0))
  const size = (slice: number): number => (next[slice] === '' ? 0 : (left[slice] ?? 0) + (add[slice] ?? 0))
  const open = [...next.keys()].filter((slice) => next[slice] !== '')
  const total = open.reduce((sum, slice) => sum + size(slice), 0)
  const batch = total <= REFILL_AT ? REFILL_BATCH : 0
  for (let i = 0; i < batch; i++) {
    const slice = open.toSorted((a, b) => size(a) - size(b))[0]
    if (slice === undefined || size(slice) >= SLICE_PREKEYS_MAX) break
    add[slice] = (add[slice] ?? 0) + 1
  }
  return { holders: next, add }
}

/** Places of a slice that none of its prekeys has. */
export function freePlaces(slice: number, used: readonly OwnOneTimePrekey[]): readonly number[] {
  const taken = new Set(used.map(({ place }) => place))
  return Array.from({ length: SLICE_PLACES }, (_, i) => slice * SLICE_PLACES + i).filter((place) => !taken.has(place))
}

/**
 * Holders of prekeys that were used twice within a week. At most one more a day: whoever knows our cards can write a message that
 * claims a spent prekey, and must not be able to have all of our holders changed, nor to leave us with too few of them: the latest
 * three stay out.
 */
export function demoted(uses: readonly PrekeyUse[], now: number): ReadonlySet<string> {
  const repeated = uses
    .filter(({ kind, uses: times, holder }) => kind === PREKEY_USE.oneTime && times > 1 && holder !== '')
    .filter(({ lastAt }) => Math.abs(now - lastAt) < DEMOTED_MS)
    .toSorted((a, b) => a.lastAt - b.lastAt)
  const names = new Set<string>()
  let lastAt = Number.NEGATIVE_INFINITY
  for (const use of repeated) {
    if (names.has(use.holder) || use.lastAt - lastAt < DAY_MS) continue
    names.add(use.holder)
    lastAt = use.lastAt
  }
  return new Set([...names].slice(-DEMOTED_MAX))
}
