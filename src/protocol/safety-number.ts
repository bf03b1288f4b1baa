/**
 * Safety numbers: two people compare them over another way and know that nobody sits between them (protocol §2).
 *
 * **Digits** (to read aloud): 30 a side, over the account id, which commits to both root keys of the account and to the suite.
 *
 *     h₀ = SHA-512(version u16 ‖ id ‖ "sotto safety number v1"),   hᵢ = SHA-512(hᵢ₋₁ ‖ id),   i = 1 … 5,200
 *     six groups: each five bytes of h, big-endian, mod 100,000, as five digits
 *
 * The two sides stand in ascending order of their digits, so both people see the same 60. The rounds make a search for an
 * account whose digits look alike 5,200 times dearer (as Signal's do). They change when the account key changes, and
 * not when a device is added: the account key signed that.
 *
 * **QR code** (to scan): both full account ids and a hash over each side's devices and their keys, so that it tells more: 256 bits
 * instead of about 100, and whether both people see the same device lists.
 */

import type { CryptoProvider } from '../crypto/provider.ts'
import { compare, concat, equal, utf8 } from '../lib/bytes.ts'
import type { AccountCard } from '../wire/card.ts'
import type { SafetyQr, SafetySide } from '../wire/invite.ts'
import { accountIdOfCard } from './card-rules.ts'

const ROUNDS = 5_200
const GROUPS = 6
const VERSION = Uint8Array.of(0, 1)
const DIGITS_LABEL = utf8('sotto safety number v1')
const DEVICES_LABEL = utf8('sotto device set v1')

/** The 60 digits of two accounts, the same whichever comes first. About 10 ms a side. */
export function safetyNumber(crypto: CryptoProvider, one: Uint8Array, other: Uint8Array): string {
  return [digitsOf(crypto, one), digitsOf(crypto, other)].sort().join('')
}

/** The digits in twelve groups of five, as they are read aloud. */
export function formatSafetyNumber(digits: string): string {
  return digits.replaceAll(/\d{5}(?=\d)/g, '$& ')
}

/** What one side shows to be scanned: itself and whom it takes the other for. */
export function safetyQr(crypto: CryptoProvider, self: AccountCard, peer: AccountCard): SafetyQr {
  return { self: sideOf(crypto, self), peer: sideOf(crypto, peer) }
}

/**
 * What a scanned code says beside one's own: `match` · `devices-differ` (the accounts are right; one side has not seen the
 * other's newest device list, so fetch it and scan again) · `mismatch` (another account: someone is in between, or it is
 * the code of another contact).
 */
export function compareQr(own: SafetyQr, scanned: SafetyQr): 'match' | 'devices-differ' | 'mismatch' {
  const accounts =
    equal(scanned.self.accountId, own.peer.accountId) && equal(scanned.peer.accountId, own.self.accountId)
  if (!accounts) return 'mismatch'
  const devices = equal(scanned.self.devices, own.peer.devices) && equal(scanned.peer.devices, own.self.devices)
  return devices ? 'match' : 'devices-differ'
}

/** SHA-256 over every device's id and keys, in the order of their ids. Dates do not count: a renewal changes nothing. */
export function deviceSetHash(crypto: CryptoProvider, card: AccountCard): Uint8Array {
  const devices = card.body.devices
    .map(({ body }) => concat(body.deviceId, body.identityKey, body.signingKey.ed25519, body.signingKey.mldsa65))
    .sort(compare)
  return crypto.sha256(DEVICES_LABEL, ...devices)
}

function sideOf(crypto: CryptoProvider, card: AccountCard): SafetySide {
  return { accountId: accountIdOfCard(crypto, card), devices: deviceSetHash(crypto, card) }
}

function digitsOf(crypto: CryptoProvider, id: Uint8Array): string {
  let hash = crypto.sha512(VERSION, id, DIGITS_LABEL)
  for (let round = 0; round < ROUNDS; round++) hash = crypto.sha512(hash, id)
  let digits = ''
  for (let group = 0; group < GROUPS; group++) {
    const value = hash.subarray(group * 5, group * 5 + 5).reduce((sum, byte) => sum * 256 + byte, 0)
    digits += String(value % 100_000).padStart(5, '0')
  }
  return digits
}
