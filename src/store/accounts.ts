import { utf8 } from '../lib/bytes.ts'
import { constant, fixed, struct, u32, u64 } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import { accountCardCodec } from '../wire/card.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/**
 * The account of this home: its card, the highest number ever given to a card of it (seen or issued), and when the card
 * was last published, in ms (0: never). The account's secret keys are not here but in `account.sealed`.
 */
export const ownAccountCodec = struct({
  version: constant(1),
  accountId: fixed(32),
  card: accountCardCodec,
  number: u32,
  publishedAt: u64,
})
export type OwnAccount = Coded<typeof ownAccountCodec>

const OWN = { id: utf8('own') }

export class Accounts {
  readonly #records: Repository<OwnAccount>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'accounts', ownAccountCodec)
  }

  async own(): Promise<OwnAccount | undefined> {
    return this.#records.get(OWN)
  }

  put(account: OwnAccount): StoreOp[] {
    return this.#records.put(OWN, account)
  }

  delete(): StoreOp[] {
    return this.#records.delete(OWN)
  }
}
