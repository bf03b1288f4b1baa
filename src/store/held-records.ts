/**
 * What the holder's database keeps, in the clear: letters are ciphertext already, and cards are public. Every value is
 * led by a checksum over its key and body, so that a torn or flipped entry is seen, dropped and counted.
 *
 * Nothing here says who brought a letter or when: arrival numbers only order a mailbox, expiries count hours.
 */
import { concat, equal } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { bool, encode, fixed, struct, tryDecode, u32, u64, u8, variant } from '../wire/codec.ts'
import type { Codec, Coded } from '../wire/codec.ts'
import { letterCodec, putProofCodec, rungCodec, tombstoneCodec } from '../wire/letter.ts'

const CHECKSUM_BYTES = 8

/** A letter under its id, with what shows that it may lie here, and the rung of the zone that it was brought for. */
export const heldLetterCodec = struct({ arrival: u64, rung: rungCodec, proof: putProofCodec, letter: letterCodec })
export type HeldLetter = Coded<typeof heldLetterCodec>

/** A mailbox's entry under address and arrival number: enough to list it and to count it without reading the letter. */
export const indexEntryCodec = variant({
  1: struct({ id: fixed(32), expiry: u32, sizeClass: u8, lane: fixed(16), stampBits: u8, rung: rungCodec }),
  2: struct({ id: fixed(32), expiry: u32, preimage: fixed(16) }),
})
export type IndexEntry = Coded<typeof indexEntryCodec>
export const INDEX = { live: 1, dead: 2 } as const

/** A tombstone under its letter's id, until a day after the letter's expiry. `unseen`: the letter itself was never here. */
export const heldTombstoneCodec = struct({ arrival: u64, unseen: bool, tombstone: tombstoneCodec })
export type HeldTombstone = Coded<typeof heldTombstoneCodec>

/** A dead letter under address and id: what mailboxes are compared by. */
export const graveCodec = struct({ expiry: u32 })

/** The highest version ever accepted for a key; `bytes` is the size of the card while that is still there, else 0. */
export const cardNumberCodec = struct({ number: u32, hash: fixed(32), bytes: u32, expiryHour: u32, until: u32 })
export type CardNumber = Coded<typeof cardNumberCodec>

function checksum(crypto: CryptoProvider, key: Uint8Array, body: Uint8Array): Uint8Array {
  return crypto.sha256(key, body).subarray(0, CHECKSUM_BYTES)
}

/** The value to store for `body` under `key`. */
export function withChecksum<T>(crypto: CryptoProvider, key: Uint8Array, codec: Codec<T>, value: T): Uint8Array {
  const body = encode(codec, value)
  return concat(checksum(crypto, key, body), body)
}

/** What a stored value says, or `undefined` where it is not what was written there. */
export function checked<T>(crypto: CryptoProvider, key: Uint8Array, codec: Codec<T>, value: Uint8Array): T | undefined {
  const body = value.subarray(CHECKSUM_BYTES)
  if (!equal(value.subarray(0, CHECKSUM_BYTES), checksum(crypto, key, body))) return undefined
  return tryDecode(codec, body)
}
