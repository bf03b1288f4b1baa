/**
 * What lies on a holder's disk, read from its bytes as they are written: which letters, tombstones and cards. Independent of what
 * the holder itself believes.
 */
import type { CryptoProvider } from '../../src/crypto/provider.ts'
import { compare, equal, toHex } from '../../src/lib/bytes.ts'
import { BUCKET } from '../../src/store/buckets.ts'
import { cardNumberCodec, heldLetterCodec, heldTombstoneCodec } from '../../src/store/held-records.ts'
import type { EngineOp } from '../../src/store/engine.ts'
import { tryDecode } from '../../src/wire/codec.ts'
import type { Letter, LetterHeader, Tombstone } from '../../src/wire/letter.ts'
import { bytesOf } from './disk.ts'
import type { Platter } from './disk.ts'

const CHECKSUM_BYTES = 8

/** What the disk says of a letter. */
export interface Lying {
  readonly address: string
  readonly expiryHour: number
}

/** Things that are noticed as they are written. */
export interface MirrorEvents {
  onLetter(id: string, letter: Letter): void
  onTombstone(id: string, tombstone: Tombstone): void
  onCard(key: string, record: Uint8Array): void
  /** The memory of a card's version went back. */
  onCardBack(key: string): void
}

export class Mirror {
  readonly live = new Map<string, Lying>()
  readonly dead = new Map<string, Lying>()
  readonly #versions = new Map<string, { readonly number: number; readonly hash: Uint8Array }>()
  readonly #events: MirrorEvents
  readonly #crypto: Pick<CryptoProvider, 'sha256'>

  constructor(events: MirrorEvents, crypto: Pick<CryptoProvider, 'sha256'>) {
    this.#events = events
    this.#crypto = crypto
  }

  /** Reads the whole disk anew: after a crash, a loss or rot. Nothing of it counts as just written. */
  rebuild(platter: Platter): void {
    this.live.clear()
    this.dead.clear()
    this.#versions.clear()
    for (const name of platter.sorted()) {
      const value = platter.values.get(name)
      if (value !== undefined && this.#isWhole(bytesOf(name), value)) this.#put(bytesOf(name), value, false)
    }
  }

  /** A rotten value may still decode, into what nobody wrote; its owner passes it over. */
  #isWhole(key: Uint8Array, value: Uint8Array): boolean {
    const checksum = this.#crypto.sha256(key, value.subarray(CHECKSUM_BYTES)).subarray(0, CHECKSUM_BYTES)
    return equal(value.subarray(0, CHECKSUM_BYTES), checksum)
  }

  written(ops: readonly EngineOp[]): void {
    for (const op of ops) {
      if (op.type === 'put') this.#put(op.key, op.value, true)
      else if (op.key[0] === BUCKET.held) this.live.delete(toHex(op.key.subarray(1)))
      else if (op.key[0] === BUCKET.tombstones) this.dead.delete(toHex(op.key.subarray(1)))
    }
  }

  #put(key: Uint8Array, value: Uint8Array, fresh: boolean): void {
    const id = toHex(key.subarray(1))
    const body = value.subarray(CHECKSUM_BYTES)
    switch (key[0]) {
      case BUCKET.held: {
        const held = tryDecode(heldLetterCodec, body)
        if (held === undefined) return
        this.live.set(id, lyingOf(held.letter))
        if (fresh) this.#events.onLetter(id, held.letter)
        return
      }
      case BUCKET.tombstones: {
        const held = tryDecode(heldTombstoneCodec, body)
        if (held === undefined) return
        this.dead.set(id, lyingOf(held.tombstone.header))
        if (fresh) this.#events.onTombstone(id, held.tombstone)
        return
      }
      case BUCKET.cards:
        if (fresh) this.#events.onCard(id, body)
        return
      case BUCKET.cardNumbers:
        this.#version(id, body, fresh)
        return
      default:
    }
  }

  #version(key: string, body: Uint8Array, fresh: boolean): void {
    const next = tryDecode(cardNumberCodec, body)
    if (next === undefined) return
    const known = this.#versions.get(key)
    const order = known === undefined ? 1 : next.number - known.number || compare(next.hash, known.hash)
    if (fresh && order < 0) this.#events.onCardBack(key)
    this.#versions.set(key, next)
  }
}

function lyingOf(header: Pick<LetterHeader, 'address' | 'expiry'>): Lying {
  return { address: toHex(header.address), expiryHour: header.expiry }
}
