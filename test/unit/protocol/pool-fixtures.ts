/** A device's pool of one-time prekeys and its slices, for tests. */
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import { prekeyCardKey } from '../../../src/protocol/mailbox-rules.ts'
import { leafOf, pathOf, poolTree, signSlice } from '../../../src/protocol/prekey-pool.ts'
import type { PoolTree } from '../../../src/protocol/prekey-pool.ts'
import { newOneTimePrekey } from '../../../src/protocol/prekey-rules.ts'
import { SLICE_PLACES } from '../../../src/wire/prekey-slices.ts'
import type { PrekeySlice, PrekeySliceBody, ProvenPrekey } from '../../../src/wire/prekey-slices.ts'
import type { OneTimePrekey, PrekeyCard } from '../../../src/wire/prekeys.ts'
import { idOf, prekeysOf, seedsOf } from './card-fixtures.ts'

export interface Pool {
  readonly card: PrekeyCard
  readonly key: Uint8Array
  readonly tree: PoolTree
  readonly token: Uint8Array
  /** The body of slice `i`, not signed yet. */
  body(i: number): PrekeySliceBody
  /** Slice `i`, signed for a holder. */
  slice(i: number, holder: string, changes?: Partial<PrekeySliceBody>): Promise<PrekeySlice>
}

export interface PoolOptions {
  readonly account?: number
  readonly device?: number
  readonly number?: number
  readonly perSlice?: number
  readonly firstId?: number
  /** Prekeys taken over from another pool, at their places. */
  readonly also?: readonly ProvenPrekey[]
}

export async function poolOf(options: PoolOptions = {}): Promise<Pool> {
  const { account = 1, device = 50, number = 1, perSlice = 20, firstId = 100, also = [] } = options
  const rng = seededRng(device + firstId)
  const fresh = Array.from({ length: 5 * perSlice }, (_, i) => {
    const { id, key, kem } = newOneTimePrekey(crypto, rng, firstId + i)
    return { place: Math.floor(i / perSlice) * SLICE_PLACES + (i % perSlice), prekey: { id, key, kem } }
  })
  const free = fresh.filter(({ place }) => !also.some((each) => each.place === place))
  const all: readonly { place: number; prekey: OneTimePrekey }[] = [...also, ...free]
  const tree = poolTree(
    crypto,
    all.map(({ place, prekey }) => ({ place, leaf: leafOf(crypto, place, prekey) })),
  )
  const card = await prekeysOf(account, device, { number, pool: { root: tree.root, count: tree.count } })
  const key = prekeyCardKey(crypto, idOf(account), card.body.certificate.body.deviceId)
  const token = new Uint8Array(16).fill(device)
  const body = (i: number): PrekeySliceBody => ({
    card: key,
    number,
    slice: i,
    root: tree.root,
    count: tree.count,
    token,
    prekeys: all
      .filter(({ place }) => Math.floor(place / SLICE_PLACES) === i)
      .map((each) => ({ ...each, path: pathOf(tree, each.place) })),
  })
  const slice: Pool['slice'] = (i, holder, changes = {}) =>
    signSlice(crypto, seedsOf(device), holder, { ...body(i), ...changes })
  return { card, key, tree, token, body, slice }
}
