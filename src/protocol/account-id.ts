/** What an account is called: the hash of its keys, and how people see it (protocol §2). */

import { bech32mDecode, bech32mEncode } from '../crypto/bech32m.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { utf8 } from '../lib/bytes.ts'
import { UsageError } from '../lib/errors.ts'
import { type HybridPublicKey, SUITE } from '../wire/card.ts'

/** Bytes of an account id. */
const ACCOUNT_ID_BYTES = 32
/** Characters of an account id as text: `sotto1`, 52 for 256 bits, 6 of checksum. */
const ACCOUNT_ID_CHARS = 64
const PREFIX = 'sotto'
const LABEL = utf8('sotto account v1')

/**
 * SHA-256("sotto account v1" ‖ suite u8 ‖ len u16 ‖ Ed25519 key ‖ ML-DSA-65 key), where len counts the bytes of both keys
 * (1,984 in suite 1). A bit more or less in either key is another account.
 */
export function accountId(crypto: CryptoProvider, keys: HybridPublicKey): Uint8Array {
  const length = keys.ed25519.length + keys.mldsa65.length
  const header = Uint8Array.of(SUITE, length >> 8, length & 0xff)
  return crypto.sha256(LABEL, header, keys.ed25519, keys.mldsa65)
}

/** `sotto1…`, 64 characters. */
export function encodeAccountId(id: Uint8Array): string {
  if (id.length !== ACCOUNT_ID_BYTES) throw new UsageError('an account id has 32 bytes')
  return bech32mEncode(PREFIX, id)
}

/** The id, or `undefined` for a wrong checksum, prefix, length or mixed case. */
export function decodeAccountId(text: string): Uint8Array | undefined {
  if (text.length !== ACCOUNT_ID_CHARS) return undefined
  const id = bech32mDecode(PREFIX, text)
  return id?.length === ACCOUNT_ID_BYTES ? id : undefined
}

/** The id that a person typed or pasted; blanks around it do no harm. Throws {@link UsageError} that says what to do. */
export function parseAccountId(text: string): Uint8Array {
  const id = decodeAccountId(text.trim())
  if (id !== undefined) return id
  throw new UsageError(
    'this is not an account id: it begins with "sotto1" and has 64 characters; copy it again, whole, or ask for an invite link',
  )
}
