/**
 * What makes a certificate, an account card and a prekey card true (protocol §2). Both signatures of every hybrid pair
 * must verify; nothing that is optional in a card weakens it. Times are Unix seconds by the reader's clock.
 *
 * The checks go from the cheap to the dear, and answer yes or no: a peer learns nothing from why its card was refused.
 */

import { hybridPublicKeys, type HybridSeeds, hybridSign, hybridVerify } from '../crypto/hybrid.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { equal, toHex } from '../lib/bytes.ts'
import {
  ACCOUNT_CARD_LABEL,
  type AccountCard,
  type AccountCardBody,
  accountCardBodyCodec,
  DEVICE_CERTIFICATE_LABEL,
  type DeviceCertificate,
  type DeviceCertificateBody,
  deviceCertificateBodyCodec,
  type HybridPublicKey,
  type Successor,
  SUCCESSOR_LABEL,
} from '../wire/card.ts'
import { encode } from '../wire/codec.ts'
import { PREKEY_CARD_LABEL, type PrekeyCard, type PrekeyCardBody, prekeyCardBodyCodec } from '../wire/prekeys.ts'
import { accountId } from './account-id.ts'

export const DAY_S = 86_400
/** How far a card's date of issue may lie ahead of the reader's clock. */
const CLOCK_SKEW_MAX_S = 600
/** Longest lives. A certificate outlives the cards that carry it, since making one needs the account key. */
const CERTIFICATE_LIFE_MAX_S = 400 * DAY_S
export const ACCOUNT_CARD_LIFE_MAX_S = 90 * DAY_S
const PREKEY_CARD_LIFE_MAX_S = 45 * DAY_S
/** The most effort that a card may ask of a stranger: half an hour on a desktop core. */
const CARD_STAMP_BITS_MAX = 20

/** The certificate that the account key makes for a device. */
export async function signDeviceCertificate(
  crypto: CryptoProvider,
  account: HybridSeeds,
  body: DeviceCertificateBody,
): Promise<DeviceCertificate> {
  const message = encode(deviceCertificateBodyCodec, body)
  return { body, signature: await hybridSign(crypto, account, DEVICE_CERTIFICATE_LABEL, message) }
}

/** Whether `account` certified the device, and the certificate is in force now, or was `lateSeconds` ago. */
export function verifyDeviceCertificate(
  crypto: CryptoProvider,
  certificate: DeviceCertificate,
  account: HybridPublicKey,
  nowSeconds: number,
  lateSeconds = 0,
): boolean {
  const { body, signature } = certificate
  return (
    inForce(body, CERTIFICATE_LIFE_MAX_S, nowSeconds, lateSeconds) &&
    equal(body.accountId, accountId(crypto, account)) &&
    hybridVerify(crypto, account, DEVICE_CERTIFICATE_LABEL, encode(deviceCertificateBodyCodec, body), signature)
  )
}

/** The account card, signed by the account key. */
export async function signAccountCard(
  crypto: CryptoProvider,
  account: HybridSeeds,
  body: AccountCardBody,
): Promise<AccountCard> {
  const message = encode(accountCardBodyCodec, body)
  return { body, signature: await hybridSign(crypto, account, ACCOUNT_CARD_LABEL, message) }
}

/**
 * Whether the card is whole: number 1 or more (the first of a chain has no predecessor, every other has one), in force,
 * no device twice, each device certified by the same account and in force, a successor that agrees, and signed.
 * It says nothing about *which* account this is: compare {@link accountId} of its keys, or use {@link accountIdOfCard}.
 */
export function verifyAccountCard(crypto: CryptoProvider, card: AccountCard, nowSeconds: number): boolean {
  const { body, signature } = card
  return (
    body.number >= 1 &&
    (body.number === 1) === body.previous.every((byte) => byte === 0) &&
    inForce(body, ACCOUNT_CARD_LIFE_MAX_S, nowSeconds) &&
    distinctDevices(body.devices) &&
    hybridVerify(crypto, body.account, ACCOUNT_CARD_LABEL, encode(accountCardBodyCodec, body), signature) &&
    body.devices.every((device) => verifyDeviceCertificate(crypto, device, body.account, nowSeconds)) &&
    (body.successor === undefined || verifySuccessor(crypto, body.successor, body.account))
  )
}

