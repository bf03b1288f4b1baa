/** One-time prekeys on their way to holders and out to whoever writes first (protocol §2). */
import { fixed, list, optional, struct, text, u16, u32, u8 } from './codec.ts'
import type { Coded } from './codec.ts'
import { hybridSignatureCodec } from './card.ts'
import { oneTimePrekeyCodec, prekeyCardCodec } from './prekeys.ts'

/** A pool has five slices, one for each holder, of up to 20 prekeys. */
export const SLICES = 5
export const SLICE_PREKEYS_MAX = 20
/** Height of the pool's Merkle tree: 8 slices of 32 places, of which 5 and 20 are used at a time. */
export const POOL_HEIGHT = 8
export const SLICE_PLACES = 32

/** A prekey, its place in the pool, and the siblings from its leaf up to the root. 1,862 bytes. */
export const provenPrekeyCodec = struct({
  prekey: oneTimePrekeyCodec,
  place: u8,
  path: list(fixed(32), POOL_HEIGHT, POOL_HEIGHT),
})
export type ProvenPrekey = Coded<typeof provenPrekeyCodec>

/**
 * One slice of a device's pool for one holder: `card` is the key of its prekey card, `number` the card's, `root` and `count` the
 * pool's. `token` is a secret of the device and this holder: who shows it is told how many prekeys are left. 40,701 bytes with 20.
 */
export const prekeySliceBodyCodec = struct({
  card: fixed(32),
  number: u32,
  slice: u8,
  root: fixed(32),
  count: u16,
  token: fixed(16),
  prekeys: list(provenPrekeyCodec, SLICE_PREKEYS_MAX, 1),
})
export type PrekeySliceBody = Coded<typeof prekeySliceBodyCodec>

/** What the device signs: the slice, and the peer id of the holder that it is for, so that no other can be made to serve it. */
export const boundSliceCodec = struct({ holder: text(128), body: prekeySliceBodyCodec })
export const prekeySliceCodec = struct({ body: prekeySliceBodyCodec, signature: hybridSignatureCodec })
export type PrekeySlice = Coded<typeof prekeySliceCodec>
export const PREKEY_SLICE_LABEL = 'sotto prekey slice v1'

/**
 * Asks for a device's card (by its key) and a one-time prekey of it. The stamp is Argon2id over the key, the holder and the
 * hour; without the bits that the holder asks for only the card is given.
 */
export const takePrekeyCodec = struct({
  card: fixed(32),
  hour: u32,
  stamp: struct({ bits: u8, nonce: fixed(16) }),
})
export type TakePrekey = Coded<typeof takePrekeyCodec>
export const PREKEY_STAMP_LABEL = 'sotto prekey stamp v1'

/** The card, and a one-time prekey where one is left and was paid for. */
export const prekeyBundleCodec = struct({ card: prekeyCardCodec, oneTime: optional(provenPrekeyCodec) })
export type PrekeyBundle = Coded<typeof prekeyBundleCodec>

/** The device asks what is left of its slice. */
export const askSliceCodec = struct({ card: fixed(32), token: fixed(16) })

/** What a holder has of a slice; bit i of `left` stands for the slice's place i. */
export const sliceReportCodec = struct({ number: u32, slice: u8, root: fixed(32), left: u32 })
export type SliceReport = Coded<typeof sliceReportCodec>
