/** Bech32m (BIP-350): text with a checksum that catches up to four wrong characters. */

import { bech32m } from '@scure/base'

/** `prefix`, `1`, the bytes in groups of five bits, and six characters of checksum; lower case. */
export function bech32mEncode(prefix: string, bytes: Uint8Array): string {
  return bech32m.encode(prefix, bech32m.toWords(bytes))
}

/**
 * The bytes, or `undefined` for another prefix, a wrong checksum, mixed case, non-zero padding bits or more than 90
 * characters. All capitals are read too (BIP-350 allows them; they make smaller QR codes).
 */
export function bech32mDecode(prefix: string, text: string): Uint8Array | undefined {
  const decoded = bech32m.decodeUnsafe(text)
  if (decoded === undefined || decoded.prefix !== prefix) return undefined
  const bytes = bech32m.fromWordsUnsafe(decoded.words)
  return bytes instanceof Uint8Array ? bytes : undefined
}