/** The account that a card speaks for. */
export function accountIdOfCard(crypto: CryptoProvider, card: AccountCard): Uint8Array {
  return accountId(crypto, card.body.account)
}

/** SHA-256 of the body: what the next card's `previous` holds, and what makes two cards of one number the same. */
export function accountCardHash(crypto: CryptoProvider, card: AccountCard): Uint8Array {
  return crypto.sha256(encode(accountCardBodyCodec, card.body))
}

/** The new account's word that it follows the old one. The old one's word is the signature of the card that carries it. */
export async function signSuccessor(
  crypto: CryptoProvider,
  successor: HybridSeeds,
  oldAccountId: Uint8Array,
): Promise<Successor> {
  const signature = await hybridSign(crypto, successor, SUCCESSOR_LABEL, oldAccountId)
  return { account: hybridPublicKeys(crypto, successor), signature }
}

/** Whether the successor agreed to follow the account `old`, and is another one. */
function verifySuccessor(crypto: CryptoProvider, successor: Successor, old: HybridPublicKey): boolean {
  const oldId = accountId(crypto, old)
  return (
    !equal(oldId, accountId(crypto, successor.account)) &&
    hybridVerify(crypto, successor.account, SUCCESSOR_LABEL, oldId, successor.signature)
  )
}

/** The prekey card, signed by the device. */
export async function signPrekeyCard(
  crypto: CryptoProvider,
  device: HybridSeeds,
  body: PrekeyCardBody,
): Promise<PrekeyCard> {
  const message = encode(prekeyCardBodyCodec, body)
  return { body, signature: await hybridSign(crypto, device, PREKEY_CARD_LABEL, message) }
}

/**
 * Whether the card is whole: the account keys hash to the account id in the certificate, the account certified the
 * device, the device signed everything, and both are in force. Anyone can tell from the card alone.
 *
 * `lateSeconds` is for the card that a first message brings along: it was in force when the message was written, and may
 * have run out by as much as a letter waits (30 days) before its recipient is back.
 */
export function verifyPrekeyCard(
  crypto: CryptoProvider,
  card: PrekeyCard,
  nowSeconds: number,
  lateSeconds = 0,
): boolean {
  const { body, signature } = card
  return (
    body.number >= 1 &&
    body.stampBits <= CARD_STAMP_BITS_MAX &&
    (body.pool.count > 0 || body.pool.root.every((byte) => byte === 0)) &&
    ascending(body.intro.map((intro) => intro.epoch)) &&
    inForce(body, PREKEY_CARD_LIFE_MAX_S, nowSeconds, lateSeconds) &&
    verifyDeviceCertificate(crypto, body.certificate, body.account, nowSeconds, lateSeconds) &&
    hybridVerify(
      crypto,
      body.certificate.body.signingKey,
      PREKEY_CARD_LABEL,
      encode(prekeyCardBodyCodec, body),
      signature,
    )
  )
}

/** Whether two certificates speak of one device with the same keys; their dates may differ. */
export function sameDevice(a: DeviceCertificateBody, b: DeviceCertificateBody): boolean {
  return equal(a.accountId, b.accountId) && equal(a.deviceId, b.deviceId) && sameDeviceKeys(a, b)
}

/** Whether two certificates carry the same keys. */
export function sameDeviceKeys(a: DeviceCertificateBody, b: DeviceCertificateBody): boolean {
  return (
    equal(a.identityKey, b.identityKey) &&
    equal(a.signingKey.ed25519, b.signingKey.ed25519) &&
    equal(a.signingKey.mldsa65, b.signingKey.mldsa65)
  )
}

interface Validity {
  readonly issuedAt: number
  readonly expiresAt: number
}

function inForce(validity: Validity, lifeMaxSeconds: number, nowSeconds: number, lateSeconds = 0): boolean {
  const { issuedAt, expiresAt } = validity
  return (
    issuedAt <= nowSeconds + CLOCK_SKEW_MAX_S &&
    nowSeconds < expiresAt + lateSeconds &&
    issuedAt < expiresAt &&
    expiresAt - issuedAt <= lifeMaxSeconds
  )
}

function distinctDevices(devices: readonly DeviceCertificate[]): boolean {
  return new Set(devices.map((device) => toHex(device.body.deviceId))).size === devices.length
}

function ascending(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > (numbers[i - 1] ?? 0))
}
