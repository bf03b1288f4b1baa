/**
 * What keeps the policies of one owner from telling that they are one owner's, and how many contacts there are. Both follow from the
 * secret of the mailbox's epoch, so that they are the same in each version: what changes daily would show what does not.
 */
import type { CryptoProvider } from '../crypto/provider.ts'
import { utf8 } from '../lib/bytes.ts'
import { LANE_ID_BYTES, POLICY_LANES } from '../wire/letter.ts'
import type { EpochKey } from './mailbox-rules.ts'

const LABEL = utf8('sotto policy blind v1')
const NO_SALT = new Uint8Array(0)
const OFFSET_BYTES = 4

export interface PolicyBlind {
  /** Added to the owner's own count of versions (31 bits each): the same count stands in the policies of all its mailboxes. */
  readonly numberOffset: number
  /** Ids of lanes that nobody has, for the places beyond `lanes`. */
  readonly filler: Uint8Array
}

/** For a policy with so many real lanes. One lane more takes the place of one filler, and the others stay. */
export function policyBlind(crypto: CryptoProvider, key: EpochKey, lanes: number): PolicyBlind {
  const bytes = crypto.hkdfSha256(key.seed, NO_SALT, LABEL, OFFSET_BYTES + LANE_ID_BYTES * POLICY_LANES)
  const first = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  return { numberOffset: first >>> 1, filler: bytes.subarray(OFFSET_BYTES + LANE_ID_BYTES * lanes) }
}
