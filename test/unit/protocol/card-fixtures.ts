/** Accounts, devices and cards from small numbers, for tests. */
import { hybridPublicKeys, type HybridSeeds } from '../../../src/crypto/hybrid.ts'
import { nativeProvider as crypto } from '../../../src/crypto/native.ts'
import { accountId } from '../../../src/protocol/account-id.ts'
import { signAccountCard, signDeviceCertificate, signPrekeyCard } from '../../../src/protocol/card-rules.ts'
import { newKemPrekey, newSignedPrekey } from '../../../src/protocol/prekey-rules.ts'
import { seededRng } from '../../../src/lib/rng.ts'
import type { AccountCard, AccountCardBody, DeviceCertificate, DeviceCertificateBody } from '../../../src/wire/card.ts'
import type { PrekeyCard, PrekeyCardBody } from '../../../src/wire/prekeys.ts'

/** Unix seconds that the fixtures are issued at. */
export const NOW_S = 1_800_000_000
export const DAY_S = 86_400

/** Hybrid seeds that follow from a number. */
export function seedsOf(n: number): HybridSeeds {
  return { ed25519: new Uint8Array(32).fill(n), mldsa65: new Uint8Array(32).fill(n + 100) }
}

/** The id of the account with those seeds. */
export function idOf(n: number): Uint8Array {
  return accountId(crypto, hybridPublicKeys(crypto, seedsOf(n)))
}

/** A certificate for device `device` by account `account`. */
export async function certificateOf(
  account: number,
  device: number,
  changes: Partial<DeviceCertificateBody> = {},
): Promise<DeviceCertificate> {
  return signDeviceCertificate(crypto, seedsOf(account), {
    version: 1,
    suite: 1,
    accountId: idOf(account),
    deviceId: new Uint8Array(16).fill(device),
    signingKey: hybridPublicKeys(crypto, seedsOf(device)),
    identityKey: crypto.x25519PublicKey(new Uint8Array(32).fill(device)),
    issuedAt: NOW_S,
    expiresAt: NOW_S + 365 * DAY_S,
    ...changes,
  })
}

/** Card 1 of account `account`, with device 50 unless said otherwise. */
export async function cardOf(account: number, changes: Partial<AccountCardBody> = {}): Promise<AccountCard> {
  return signAccountCard(crypto, seedsOf(account), {
    version: 1,
    suite: 1,
    account: hybridPublicKeys(crypto, seedsOf(account)),
    number: 1,
    previous: new Uint8Array(32),
    issuedAt: NOW_S,
    expiresAt: NOW_S + 90 * DAY_S,
    devices: [await certificateOf(account, 50)],
    successor: undefined,
    ...changes,
  })
}

/** Prekey card 1 of device `device`. */
export async function prekeysOf(
  account: number,
  device: number,
  changes: Partial<PrekeyCardBody> = {},
): Promise<PrekeyCard> {
  const rng = seededRng(device)
  const { key } = newSignedPrekey(crypto, rng, 1)
  return signPrekeyCard(crypto, seedsOf(device), {
    version: 1,
    suite: 1,
    account: hybridPublicKeys(crypto, seedsOf(account)),
    certificate: await certificateOf(account, device),
    number: 1,
    issuedAt: NOW_S,
    expiresAt: NOW_S + 30 * DAY_S,
    signedPrekey: { id: 1, key },
    kemPrekey: { id: 1, key: newKemPrekey(crypto, rng, 1).key },
    pool: { root: new Uint8Array(32), count: 0 },
    intro: [
      { epoch: 10, address: new Uint8Array(32).fill(7) },
      { epoch: 11, address: new Uint8Array(32).fill(8) },
    ],
    stampBits: 10,
    ...changes,
  })
}

/** The bytes with one bit turned. */
export function flipped(bytes: Uint8Array, at = 0): Uint8Array {
  const out = bytes.slice()
  out[at] = (out[at] ?? 0) ^ 1
  return out
}
