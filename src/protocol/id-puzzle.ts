/**
 * The price of a holder's id (protocol §4): a static puzzle over the peer's public key, in the manner of S/Kademlia (Baumgart and Mies
 * 2007), with the hash of the stamps. At 13 bits it takes 2^13 tries of 1.7 ms, 14 s of a core once, and 1.7 ms to check.
 *
 * The solution stands beside the key and not in it, so that a peer has its id at once and pays in the background. The price is therefore
 * that of an id that is *used*: keys can be tried for a place near an address without paying for those that are thrown away.
 */
import { utf8 } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { STAMP_NONCE_BYTES, stampEffort } from './stamp.ts'

export const PUZZLE_NONCE_BYTES = STAMP_NONCE_BYTES
/** What stands in the greeting where the network asks no price. */
export const NO_PUZZLE: Uint8Array = new Uint8Array(PUZZLE_NONCE_BYTES)
const PUZZLE_LABEL = utf8('sotto holder id v1')

/** What the puzzle is about, 32 bytes: SHA-256(label ‖ network name ‖ Ed25519 public key). Label and key have fixed lengths. */
export function puzzleChallenge(crypto: CryptoProvider, network: string, publicKey: Uint8Array): Uint8Array {
  return crypto.sha256(PUZZLE_LABEL, utf8(network), publicKey)
}

/** Whether `nonce` solves it at `bits` leading zero bits; about 1.7 ms off the event loop. Free where the price is 0. */
export async function puzzleHolds(
  crypto: CryptoProvider,
  challenge: Uint8Array,
  nonce: Uint8Array,
  bits: number,
): Promise<boolean> {
  return bits === 0 || (await stampEffort(crypto, challenge, nonce)) >= bits
}
