/**
 * Peers that were good to us, to join by when the bootstrap peers are gone. One small file, replaced whole; a damaged
 * one is ignored, since it can be learned again.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dropOldest } from '../../lib/bounded.ts'
import { nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { constant, encode, list, struct, tryDecode } from '../../wire/codec.ts'
import { peerRecordCodec } from '../../wire/peer.ts'
import type { PeerRecord } from '../../wire/peer.ts'

/** Peers in the file and in memory. */
export const REMEMBERED_PEERS_MAX = 250

const cacheCodec = struct({ version: constant(1), peers: list(peerRecordCodec, REMEMBERED_PEERS_MAX) })

export class PeerCache {
  readonly #file: string
  readonly #log: Logger
  /** The one remembered last stands last. */
  readonly #peers = new Map<string, PeerRecord>()

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  /** The peers, those remembered last first. */
  all(): readonly PeerRecord[] {
    return [...this.#peers.values()].reverse()
  }

  /** Keeps the peer; above the cap the one remembered longest ago goes. */
  remember(peer: PeerRecord): void {
    if (peer.addresses.length === 0) return
    this.#peers.delete(peer.id)
    this.#peers.set(peer.id, peer)
    dropOldest(this.#peers, REMEMBERED_PEERS_MAX)
  }

  async load(): Promise<void> {
    try {
      const cache = tryDecode(cacheCodec, await readFile(this.#file))
      if (cache === undefined) this.#log.warn('the peer cache is damaged and was ignored')
      for (const peer of cache?.peers ?? []) this.remember(peer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      this.#log.warn('the peer cache cannot be read', { error: nameOf(error) })
    }
  }

  async save(): Promise<void> {
    const draft = `${this.#file}.new`
    try {
      const bytes = encode(cacheCodec, { version: 1, peers: [...this.#peers.values()] })
      await rm(draft, { force: true })
      await writeFile(draft, bytes, { mode: 0o600, flag: 'wx' }) // a new file: never through a link put there
      await rename(draft, this.#file)
    } catch (error) {
      this.#log.warn('the peer cache cannot be written', { error: nameOf(error) })
    }
  }
}
