/**
 * By what two holders compare what they know of a mailbox without telling each other (protocol §4): one digest for its policy
 * and all its dead letters. Live letters are compared by proofs of possession instead.
 */
import { fromHex, utf8 } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { encode, optional } from '../wire/codec.ts'
import { cardVersionCodec, SYNC_LABEL } from '../wire/holder.ts'
import type { CardVersion } from './mailbox-rules.ts'

const DIGEST_BYTES = 16
const ID_BYTES = 32
const LABEL = utf8(SYNC_LABEL)
const policyVersionCodec = optional(cardVersionCodec)
/** SHA-256 of nothing: of most mailboxes that are compared nothing is dead. */
const NOTHING_DEAD = fromHex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')

/** What a mailbox's digest is made of. It hangs on the hour after which letters must expire to be counted. */
export interface MailboxSummary {
  readonly address: Uint8Array
  /** Of the policy that is held and runs out after that hour. */
  readonly policy: CardVersion | undefined
  /** {@link deadDigest} of the dead letters that expire after that hour. */
  readonly dead: Uint8Array
}

/** SHA-256 of the ids (32 bytes each), which stand in the order of their bytes. */
export function deadDigest(crypto: CryptoProvider, ids: readonly Uint8Array[]): Uint8Array {
  if (ids.length === 0 && NOTHING_DEAD !== undefined) return NOTHING_DEAD
  const joined = new Uint8Array(ids.length * ID_BYTES)
  for (const [at, id] of ids.entries()) joined.set(id, at * ID_BYTES)
  return crypto.sha256(joined)
}

/** SHA-256(label ‖ salt ‖ address ‖ policy version ‖ {@link deadDigest})[0..16]. The salt is the asker's, new for each question. */
export function mailboxDigest(crypto: CryptoProvider, salt: Uint8Array, summary: MailboxSummary): Uint8Array {
  const { address, policy, dead } = summary
  return crypto.sha256(LABEL, salt, address, encode(policyVersionCodec, policy), dead).slice(0, DIGEST_BYTES)
}
