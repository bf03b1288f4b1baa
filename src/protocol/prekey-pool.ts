/**
 * A device's one-time prekeys as one pool (protocol §2): a Merkle tree whose root stands in the signed prekey card, cut into
 * five slices of which each lies at one holder. Hashes are kept apart as in RFC 6962 §2.1: 0 before a leaf, 1 before a node.
 *
 *     leaf = SHA-256(0 ‖ label ‖ place ‖ prekey)     node = SHA-256(1 ‖ left ‖ right)     empty leaf = 32 zero bytes
 *
 * The tree always has 256 leaves: place = slice · 32 + i. A prekey keeps its place as long as it is in the pool.
 */
import type { HybridSeeds } from '../crypto/hybrid.ts'
import { hybridSign, hybridVerify } from '../crypto/hybrid.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { concat, equal, u32be, utf8 } from '../lib/bytes.ts'
import type { HybridPublicKey } from '../wire/card.ts'
import { encode } from '../wire/codec.ts'
import {
  boundSliceCodec,
  POOL_HEIGHT,
  PREKEY_SLICE_LABEL,
  PREKEY_STAMP_LABEL,
  prekeySliceCodec,
  SLICE_PLACES,
  SLICE_PREKEYS_MAX,
  SLICES,
} from '../wire/prekey-slices.ts'
import type { PrekeyBundle, PrekeySlice, PrekeySliceBody, ProvenPrekey } from '../wire/prekey-slices.ts'
import { oneTimePrekeyCodec } from '../wire/prekeys.ts'
import type { OneTimePrekey, PrekeyCard } from '../wire/prekeys.ts'

export const POOL_SIZE = SLICES * SLICE_PREKEYS_MAX
const LEAVES = 2 ** POOL_HEIGHT
const LEAF_LABEL = utf8('sotto prekey pool v1')
const TOKEN_LABEL = utf8('sotto prekey token v1')
const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
const EMPTY_LEAF = new Uint8Array(32)

/** A leaf at its place. */
export interface PoolLeaf {
  readonly place: number
  readonly leaf: Uint8Array
}

export const sliceOfPlace = (place: number): number => Math.floor(place / SLICE_PLACES)

/** The hash that a prekey has at its place. */
export function leafOf(crypto: CryptoProvider, place: number, prekey: OneTimePrekey): Uint8Array {
  return crypto.sha256(LEAF, LEAF_LABEL, Uint8Array.of(place), encode(oneTimePrekeyCodec, prekey))
}

/** The whole tree: `levels[0]` are the leaves, the last level is the root alone. */
export interface PoolTree {
  readonly levels: readonly (readonly Uint8Array[])[]
  readonly root: Uint8Array
  readonly count: number
}

/** The tree over these leaves; the root of an empty pool is zero, as the card has it. */
export function poolTree(crypto: CryptoProvider, leaves: readonly PoolLeaf[]): PoolTree {
  const first: Uint8Array[] = Array.from({ length: LEAVES }, () => EMPTY_LEAF)
  for (const { place, leaf } of leaves) first[place] = leaf
  const levels = [first]
  let empty: Uint8Array = EMPTY_LEAF
  for (let level = first; level.length > 1;) {
    const [below, emptyBelow] = [level, empty]
    // Half of the places are empty: what stands over two of them is made once for each level.
    empty = node(crypto, emptyBelow, emptyBelow)
    level = Array.from({ length: below.length / 2 }, (_, i) => {
      const [left, right] = [at(below, 2 * i), at(below, 2 * i + 1)]
      return left === emptyBelow && right === emptyBelow ? empty : node(crypto, left, right)
    })
    levels.push(level)
  }
  const root = leaves.length === 0 ? EMPTY_LEAF : at(levels.at(-1) ?? [], 0)
  return { levels, root, count: leaves.length }
}

/** The siblings of a place, from the leaf up. */
export function pathOf(tree: PoolTree, place: number): readonly Uint8Array[] {
  return tree.levels.slice(0, POOL_HEIGHT).map((level, height) => at(level, (place >> height) ^ 1))
}

