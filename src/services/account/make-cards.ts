/** Makes the account's own certificates and cards. Numbers and dates are given; writing them down is the caller's. */
import { hybridPublicKeys, type HybridSeeds } from '../../crypto/hybrid.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { utf8 } from '../../lib/bytes.ts'
import type { Rng } from '../../lib/rng.ts'
import { accountId } from '../../protocol/account-id.ts'
import {
  ACCOUNT_CARD_LIFE_MAX_S,
  accountCardHash,
  DAY_S,
  signAccountCard,
  signDeviceCertificate,
  signPrekeyCard,
} from '../../protocol/card-rules.ts'
import { epochKey, epochOf, type EpochProfile } from '../../protocol/mailbox-rules.ts'
import { PREKEY_CARD_LIFE_S } from '../../protocol/prekey-rules.ts'
import type { AccountCard, DeviceCertificate, DeviceCertificateBody, Successor } from '../../wire/card.ts'
import { SUITE } from '../../wire/card.ts'
import type { PrekeyCard } from '../../wire/prekeys.ts'
import type { OwnDevice } from '../../store/devices.ts'
import type { UnlockedAccount } from './ports.ts'

/** A certificate outlives the cards that carry it: every renewal asks for the account key. */
const CERTIFICATE_LIFE_S = 365 * DAY_S
/** A certificate with less than this left is made anew together with the card. */
const CERTIFICATE_RENEWAL_S = 180 * DAY_S
/** Intro boxes that the card names: the running epoch and two more. */
const INTRO_EPOCHS = 6
const NO_PREVIOUS = new Uint8Array(32)
/** Stands for a card that nobody could show: the next one's number leaves a gap, over which no chain is asked for. */
const UNKNOWN_PREVIOUS = utf8('sotto unknown account card')

/** The secrets that make a device. */
export type DeviceSecrets = Pick<
  UnlockedAccount,
  'deviceId' | 'signingSeeds' | 'identitySecret' | 'mailboxSeed' | 'introSeed'
>

/** A device that nobody has seen: random 128-bit id (no counter), fresh keys of every kind. */
export function newDevice(rng: Rng): DeviceSecrets {
  return {
    deviceId: rng.bytes(16),
    signingSeeds: { ed25519: rng.bytes(32), mldsa65: rng.bytes(32) },
    identitySecret: rng.bytes(32),
    mailboxSeed: rng.bytes(32),
    introSeed: rng.bytes(32),
  }
}

/** The account's certificate for a device, from its public keys. */
export async function certify(
  crypto: CryptoProvider,
  account: HybridSeeds,
  device: Pick<DeviceCertificateBody, 'deviceId' | 'signingKey' | 'identityKey'>,
  nowS: number,
): Promise<DeviceCertificate> {
  return signDeviceCertificate(crypto, account, {
    version: 1,
    suite: SUITE,
    accountId: accountId(crypto, hybridPublicKeys(crypto, account)),
    deviceId: device.deviceId,
    signingKey: device.signingKey,
    identityKey: device.identityKey,
    issuedAt: nowS,
    expiresAt: nowS + CERTIFICATE_LIFE_S,
  })
}

/** The public keys of a device's secrets. */
export function devicePublic(
  crypto: CryptoProvider,
  device: Pick<DeviceSecrets, 'deviceId' | 'signingSeeds' | 'identitySecret'>,
): Pick<DeviceCertificateBody, 'deviceId' | 'signingKey' | 'identityKey'> {
  return {
    deviceId: device.deviceId,
    signingKey: hybridPublicKeys(crypto, device.signingSeeds),
    identityKey: crypto.x25519PublicKey(device.identitySecret),
  }
}

/** The certificates of a list, those near their end made anew. */
export async function renewedCertificates(
  crypto: CryptoProvider,
  account: HybridSeeds,
  devices: readonly DeviceCertificate[],
  nowS: number,
): Promise<readonly DeviceCertificate[]> {
  return Promise.all(
    devices.map(async (device) =>
      device.body.expiresAt - nowS < CERTIFICATE_RENEWAL_S ? certify(crypto, account, device.body, nowS) : device,
    ),
  )
}

/** What an account card is made of; `before` is the card that it follows, `number` is above every number given so far. */
export interface AccountCardPlan {
  /** `unknown`: there were others, and the network did not say which was the last. */
  readonly before: AccountCard | 'unknown' | undefined
  readonly number: number
  readonly devices: readonly DeviceCertificate[]
  readonly successor?: Successor
  readonly nowS: number
}

/** The next card of the account. Sign each number once: two cards of one number suspend every contact. */
export async function makeAccountCard(
  crypto: CryptoProvider,
  account: HybridSeeds,
  plan: AccountCardPlan,
): Promise<AccountCard> {
  return signAccountCard(crypto, account, {
    version: 1,
    suite: SUITE,
    account: hybridPublicKeys(crypto, account),
    number: plan.number,
    previous: previousOf(crypto, plan.before),
    issuedAt: plan.nowS,
    expiresAt: plan.nowS + ACCOUNT_CARD_LIFE_MAX_S,
    devices: plan.devices,
    successor: plan.successor,
  })
}

function previousOf(crypto: CryptoProvider, before: AccountCardPlan['before']): Uint8Array {
  if (before === undefined) return NO_PREVIOUS
  return before === 'unknown' ? crypto.sha256(UNKNOWN_PREVIOUS) : accountCardHash(crypto, before)
}

/** What a prekey card is made of, besides the device. */
export interface PrekeyCardPlan {
  readonly account: UnlockedAccount['account']
  readonly number: number
  readonly signedPrekey: { readonly id: number; readonly secret: Uint8Array }
  readonly kemPrekey: { readonly id: number; readonly seed: Uint8Array }
  /** Of the one-time prekeys; an empty pool has a zero root. */
  readonly pool: { readonly root: Uint8Array; readonly count: number }
  readonly nowMs: number
  readonly profile: EpochProfile
  readonly stampBits: number
}

/** The device's next prekey card, with the intro boxes of this epoch and the next two. */
export async function makePrekeyCard(
  crypto: CryptoProvider,
  device: OwnDevice,
  plan: PrekeyCardPlan,
): Promise<PrekeyCard> {
  const nowS = Math.floor(plan.nowMs / 1_000)
  const expiresAt = Math.min(nowS + PREKEY_CARD_LIFE_S, device.certificate.body.expiresAt)
  return signPrekeyCard(crypto, device.signingSeeds, {
    version: 1,
    suite: SUITE,
    account: plan.account,
    certificate: device.certificate,
    number: plan.number,
    issuedAt: nowS,
    expiresAt,
    signedPrekey: { id: plan.signedPrekey.id, key: crypto.x25519PublicKey(plan.signedPrekey.secret) },
    kemPrekey: { id: plan.kemPrekey.id, key: crypto.kemPublicKey(1024, plan.kemPrekey.seed) },
    pool: { root: plan.pool.root, count: plan.pool.count },
    intro: introAddresses(crypto, device.introSeed, epochOf(plan.nowMs, plan.profile)),
    stampBits: plan.stampBits,
  })
}

function introAddresses(
  crypto: CryptoProvider,
  introSeed: Uint8Array,
  first: number,
): readonly { readonly epoch: number; readonly address: Uint8Array }[] {
  return Array.from({ length: INTRO_EPOCHS }, (_, i) => {
    const { epoch, address } = epochKey(crypto, introSeed, first + i)
    return { epoch, address }
  })
}
