/** Peer ids: the key inside and the place in the key space. Only Ed25519 ids in their one text form are accepted. */
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { dropOldest } from '../lib/bounded.ts'

/** The longest text that is looked at. */
const PEER_ID_TEXT_MAX = 64

/** The id that the text spells canonically, or `undefined`. */
export function parsePeerId(text: string): PeerId | undefined {
  if (text.length > PEER_ID_TEXT_MAX) return undefined
  try {
    const id = peerIdFromString(text)
    return id.type === 'Ed25519' && id.toString() === text ? id : undefined
  } catch {
    return undefined
  }
}

/** The 32-byte Ed25519 public key inside a peer id (identity multihash), or `undefined` for any other text. */
export function publicKeyOfPeerId(text: string): Uint8Array | undefined {
  const id = parsePeerId(text)
  return id?.type === 'Ed25519' ? id.publicKey.raw : undefined
}

/** The 38 bytes of the id's multihash, or `undefined`. */
export function multihashOfPeerId(text: string): Uint8Array | undefined {
  return parsePeerId(text)?.toMultihash().bytes
}

/** Where a peer stands among the addresses: SHA-256 of its multihash, as in kad-dht. */
export type PositionOf = (peerId: string) => Uint8Array | undefined

const CACHED_MAX = 4_096

/** A {@link PositionOf} that remembers the last few thousand. Positions are shared: do not write to them. */
export function positions(sha256: (bytes: Uint8Array) => Uint8Array): PositionOf {
  const cache = new Map<string, Uint8Array>()
  return (peerId) => {
    const cached = cache.get(peerId)
    if (cached !== undefined) return cached
    const multihash = multihashOfPeerId(peerId)
    if (multihash === undefined) return undefined
    const position = sha256(multihash)
    cache.set(peerId, position)
    dropOldest(cache, CACHED_MAX)
    return position
  }
}

const ED25519_MULTIHASH_BYTES = 38

/** The id whose multihash this is, or `undefined` for anything but the identity multihash of an Ed25519 key. */
export function fromMultihash(bytes: Uint8Array | undefined): PeerId | undefined {
  if (bytes?.length !== ED25519_MULTIHASH_BYTES || bytes[0] !== 0 || bytes[1] !== bytes.length - 2) return undefined
  try {
    const own = Uint8Array.from(bytes)
    const id = peerIdFromMultihash({ code: 0, size: own.length - 2, digest: own.subarray(2), bytes: own })
    return id.type === 'Ed25519' ? id : undefined
  } catch {
    return undefined
  }
}
