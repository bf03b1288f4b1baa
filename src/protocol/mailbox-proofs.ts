/**
 * What holders, owners and writers show one another (protocol §4): that a holder has a letter, that a mailbox is ours, that a
 * record was stored. Each is bound to one holder, and to one question, stream or record. Pure.
 */
import { concat, equal, u32be, utf8 } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { POSSESSION_LABEL } from '../wire/holder.ts'
import { OWNER_PROOF_LABEL, RECEIPT_LABEL } from '../wire/letter.ts'
import type { OwnerProof, Receipt } from '../wire/letter.ts'
import { mailboxAddress } from './mailbox-rules.ts'
import type { EpochKey } from './mailbox-rules.ts'

const POSSESSION_LABEL_BYTES = utf8(POSSESSION_LABEL)

/** What a holder shows in PROVE: SHA-256(label ‖ nonce ‖ its peer id ‖ ciphertext). */
export function possessionHash(
  crypto: CryptoProvider,
  nonce: Uint8Array,
  holder: string,
  ciphertext: Uint8Array,
): Uint8Array {
  return crypto.sha256(POSSESSION_LABEL_BYTES, nonce, utf8(holder), ciphertext)
}

/** What the owner of a mailbox signs: the stream's challenge (32), the holder's peer id, the address (32). */
function ownerProofBytes(challenge: Uint8Array, holder: string, address: Uint8Array): Uint8Array {
  return concat(challenge, utf8(holder), address)
}

/** Shows on the stream with `challenge` to `holder` that we own the mailbox of `key`. */
export async function ownerProof(
  crypto: CryptoProvider,
  key: EpochKey,
  challenge: Uint8Array,
  holder: string,
): Promise<OwnerProof> {
  const message = ownerProofBytes(challenge, holder, key.address)
  return { epochKey: key.publicKey, signature: await crypto.dsaSign(44, key.seed, message, utf8(OWNER_PROOF_LABEL)) }
}

/** Whether `proof` was made for this stream, this holder and this mailbox by its owner. */
export function ownerProofHolds(
  crypto: CryptoProvider,
  address: Uint8Array,
  challenge: Uint8Array,
  holder: string,
  proof: OwnerProof,
): boolean {
  if (!equal(mailboxAddress(crypto, proof.epochKey), address)) return false
  const message = ownerProofBytes(challenge, holder, address)
  return crypto.dsaVerify(44, proof.epochKey, message, proof.signature, utf8(OWNER_PROOF_LABEL))
}

/** What a receipt is signed over: label, id of the letter or hash of the card, the holder's peer id, its time (u32). */
export function receiptBytes(id: Uint8Array, holder: string, atSeconds: number): Uint8Array {
  return concat(utf8(RECEIPT_LABEL), id, utf8(holder), u32be(atSeconds))
}

/** Whether `receipt` is the word of the peer whose Ed25519 key is `publicKey` about `id`. */
export function receiptHolds(
  crypto: CryptoProvider,
  publicKey: Uint8Array,
  holder: string,
  id: Uint8Array,
  receipt: Receipt,
): boolean {
  if (receipt.holder !== holder) return false
  return crypto.ed25519Verify(publicKey, receiptBytes(id, holder, receipt.at), receipt.signature)
}
