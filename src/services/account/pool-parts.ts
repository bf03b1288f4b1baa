/** What the pool is made of: prekeys as they lie in the store, and slices as they go to their holders. Writes nothing. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Rng } from '../../lib/rng.ts'
import { leafOf, pathOf, signSlice, sliceToken } from '../../protocol/prekey-pool.ts'
import type { PoolTree } from '../../protocol/prekey-pool.ts'
import { newOneTimePrekey } from '../../protocol/prekey-rules.ts'
import { ONE_TIME_STATE } from '../../store/prekeys.ts'
import type { OwnOneTimePrekey } from '../../store/prekeys.ts'
import type { PrekeySlice, ProvenPrekey } from '../../wire/prekey-slices.ts'
import type { UnlockedAccount } from './ports.ts'

/** A fresh prekey at its place, for its holder; in no card yet. */
export function makeOne(
  { crypto, rng, clock }: { readonly crypto: CryptoProvider; readonly rng: Rng; readonly clock: Clock },
  { id, place, holder }: Pick<OwnOneTimePrekey, 'id' | 'place' | 'holder'>,
): OwnOneTimePrekey {
  const { secret, kemSeed, key, kem } = newOneTimePrekey(crypto, rng, id)
  const leaf = leafOf(crypto, place, { id, key, kem })
  const times = { createdAt: clock.now(), retiredAt: 0 }
  return { version: 1, id, secret, kemSeed, state: ONE_TIME_STATE.made, place, leaf, holder, ...times }
}

/** The public half of a prekey, with its path to the root. */
export function proven(
  crypto: CryptoProvider,
  tree: PoolTree,
  { id, secret, kemSeed, place }: OwnOneTimePrekey,
): ProvenPrekey {
  const prekey = { id, key: crypto.x25519PublicKey(secret), kem: crypto.kemPublicKey(1024, kemSeed) }
  return { prekey, place, path: pathOf(tree, place) }
}

/** What a slice says besides its prekeys: the key and the number of the card, which slice, of which pool. */
export interface SliceParts {
  readonly card: Uint8Array
  readonly number: number
  readonly slice: number
  readonly tree: PoolTree
}

/** The slice, signed for its holder. */
export async function sliceOf(
  context: {
    readonly crypto: CryptoProvider
    readonly account: Pick<UnlockedAccount, 'signingSeeds' | 'identitySecret'>
  },
  holder: string,
  { card, number, slice, tree }: SliceParts,
  prekeys: readonly ProvenPrekey[],
): Promise<PrekeySlice> {
  const { crypto, account } = context
  const token = sliceToken(crypto, account.identitySecret, holder)
  const body = { card, number, slice, root: tree.root, count: tree.count, token, prekeys }
  return signSlice(crypto, account.signingSeeds, holder, body)
}
