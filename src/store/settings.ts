import { utf8 } from '../lib/bytes.ts'
import { struct, text } from '../wire/codec.ts'
import type { Database, StoreOp } from './database.ts'
import { Repository } from './repository.ts'
import type { Vault } from './vault.ts'

const settingCodec = struct({ name: text(64), value: text(4_096) })

/** Small choices by name: text up to 4,096 bytes. */
export class Settings {
  readonly #records: Repository<{ readonly name: string; readonly value: string }>

  constructor(database: Database, vault: Vault) {
    this.#records = new Repository(database, vault, 'settings', settingCodec)
  }

  async get(name: string): Promise<string | undefined> {
    return (await this.#records.get({ id: utf8(name) }))?.value
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const settings = await this.#records.list()
    return new Map(settings.map(({ name, value }) => [name, value]))
  }

  put(name: string, value: string): StoreOp[] {
    return this.#records.put({ id: utf8(name) }, { name, value })
  }

  delete(name: string): StoreOp[] {
    return this.#records.delete({ id: utf8(name) })
  }
}
