/** The prekey card of a device and its one-time prekeys (protocol §2). */
import { constant, fixed, list, struct, u16, u32, u8 } from './codec.ts'
import type { Coded } from './codec.ts'
import { deviceCertificateCodec, hybridPublicKeyCodec, hybridSignatureCodec, SUITE } from './card.ts'

/** Where strangers write to in an epoch: the one mailbox that follows from public data. */
export const introAddressCodec = struct({ epoch: u32, address: fixed(32) })

/**
 * Everything a stranger needs to start a session, verifiable by anyone: `account` hashes to the account id in
 * `certificate`, the account signed the certificate, and the device signed this body. Times are Unix seconds.
 * The Merkle root covers the one-time pool ({@link oneTimePrekeyCodec} leaves); an empty pool has a zero root.
 */
export const prekeyCardBodyCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  account: hybridPublicKeyCodec,
  certificate: deviceCertificateCodec,
  number: u32,
  issuedAt: u32,
  expiresAt: u32,
  signedPrekey: struct({ id: u32, key: fixed(32) }),
  kemPrekey: struct({ id: u32, key: fixed(1_568) }),
  pool: struct({ root: fixed(32), count: u16 }),
  intro: list(introAddressCodec, 8),
  stampBits: u8,
})
export type PrekeyCardBody = Coded<typeof prekeyCardBodyCodec>
export const PREKEY_CARD_LABEL = 'sotto prekey card v1'

/** About 12.5 KB. Signed by the device. */
export const prekeyCardCodec = struct({ body: prekeyCardBodyCodec, signature: hybridSignatureCodec })
export type PrekeyCard = Coded<typeof prekeyCardCodec>

/** A pair that is used once: X25519 and ML-KEM-1024. 1,604 bytes. */
export const oneTimePrekeyCodec = struct({ id: u32, key: fixed(32), kem: fixed(1_568) })
export type OneTimePrekey = Coded<typeof oneTimePrekeyCodec>
