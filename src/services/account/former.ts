/** Accounts that this home had before a rotation: their last cards, which name the successor, are kept in the network. */
import { equal } from '../../lib/bytes.ts'
import { type OwnAccount, ownAccountCodec } from '../../store/accounts.ts'
import type { Database, StoreOp } from '../../store/database.ts'
import { Repository } from '../../store/repository.ts'
import type { Vault } from '../../store/vault.ts'

export class FormerAccounts {
  readonly #records: Repository<OwnAccount>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'accounts', ownAccountCodec)
  }

  /** Every former account; `current` is the account's id of today. */
  async list(current: Uint8Array): Promise<readonly OwnAccount[]> {
    return (await this.#records.list()).filter((account) => !equal(account.accountId, current))
  }

  put(account: OwnAccount): StoreOp[] {
    return this.#records.put({ id: account.accountId }, account)
  }

  delete(accountId: Uint8Array): StoreOp[] {
    return this.#records.delete({ id: accountId })
  }
}
