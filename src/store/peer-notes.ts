/**
 * What a holder remembers of other holders: since when it has seen them, and who was caught lying. In the holder's database,
 * since it is needed while the account's keys are sealed. Nothing here says who brought or read anything.
 */
import { utf8 } from '../lib/bytes.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { list, oneOf, opaque, struct, text, u64 } from '../wire/codec.ts'
import { bucketRange } from './buckets.ts'
import type { Database } from './database.ts'
import { HeldTable } from './held-table.ts'

/** Peers whose ages are kept. */
export const SIGHTINGS_MAX = 4_096
/** What is kept of a lie, cut at this length. */
export const EVIDENCE_BYTES_MAX = 4_096
const PEER_ID_BYTES_MAX = 128

/** First and last time that a peer was seen, ms since the Unix epoch. */
export interface Sighting {
  readonly peerId: string
  readonly first: number
  readonly last: number
}

/**
 * What a peer did: `receipt` it signed for something else, or with another key · `possession` it claimed a letter and could
 * not show it · `tombstone` it sent one that deletes nothing · `prekey` it gave one that is not the device's.
 */
const OFFENCES = ['receipt', 'possession', 'tombstone', 'prekey'] as const
export type Offence = (typeof OFFENCES)[number]

/** What a peer was caught by. `at` in ms since the Unix epoch; `bytes` is what it sent, or its encoding. */
export interface Evidence {
  readonly peerId: string
  readonly kind: Offence
  readonly at: number
  readonly bytes: Uint8Array
}

const sightingsCodec = list(struct({ peerId: text(PEER_ID_BYTES_MAX), first: u64, last: u64 }), SIGHTINGS_MAX)
const evidenceCodec = struct({
  peerId: text(PEER_ID_BYTES_MAX),
  kind: oneOf(0, 1, 2, 3),
  at: u64,
  bytes: opaque(EVIDENCE_BYTES_MAX),
})

export class PeerNotes {
  readonly #table: HeldTable

  constructor(db: Database, crypto: CryptoProvider) {
    this.#table = new HeldTable(db, crypto)
  }

  /** Since when we have known whom: one record, replaced whole. */
  async load(): Promise<readonly Sighting[]> {
    return (await this.#table.get('sightings', [], sightingsCodec)) ?? []
  }

  async save(sightings: readonly Sighting[]): Promise<void> {
    const kept = sightings.filter(({ peerId }) => fits(peerId)).slice(-SIGHTINGS_MAX)
    await this.#table.write([this.#table.put('sightings', [], sightingsCodec, kept)])
  }

  /** The latest offence of each peer that was caught. */
  readonly evidence = {
    all: async (): Promise<readonly Evidence[]> => {
      const all: Evidence[] = []
      for await (const [, record] of this.#table.walk(bucketRange('liars'), evidenceCodec)) {
        all.push({ ...record, kind: OFFENCES[record.kind] })
      }
      return all
    },
    save: async ({ peerId, kind, at, bytes }: Evidence): Promise<void> => {
      if (!fits(peerId)) return
      const index = OFFENCES.indexOf(kind) as 0 | 1 | 2 | 3
      const record = { peerId, kind: index, at, bytes: bytes.slice(0, EVIDENCE_BYTES_MAX) }
      await this.#table.write([this.#table.put('liars', [utf8(peerId)], evidenceCodec, record)])
    },
    remove: async (peerIds: readonly string[]): Promise<void> => {
      await this.#table.write(peerIds.map((peerId) => this.#table.del('liars', [utf8(peerId)])))
    },
  }
}

function fits(peerId: string): boolean {
  return utf8(peerId).length <= PEER_ID_BYTES_MAX
}
