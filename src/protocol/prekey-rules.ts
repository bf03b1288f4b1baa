/**
 * Prekeys of a device: how pairs are made, when they are replaced, and how long the private half of a retired one is kept
 * (protocol §2). Times are ms.
 */

import type { CryptoProvider } from '../crypto/provider.ts'
import type { Rng } from '../lib/rng.ts'
import { DAY_MS } from '../lib/time.ts'

/** Age at which the signed and the last-resort prekey are replaced. */
export const PREKEY_ROTATION_MS = 7 * DAY_MS
/** A card is put again this often, changed or not: holders come and go. */
export const PREKEY_REPUBLISH_MS = DAY_MS
/**
 * A retired private prekey is kept this long: 30 days in which somebody may still use the card they have, and the 30 days
 * that a letter waits in a mailbox.
 */
export const PREKEY_RETENTION_MS = 60 * DAY_MS
/** Life of a prekey card in seconds: the 30 days that retention allows for. */
export const PREKEY_CARD_LIFE_S = 30 * 86_400

/** An X25519 prekey: secret and public key, 32 bytes each. */
export interface CurvePair {
  readonly id: number
  readonly secret: Uint8Array
  readonly key: Uint8Array
}
/** An ML-KEM-1024 prekey: seed of 64 bytes (d ‖ z), public key of 1,568. */
export interface KemPair {
  readonly id: number
  readonly seed: Uint8Array
  readonly key: Uint8Array
}
/** A pair that serves once: X25519 and ML-KEM-1024 under one id. */
export interface OneTimePair {
  readonly id: number
  readonly secret: Uint8Array
  readonly key: Uint8Array
  readonly kemSeed: Uint8Array
  readonly kem: Uint8Array
}

/** A fresh signed prekey. */
export function newSignedPrekey(crypto: CryptoProvider, rng: Rng, id: number): CurvePair {
  const secret = rng.bytes(32)
  return { id, secret, key: crypto.x25519PublicKey(secret) }
}

/** A fresh last-resort KEM prekey. */
export function newKemPrekey(crypto: CryptoProvider, rng: Rng, id: number): KemPair {
  const seed = rng.bytes(64)
  return { id, seed, key: crypto.kemPublicKey(1024, seed) }
}

/** A fresh pair that serves once. */
export function newOneTimePrekey(crypto: CryptoProvider, rng: Rng, id: number): OneTimePair {
  const { secret, key } = newSignedPrekey(crypto, rng, id)
  const { seed, key: kem } = newKemPrekey(crypto, rng, id)
  return { id, secret, key, kemSeed: seed, kem }
}

/** Whether a prekey made at `createdAt` is to be replaced; also where that lies ahead by a day, by a clock that was wrong. */
export function rotationDue(createdAt: number, now: number): boolean {
  const age = now - createdAt
  return age >= PREKEY_ROTATION_MS || age <= -DAY_MS
}

/** Whether the private half of a prekey that was retired at `retiredAt` is to be wiped. */
export function retentionOver(retiredAt: number, now: number): boolean {
  return now - retiredAt >= PREKEY_RETENTION_MS
}
