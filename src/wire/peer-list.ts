/** What the keepers of a network's peer list sign. The file around it is JSON, for people; these bytes are what counts. */
import { utf8, concat } from '../lib/bytes.ts'
import { encode, fixed, list, struct, text, u16, u64 } from './codec.ts'
import type { Coded } from './codec.ts'

/** Keys that may be in force at a time. */
export const LIST_KEYS_MAX = 9
/** Peers of one list. Fewer than three are no list: one that dies must not matter. */
export const LISTED_PEERS_MAX = 64
export const LISTED_PEERS_MIN = 3
export const ROTATIONS_MAX = 32

const network = text(32)

/** Peers to join by: multiaddrs with `/p2p/…`. Times are milliseconds since the Unix epoch. */
const bodyCodec = struct({
  network,
  /** Counts up by at least one with every list. */
  sequence: u64,
  issuedAt: u64,
  expiresAt: u64,
  peers: list(text(255), LISTED_PEERS_MAX, LISTED_PEERS_MIN),
})
export type PeerList = Coded<typeof bodyCodec>

/** Whoever signs after this rotation: Ed25519 public keys. */
const keyRotationCodec = struct({
  network,
  /** The first of a network is 1. */
  number: u16,
  keys: list(fixed(32), LIST_KEYS_MAX, 1),
})
export type KeyRotation = Coded<typeof keyRotationCodec>

/** A list with the rotations that led to the keys that sign it: nobody else adds any to it, or takes one away. */
const peerListCodec = struct({ body: bodyCodec, rotations: list(keyRotationCodec, ROTATIONS_MAX) })

/** The bytes under the signatures of a list. Throws CodecError for a value that the codec does not allow. */
export function peerListBytes(body: PeerList, rotations: readonly KeyRotation[]): Uint8Array {
  return concat(utf8('sotto peer list v1'), encode(peerListCodec, { body, rotations }))
}

/** The bytes under the signatures of a rotation. Throws CodecError for a value that the codec does not allow. */
export function keyRotationBytes(body: KeyRotation): Uint8Array {
  return concat(utf8('sotto peer list keys v1'), encode(keyRotationCodec, body))
}