/** Whether the prekey is a leaf of the pool of this root, at the place that it names. */
export function pathHolds(crypto: CryptoProvider, root: Uint8Array, { prekey, place, path }: ProvenPrekey): boolean {
  let hash = leafOf(crypto, place, prekey)
  for (const [height, sibling] of path.entries()) {
    hash = ((place >> height) & 1) === 0 ? node(crypto, hash, sibling) : node(crypto, sibling, hash)
  }
  return path.length === POOL_HEIGHT && equal(hash, root)
}

/** Whether a bundle's one-time prekey, where there is one, is of the card that came with it. The card itself is verified apart. */
export function bundleHolds(crypto: CryptoProvider, { card, oneTime }: PrekeyBundle): boolean {
  return oneTime === undefined || (card.body.pool.count > 0 && pathHolds(crypto, card.body.pool.root, oneTime))
}

/** The slice, signed for one holder by the device. */
export async function signSlice(
  crypto: CryptoProvider,
  device: HybridSeeds,
  holder: string,
  body: PrekeySliceBody,
): Promise<PrekeySlice> {
  return { body, signature: await hybridSign(crypto, device, PREKEY_SLICE_LABEL, signedBytes(crypto, holder, body)) }
}

/** Whether the device signed this slice for this holder. */
export function sliceSignatureHolds(
  crypto: CryptoProvider,
  device: HybridPublicKey,
  holder: string,
  { body, signature }: PrekeySlice,
): boolean {
  return hybridVerify(crypto, device, PREKEY_SLICE_LABEL, signedBytes(crypto, holder, body), signature)
}

/** Signed is the hash: two signature schemes read it, and the slice has 40 KB. */
function signedBytes(crypto: CryptoProvider, holder: string, body: PrekeySliceBody): Uint8Array {
  return crypto.sha256(encode(boundSliceCodec, { holder, body }))
}

/** Whether sizes and places are in order: a slice there is, its own places only, no place or id twice. No hash. */
export function sliceWellFormed({ slice, count, prekeys }: PrekeySliceBody): boolean {
  const places = new Set(prekeys.map(({ place }) => place))
  const ids = new Set(prekeys.map(({ prekey }) => prekey.id))
  return (
    slice < SLICES &&
    count >= prekeys.length &&
    count <= POOL_SIZE &&
    places.size === prekeys.length &&
    ids.size === prekeys.length &&
    [...places].every((place) => sliceOfPlace(place) === slice)
  )
}

/** Whether the slice is of the pool that the card names, and every prekey in it is a leaf. */
export function sliceFits(crypto: CryptoProvider, { body }: PrekeySlice, card: PrekeyCard): boolean {
  const { pool } = card.body
  return (
    pool.count === body.count &&
    equal(pool.root, body.root) &&
    body.prekeys.every((prekey) => pathHolds(crypto, body.root, prekey))
  )
}

/** SHA-256 of the slice: what its receipt is over. */
export function sliceHash(crypto: CryptoProvider, slice: PrekeySlice): Uint8Array {
  return crypto.sha256(encode(prekeySliceCodec, slice))
}

/** What a device shows to one holder to be told what is left: 16 bytes that follow from a secret of the device. */
export function sliceToken(crypto: CryptoProvider, secret: Uint8Array, holder: string): Uint8Array {
  return crypto.hkdfSha256(secret, utf8(holder), TOKEN_LABEL, 16)
}

/** What the stamp for a one-time prekey is made over, 32 bytes: one card, one holder, one hour, and the bits that are claimed. */
export function prekeyStampChallenge(
  crypto: CryptoProvider,
  input: { readonly card: Uint8Array; readonly holder: string; readonly hour: number; readonly bits: number },
): Uint8Array {
  const { card, holder, hour, bits } = input
  return crypto.sha256(concat(utf8(PREKEY_STAMP_LABEL), card, u32be(hour), Uint8Array.of(bits)), utf8(holder))
}

/** What a one-time prekey costs, in bits, where a stranger's letter costs `stampBits`. */
export function prekeyStampBits(stampBits: number): number {
  return Math.max(0, stampBits - 2)
}

function node(crypto: CryptoProvider, left: Uint8Array, right: Uint8Array): Uint8Array {
  return crypto.sha256(NODE, left, right)
}

function at(level: readonly Uint8Array[], i: number): Uint8Array {
  return level[i] ?? EMPTY_LEAF
}
