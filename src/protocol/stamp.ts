/**
 * Stamps: proof of work that a stranger's letter carries (protocol §4). Argon2id (RFC 9106) with 4 MiB and one pass, which
 * leaves a graphics card an advantage of about 23 over a desktop instead of 20,000. The letter itself is the salt, without
 * its nonce, so that a stamp serves one letter at one address with one expiry, and cannot claim more bits afterwards.
 */
import { encode } from '../wire/codec.ts'
import { letterHeaderCodec } from '../wire/letter.ts'
import { utf8 } from '../lib/bytes.ts'
import { DAY_MS } from '../lib/time.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import type { LetterName } from './mailbox-rules.ts'

export const STAMP_NONCE_BYTES = 16
const STAMP_LABEL = utf8('sotto stamp v1')
const STAMP_COST = { memoryKiB: 4_096, passes: 1, length: 32 } as const
const NO_NONCE = new Uint8Array(STAMP_NONCE_BYTES)
/** Size × time that the base price covers: 4 KiB for 7 days. */
const BASE_BYTE_MS = 4_096 * 7 * DAY_MS

/**
 * What a stamp is made over, 32 bytes: everything in the letter but the nonce, the claimed bits included. Header and digest are
 * enough, so that a tombstone can be asked for the stamp of its letter.
 */
export function stampChallenge(crypto: CryptoProvider, { header, digest }: LetterName): Uint8Array {
  const bare = { ...header, stamp: { bits: header.stamp.bits, nonce: NO_NONCE } }
  return crypto.sha256(STAMP_LABEL, encode(letterHeaderCodec, bare), digest)
}

/** Leading zero bits of the stamp hash: about 1.6 ms off the event loop. */
export async function stampEffort(crypto: CryptoProvider, challenge: Uint8Array, nonce: Uint8Array): Promise<number> {
  return leadingZeroBits(await crypto.argon2id(nonce, challenge, STAMP_COST))
}

/** The price of a letter in bits: `baseBits`, and one more for each doubling of size × time above 4 KiB · 7 days. */
export function stampPrice(baseBits: number, sizeBytes: number, lifeMs: number): number {
  const product = sizeBytes * Math.max(0, lifeMs)
  let extra = 0
  while (BASE_BYTE_MS * 2 ** extra < product) extra++
  return baseBits + extra
}

/** How many zero bits `hash` begins with. */
export function leadingZeroBits(hash: Uint8Array): number {
  const first = hash.findIndex((byte) => byte !== 0)
  if (first === -1) return hash.length * 8
  return first * 8 + Math.clz32(hash[first] ?? 0) - 24
}
