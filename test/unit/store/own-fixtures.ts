/** The account and the device of a home, with bytes that are not random: each call gives equal values. */
import type { OwnAccount } from '../../../src/store/accounts.ts'
import type { OwnDevice } from '../../../src/store/devices.ts'
import type { OwnOneTimePrekey } from '../../../src/store/prekeys.ts'
import type { DeviceCertificate, HybridPublicKey, HybridSignature } from '../../../src/wire/card.ts'

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)
const publicKey = (byte: number): HybridPublicKey => ({ ed25519: filled(32, byte), mldsa65: filled(1_952, byte) })
const signature = (byte: number): HybridSignature => ({ ed25519: filled(64, byte), mldsa65: filled(3_309, byte) })

function certificate(): DeviceCertificate {
  const body = {
    version: 1,
    suite: 1,
    accountId: filled(32, 1),
    deviceId: filled(16, 2),
    signingKey: publicKey(3),
    identityKey: filled(32, 4),
    issuedAt: 1_800_000_000,
    expiresAt: 1_900_000_000,
  } as const
  return { body, signature: signature(5) }
}

export function ownAccountFixture(): OwnAccount {
  const body = {
    version: 1,
    suite: 1,
    account: publicKey(6),
    number: 3,
    previous: filled(32, 7),
    issuedAt: 1_800_000_000,
    expiresAt: 1_807_776_000,
    devices: [certificate()],
    successor: undefined,
  } as const
  return { version: 1, accountId: filled(32, 1), card: { body, signature: signature(8) }, number: 3, publishedAt: 0 }
}

export function ownDeviceFixture(): OwnDevice {
  return {
    version: 1,
    deviceId: filled(16, 2),
    accountId: filled(32, 1),
    signingSeeds: { ed25519: filled(32, 9), mldsa65: filled(32, 10) },
    identitySecret: filled(32, 11),
    mailboxSeed: filled(32, 12),
    introSeed: filled(32, 13),
    certificate: certificate(),
    createdAt: 1_800_000_000_000,
    prekeyCardNumber: 1,
    policyNumber: 2,
    nextPrekeyId: 3,
  }
}

/** A one-time prekey that is in no card yet. */
export function oneTimeFixture(id: number, secrets: Pick<OwnOneTimePrekey, 'secret' | 'kemSeed'>): OwnOneTimePrekey {
  const standing = { state: 1, place: 33, leaf: filled(32, 8), holder: 'holder' } as const
  return { version: 1, id, ...secrets, ...standing, createdAt: 1, retiredAt: 0 }
}
