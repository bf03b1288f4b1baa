import { equal, utf8 } from '../lib/bytes.ts'
import { bool, constant, fixed, oneOf, optional, struct, u32, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { recoveredPinCodec } from '../wire/recovery.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/**
 * Nothing is looked for: the account was made here, or its record is found · the network is being asked · there was none · the account
 * has a successor, and these words are of before.
 */
export const RECOVERY_STATE = { settled: 0, searching: 1, none: 2, replaced: 3 } as const

/**
 * What this device knows of the account's recovery records. Times are ms. The secret opens and replaces the records; the account key does
 * not follow from it (`protocol/recovery-rules`).
 */
const ownRecoveryCodec = struct({
  version: constant(1),
  accountId: fixed(32),
  secret: fixed(32),
  state: oneOf(0, 1, 2, 3),
  /** While searching: whether the network has said what it knows of the account, so that its card may go out. */
  asked: bool,
  /** The network knows a card with our number or a later one: the next unlock signs another, for which it takes the account key. */
  signAgain: bool,
  /** When the search began. */
  since: u64,
  /** The highest number of a snapshot that was seen or given; 0: none. */
  number: u32,
  /** Chunks that the last snapshot had. */
  chunks: u32,
  /** SHA-256 of what was last published, and when enough holders had all of it. */
  digest: fixed(32),
  publishedAt: u64,
})
export type OwnRecovery = Coded<typeof ownRecoveryCodec>

/** A contact that was brought back and is not met again yet: its pin as it was, and whether it is to be asked anew. */
const recoveredContactStateCodec = struct({
  version: constant(1),
  accountId: fixed(32),
  pin: optional(recoveredPinCodec),
  /** Its keys were in question: only the pinned card itself is no contradiction. */
  suspended: bool,
  greet: bool,
})
export type Recovering = Coded<typeof recoveredContactStateCodec>

const OWN = { id: utf8('own') }

export class Recovery {
  readonly #own: Repository<OwnRecovery>
  readonly #contacts: Repository<Recovering>

  constructor(database: Database, vault: Vault) {
    this.#own = new Repository(database, vault, 'recovery', ownRecoveryCodec)
    this.#contacts = new Repository(database, vault, 'recoveredContacts', recoveredContactStateCodec)
  }

  async own(): Promise<OwnRecovery | undefined> {
    return this.#own.get(OWN)
  }

  put(own: OwnRecovery): StoreOp[] {
    return this.#own.put(OWN, own)
  }

  /** Of accounts that this home had before a rotation: what is left of their records is to be emptied. */
  async former(): Promise<readonly OwnRecovery[]> {
    const own = await this.own()
    return (await this.#own.list()).filter(({ secret }) => own === undefined || !equal(secret, own.secret))
  }

  putFormer(former: OwnRecovery): StoreOp[] {
    return this.#own.put({ id: former.accountId }, former)
  }

  deleteFormer(accountId: Uint8Array): StoreOp[] {
    return this.#own.delete({ id: accountId })
  }

  /** Contacts that are still to be met again. */
  async contacts(): Promise<readonly Recovering[]> {
    return this.#contacts.list()
  }

  async contact(accountId: Uint8Array): Promise<Recovering | undefined> {
    return this.#contacts.get({ id: accountId })
  }

  putContact(contact: Recovering): StoreOp[] {
    return this.#contacts.put({ id: contact.accountId }, contact)
  }

  deleteContact(accountId: Uint8Array): StoreOp[] {
    return this.#contacts.delete({ id: accountId })
  }
}
