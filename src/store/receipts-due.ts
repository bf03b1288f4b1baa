import { concat } from '../lib/bytes.ts'
import { constant, fixed, oneOf, struct } from '../wire/codec.ts'
import type { Coded } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

/** 1: delivered · 2: read. */
const dueCodec = struct({ version: constant(1), contact: fixed(32), messageId: fixed(16), kind: oneOf(1, 2) })
export type ReceiptDue = Coded<typeof dueCodec>

/** What contacts are still to be told about messages of theirs. */
export class ReceiptsDue {
  readonly #records: Repository<ReceiptDue>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'receiptsDue', dueCodec)
  }

  async all(): Promise<readonly ReceiptDue[]> {
    return this.#records.list()
  }

  put(due: Omit<ReceiptDue, 'version'>): StoreOp[] {
    return this.#records.put(nameOf(due), { version: 1, ...due })
  }

  delete(due: Omit<ReceiptDue, 'version'>): StoreOp[] {
    return this.#records.delete(nameOf(due))
  }
}

function nameOf(due: Omit<ReceiptDue, 'version'>): { readonly id: Uint8Array } {
  return { id: concat(due.contact, due.messageId, Uint8Array.of(due.kind)) }
}
