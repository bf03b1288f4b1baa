/** A peer and where it can be dialled, as peers tell one another. Multiaddrs and peer ids travel in their text form. */
import { list, struct, text } from './codec.ts'
import type { Coded } from './codec.ts'

/** Addresses of one peer that anyone keeps or passes on. */
export const PEER_ADDRESSES_MAX = 8

export const peerRecordCodec = struct({ id: text(128), addresses: list(text(255), PEER_ADDRESSES_MAX) })
export type PeerRecord = Coded<typeof peerRecordCodec>
