import { utf8 } from '../lib/bytes.ts'
import { constant, fixed, struct, u32, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { deviceCertificateCodec } from '../wire/card.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** The secrets of this device, as seeds, and the numbers that it must never give twice. Times are ms. */
export const ownDeviceCodec = struct({
  version: constant(1),
  deviceId: fixed(16),
  accountId: fixed(32),
  signingSeeds: struct({ ed25519: fixed(32), mldsa65: fixed(32) }),
  /** X25519. */
  identitySecret: fixed(32),
  /** Gives the weekly mailbox keys that contacts know. */
  mailboxSeed: fixed(32),
  /** Gives the weekly keys of the intro box that strangers know. */
  introSeed: fixed(32),
  certificate: deviceCertificateCodec,
  createdAt: u64,
  /** The last number given to a prekey card and to a mailbox policy record; 0 before the first. */
  prekeyCardNumber: u32,
  policyNumber: u32,
  /** The next id of a signed, KEM or one-time prekey. */
  nextPrekeyId: u32,
})
export type OwnDevice = Coded<typeof ownDeviceCodec>

const OWN = { id: utf8('own') }

export class Devices {
  readonly #records: Repository<OwnDevice>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'devices', ownDeviceCodec)
  }

  async own(): Promise<OwnDevice | undefined> {
    return this.#records.get(OWN)
  }

  put(device: OwnDevice): StoreOp[] {
    return this.#records.put(OWN, device)
  }

  delete(): StoreOp[] {
    return this.#records.delete(OWN)
  }
}
