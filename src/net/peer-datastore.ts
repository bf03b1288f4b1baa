/** Where libp2p keeps its chatty peer store: in memory, bounded, and nothing but peers. */
import { MemoryDatastore } from 'datastore-core'
import type { Key } from 'interface-datastore'

/** Peers that libp2p remembers; the longest unchanged one goes for another. */
export const STORED_PEERS_MAX = 2_000

/** Refuses what is not a peer: nobody stores DHT records or provider lists with us. */
export class PeerDatastore extends MemoryDatastore {
  readonly #order = new Map<string, Key>()
  readonly #peersMax: number

  constructor(peersMax = STORED_PEERS_MAX) {
    super()
    this.#peersMax = peersMax
  }

  override put(key: Key, value: Uint8Array): Key {
    const text = key.toString()
    if (!text.startsWith('/peers/')) return key
    this.#order.delete(text)
    this.#order.set(text, key)
    void super.put(key, value)
    const oldest = this.#order.values().next()
    if (this.#order.size > this.#peersMax && oldest.done !== true) this.delete(oldest.value)
    return key
  }

  override delete(key: Key): void {
    this.#order.delete(key.toString())
    void super.delete(key)
  }
}
