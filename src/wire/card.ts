/**
 * Account keys, device certificates and the account card (protocol §2). Every signed body begins with version and suite;
 * what is signed is the body's one encoding.
 */
import { constant, fixed, list, optional, struct, u32 } from './codec.ts'
import type { Coded } from './codec.ts'

/** The one suite there is: Ed25519 + ML-DSA-65, X25519 + ML-KEM-1024/768, ChaCha20-Poly1305, SHA-2. */
export const SUITE = 1
/** Devices on one account. */
export const DEVICES_MAX = 8

export const hybridPublicKeyCodec = struct({ ed25519: fixed(32), mldsa65: fixed(1_952) })
export type HybridPublicKey = Coded<typeof hybridPublicKeyCodec>

export const hybridSignatureCodec = struct({ ed25519: fixed(64), mldsa65: fixed(3_309) })
export type HybridSignature = Coded<typeof hybridSignatureCodec>

/** What the account key says about a device. `identityKey` is X25519 and never signs. Times are Unix seconds. */
export const deviceCertificateBodyCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  accountId: fixed(32),
  deviceId: fixed(16),
  signingKey: hybridPublicKeyCodec,
  identityKey: fixed(32),
  issuedAt: u32,
  expiresAt: u32,
})
export type DeviceCertificateBody = Coded<typeof deviceCertificateBodyCodec>
export const DEVICE_CERTIFICATE_LABEL = 'sotto device certificate v1'

/** 5,447 bytes. Signed by the account key. */
export const deviceCertificateCodec = struct({ body: deviceCertificateBodyCodec, signature: hybridSignatureCodec })
export type DeviceCertificate = Coded<typeof deviceCertificateCodec>

/** The account that follows this one: its keys, and its signature over {@link SUCCESSOR_LABEL} and the old account id. */
export const successorCodec = struct({ account: hybridPublicKeyCodec, signature: hybridSignatureCodec })
export type Successor = Coded<typeof successorCodec>
export const SUCCESSOR_LABEL = 'sotto account successor v1'

/** The numbered, hash-chained device list of an account. `previous` is the SHA-256 of the last body, zeros at first. */
export const accountCardBodyCodec = struct({
  version: constant(1),
  suite: constant(SUITE),
  account: hybridPublicKeyCodec,
  number: u32,
  previous: fixed(32),
  issuedAt: u32,
  expiresAt: u32,
  devices: list(deviceCertificateCodec, DEVICES_MAX),
  successor: optional(successorCodec),
})
export type AccountCardBody = Coded<typeof accountCardBodyCodec>
export const ACCOUNT_CARD_LABEL = 'sotto account card v1'

export const accountCardCodec = struct({ body: accountCardBodyCodec, signature: hybridSignatureCodec })
export type AccountCard = Coded<typeof accountCardCodec>
